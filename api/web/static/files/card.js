/** One file on its way: sent, waiting, decoded, done. */

import { h, setText } from "../common/dom.js";
import { clock, percent, size } from "../common/format.js";
import { explained } from "../common/problems.js";
import { saveButtons } from "../common/results.js";
import { Segments } from "../common/segments.js";

export class FileCard {
  /** `gate(run)` runs an upload when it is its turn; `onGone(card)` is called when the card is taken away. */
  constructor(jobs, file, options, { gate, onGone }) {
    this._jobs = jobs;
    this._file = file;
    this._options = options;
    this._gate = gate;
    this._onGone = onGone;
    this._job = null;
    this._state = h("p", { class: "file-state", role: "status" });
    this._progress = h("progress", { max: "1", value: "0", "aria-label": `Progress of ${file.name}` });
    this._actions = h("span", { class: "actions" });
    this._saves = h("span", {});
    this._body = h("div", {});
    const name = h("span", { class: "file-name", title: file.name }, file.name);
    const head = h("div", { class: "file-row" }, name, this._actions);
    const below = h("div", { class: "file-row" }, this._state, this._saves);
    this.element = h("div", { class: "card", role: "listitem" }, head, below, this._progress, this._body);
    this._segments = new Segments((seconds) => this._seek(seconds));
    this._run();
  }

  /** From the upload to the end. */
  async _run() {
    this._stopping = new AbortController();
    this._showActions({ Cancel: () => this._cancel() });
    this._segments.clear();
    this._body.replaceChildren();
    this._saves.replaceChildren();
    this._progress.hidden = false;
    try {
      this._say(`Waiting to be sent · ${size(this._file.size)}`, 0);
      this._job = await this._gate(() => this._upload());
      await this._follow();
    } catch (error) {
      if (this._stopping.signal.aborted) this._ended("Cancelled");
      else this._failed(error);
    }
  }

  _upload() {
    const { signal } = this._stopping;
    signal.throwIfAborted();
    const onUpload = (share) => this._say(`Sending ${percent(share)} of ${size(this._file.size)}`, share);
    return this._jobs.submit(this._file, this._options, { onUpload, signal });
  }

  async _follow() {
    this._progress.value = 0;
    for await (const { type, data } of this._jobs.events(this._job.id, { signal: this._stopping.signal })) {
      if (type === "segment") this._segment(data);
      else if (type === "progress") this._progressed(data);
      else this._over(data);
    }
    if (this._stopping.signal.aborted) this._ended("Cancelled");
  }

  _progressed({ status, progress, position }) {
    if (status === "queued") {
      const before = position ? ` · ${position} before it` : position === 0 ? " · next in line" : "";
      this._say(`Queued${before}`, 0);
    } else {
      this._say(`Transcribing ${percent(progress)}`, progress);
    }
  }

  _segment(segment) {
    if (!this._body.firstChild) this._body.append(this._player(), this._segments.element);
    this._segments.push(segment);
  }

  _over(job) {
    if (job.status === "finished") {
      this._job = job;
      this._ended(["Finished", job.duration ? clock(job.duration) : "", job.warning ?? ""].filter(Boolean).join(" · "));
      this._saves.replaceChildren(saveButtons(this._jobs, job, (error) => this._failed(error)));
      if (!this._segments.items.length) this._body.replaceChildren(h("p", { class: "detail" }, "Nobody speaks in it."));
      this._segments.settle();
      this._whoSpeaks(job);
    } else if (job.status === "failed") {
      this._failed(job.error ?? { code: "internal", message: "The server does not say why." });
    } else {
      this._ended(job.status === "cancelled" ? "Cancelled" : "Deleted");
    }
  }

  /** Who speaks is known at the end only. */
  async _whoSpeaks(job) {
    if (!this._options.diarize) return;
    const { segments } = JSON.parse(await this._jobs.result(job.id));
    this._segments.clear();
    for (const segment of segments) this._segments.push(segment);
    this._segments.settle();
  }

  async _cancel() {
    this._stopping.abort();
    this._ended("Cancelled");
    if (this._job) await this._jobs.remove(this._job.id).catch(() => {});
  }

  _failed(error) {
    const { sentence, next, detail } = explained(error);
    this._ended(`${sentence} ${next}`);
    this._state.title = detail;
    this._state.classList.add("bad");
    const retry = () => {
      this._state.classList.remove("bad");
      this._again(error);
    };
    this._showActions({ Retry: retry, Remove: () => this._remove() });
  }

  /** A job that failed on the server need not be sent again. */
  async _again(error) {
    if (!this._job || !error.retryable) return this._run();
    try {
      this._job = await this._jobs.retry(this._job.id);
      this._stopping = new AbortController();
      this._showActions({ Cancel: () => this._cancel() });
      this._progress.hidden = false;
      return await this._follow();
    } catch {
      return this._run();
    }
  }

  _ended(text) {
    this._say(text, 1);
    this._progress.hidden = true;
    const actions = text === "Cancelled" ? { Retry: () => this._run() } : {};
    this._showActions({ ...actions, Remove: () => this._remove() });
  }

  _remove() {
    URL.revokeObjectURL(this._audio?.src);
    this.element.remove();
    this._onGone(this);
  }

  _player() {
    if (!this._audio) {
      this._audio = h("audio", { controls: true, preload: "metadata", "aria-label": `Play ${this._file.name}` });
      this._audio.src = URL.createObjectURL(this._file);
      this._audio.addEventListener("timeupdate", () => this._segments.at(this._audio.currentTime));
      this._audio.addEventListener("error", () => (this._audio.hidden = true));
    }
    return this._audio;
  }

  _seek(seconds) {
    this._audio.currentTime = seconds;
    this._audio.play().catch(() => {}); // a format that this browser can't play
  }

  _say(text, share) {
    setText(this._state, text);
    this._progress.value = share;
  }

  _showActions(actions) {
    const buttons = Object.entries(actions).map(([label, act]) => {
      const properties = { type: "button", class: "quiet", "aria-label": `${label} ${this._file.name}` };
      return h("button", { ...properties, on: { click: act } }, label);
    });
    this._actions.replaceChildren(...buttons);
  }
}
