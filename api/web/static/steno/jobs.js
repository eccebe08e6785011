/** File jobs over `/v1/jobs`. */

import { StenoError, fromAnswer, unreachable } from "./errors.js";
import { eventsOf } from "./sse.js";

const DELAY_MS = 500;
const DELAY_MS_MAX = 10_000;

export class Jobs {
  /** `url` of the edge, by default the page's; `key`: an API key, or a function that gives it. */
  constructor({ url = "./", key = "" } = {}) {
    this._base = new URL("v1/jobs", new URL(url, document.baseURI)).href;
    this._key = key;
  }

  /** Send a File or Blob. `options` are the fields of docs/jobs.md; `onUpload` is called with the part that is
   * sent, 0 to 1. Resolves with the job, rejects with a StenoError, or with an AbortError. */
  submit(file, options = {}, { onUpload = () => {}, signal } = {}) {
    const form = new FormData();
    // Fields first: the server reads the form as it comes.
    for (const [name, value] of Object.entries(options)) {
      if (value !== "" && value !== undefined) form.append(name, value);
    }
    form.append("file", file, file.name ?? "audio");
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest(); // fetch does not tell how far an upload is
      request.open("POST", this._base);
      for (const [name, value] of Object.entries(this._headers())) request.setRequestHeader(name, value);
      request.upload.onprogress = ({ loaded, total }) => total && onUpload(loaded / total);
      request.onload = () => {
        const { status, responseText: text } = request;
        if (status < 300) resolve(JSON.parse(text));
        else reject(fromAnswer(status, text, request.getResponseHeader("Retry-After")));
      };
      request.onerror = () => reject(unreachable());
      request.onabort = () => reject(new DOMException("the upload was cancelled", "AbortError"));
      signal?.addEventListener("abort", () => request.abort(), { once: true });
      if (signal?.aborted) request.abort();
      else request.send(form);
    });
  }

  /** The job now. */
  async get(id) {
    return (await this._ask(`/${id}`)).json();
  }

  /** A page of jobs, newest first: `{ jobs, next_cursor }`. */
  async list({ status = "", limit = 50, cursor = "" } = {}) {
    const query = new URLSearchParams({ limit });
    if (status) query.set("status", status);
    if (cursor) query.set("cursor", cursor);
    return (await this._ask(`?${query}`)).json();
  }

  /** The transcript as text, in one of the server's formats. */
  async result(id, format = "json") {
    return (await this._ask(`/${id}/result?format=${encodeURIComponent(format)}`)).text();
  }

  /** Cancel a job, or delete one that has ended. Resolves with the job, null when it is deleted. */
  async remove(id) {
    const answer = await this._ask(`/${id}`, { method: "DELETE" });
    return answer.status === 204 ? null : answer.json();
  }

  /** Queue a failed job again. */
  async retry(id) {
    return (await this._ask(`/${id}/retry`, { method: "POST" })).json();
  }

  /** `progress`, `segment` and `end` events as `{ type, data }`, each segment once and in order. A connection
   * that is lost is made again; throws a StenoError when the server says that there is nothing to follow. */
  async *events(id, { signal } = {}) {
    let last = "";
    let longest = DELAY_MS;
    for (;;) {
      try {
        const headers = last ? { "Last-Event-ID": last } : {};
        const answer = await this._ask(`/${id}/events`, { headers, signal });
        for await (const event of eventsOf(answer.body)) {
          longest = DELAY_MS;
          last = event.id || last;
          yield { type: event.type, data: JSON.parse(event.data) };
          if (event.type === "end") return;
        }
      } catch (error) {
        if (signal?.aborted) return;
        if (error instanceof StenoError && !error.retryable) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, Math.random() * longest));
      longest = Math.min(2 * longest, DELAY_MS_MAX);
    }
  }

  async _ask(path, { headers = {}, ...rest } = {}) {
    let answer;
    try {
      answer = await fetch(this._base + path, { ...rest, headers: { ...this._headers(), ...headers } });
    } catch (error) {
      throw error.name === "AbortError" ? error : unreachable(error);
    }
    if (answer.ok) return answer;
    throw fromAnswer(answer.status, await answer.text(), answer.headers.get("Retry-After"));
  }

  _headers() {
    const key = typeof this._key === "function" ? this._key() : this._key;
    return key ? { Authorization: `Bearer ${key}` } : {};
  }
}
