/** A live session over `/v1/stream` that outlives its connections. */

import { Connection } from "./connection.js";
import { StenoError } from "./errors.js";
import { ResendBuffer } from "./resend.js";

const DELAY_MS = 200;
const DELAY_MS_MAX = 5_000;
const LOOK_MS = 100;
const FRAME_BYTES = { pcm16: 2, float32: 4 };
const PASSED_ON = ["language", "languages", "task", "model", "prompt", "hotwords", "vad", "profanity", "numerals", "redact"];

/**
 * Events, each a CustomEvent: those of docs/protocol.md by their `type`, with the message as `detail`; and
 * `connection` with `{ isUp, reason, attempts, downS }`, `overrun` when audio was not taken because too much
 * waits, and at the end `closed`, or `failed` with a StenoError.
 */
export class LiveSession extends EventTarget {
  /**
   * @param {object} options `sampleRate` (of the audio that is sent, mono) is needed; `url` of the edge, by
   *   default the page's; `key`: an API key or token, or a function that gives one for each connection, or a
   *   promise of one; `encoding`: `pcm16` or `float32`; `words`, `partials`; what docs/protocol.md lists by the
   *   same name (`endpointingMs`, `maxUtteranceS`, `partialIntervalMs` in camel case); `bufferS`: audio that may wait for the server's word; `resumeS`: how long a lost connection is
   *   tried again.
   */
  constructor(options) {
    super();
    const { encoding = "pcm16", bufferS = 120, resumeS = 60, sampleRate } = options;
    this._options = options;
    this._resumeMs = resumeS * 1000;
    this._buffer = new ResendBuffer({ frameBytes: FRAME_BYTES[encoding], sampleRate, bufferS });
    this._query = queryOf({ ...options, encoding });
    this._heard = 0;
    this._ready = null;
    this._isOver = false;
    this._isEnding = false;
    this._isWritable = false;
    this._closing = new Promise((resolve, reject) => Object.assign(this, { _resolve: resolve, _reject: reject }));
    this._closing.catch(() => {}); // whoever does not wait for the end hears of it as an event
    this._writer = setInterval(() => this._write(), LOOK_MS);
    this._run().catch((error) => this._fail(error));
  }

  /** Resolves with the `closed` message, rejects with a StenoError. */
  get closed() {
    return this._closing;
  }

  /** Seconds of audio that the server has not said it has. */
  get unackedS() {
    return this._buffer.unackedS;
  }

  /** When the message arrived that is told of, on the clock of performance.now(). */
  get arrivedAt() {
    return this._connection?.arrivedAt ?? 0;
  }

  get isOver() {
    return this._isOver;
  }

  /** Send audio: an ArrayBuffer or a typed array. Returns false when too much waits already; then it is not
   * taken. */
  send(audio) {
    if (this._isOver || this._isEnding) return false;
    const bytes = ArrayBuffer.isView(audio)
      ? new Uint8Array(audio.buffer, audio.byteOffset, audio.byteLength)
      : new Uint8Array(audio);
    if (!this._buffer.audio(bytes)) {
      this._emit("overrun", {});
      return false;
    }
    this._write();
    return true;
  }

  /** Ask for the final of what was said so far. */
  finalize(id = "") {
    this._buffer.finalize(id);
    this._write();
  }

  /** No more audio. Resolves when every final was sent. */
  end() {
    if (!this._isEnding && !this._isOver) {
      this._isEnding = true;
      this._buffer.end();
      this._write();
    }
    return this._closing;
  }

  /** Give the session up: the server finalises it by itself. */
  abandon() {
    this._over();
    this._connection?.end();
    this._resolve(null);
  }

  async _run() {
    let reason = await (await this._open()).lost;
    while (reason) reason = await this._reconnect(reason);
  }

  /** A connection whose first message was taken. */
  async _open() {
    const key = await given(this._options.key);
    if (this._isOver) return { lost: null };
    this._connection?.end();
    const connection = new Connection(this._address(), key);
    this._connection = connection;
    this._isWritable = false;
    connection.onOpen = () => {
      // What resumes waits to be told from where.
      this._isWritable = !this._ready;
      this._write();
    };
    connection.onMessage = (message) => this._take(message);
    const first = await connection.first;
    try {
      this._begin(first);
    } catch (error) {
      connection.end();
      throw error;
    }
    this._take(first);
    this._isWritable = true;
    this._write();
    return connection;
  }

  /** Look at the first message of a connection. */
  _begin(message) {
    if (message.type !== "ready") throw new StenoError("bad_reply", "this is not a Steno server");
    if (!this._ready) {
      this._ready = message;
      return;
    }
    const { sample, finalized, ended } = message.resumed ?? {};
    if (sample === undefined || !this._buffer.rewind(sample, finalized, ended)) {
      throw new StenoError("lost", "the server asks for audio that is not kept any more");
    }
  }

  _take(message) {
    if (message.type === "ack") {
      this._connection.watch();
      this._buffer.acked(message.sample, message.finalized);
      return;
    }
    if (message.seq <= this._heard) return;
    this._heard = message.seq;
    const isLast = message.type === "closed";
    if (isLast) this._over();
    this._emit(message.type, message);
    if (!isLast) return;
    this._connection?.end();
    this._resolve(message);
  }

  /** A new connection of the session. Resolves with the reason for which that one was lost in its turn, null at
   * the session's end. Throws when the session can't be had again. */
  async _reconnect(reason) {
    if (!reason.isLost || !this._resumeMs) throw reason;
    this._isWritable = false;
    const since = performance.now();
    this._emit("connection", { isUp: false, reason: reason.message, attempts: 0, downS: 0 });
    let longest = DELAY_MS;
    for (let attempts = 1; ; attempts += 1) {
      await pause(Math.random() * longest);
      longest = Math.min(2 * longest, DELAY_MS_MAX);
      if (this._isOver) return null;
      try {
        const { lost } = await this._open();
        const downS = (performance.now() - since) / 1000;
        this._emit("connection", { isUp: true, reason: reason.message, attempts, downS });
        return await lost;
      } catch (error) {
        if (!error.retryable && !error.isLost) throw error;
        if (performance.now() - since > this._resumeMs) {
          const message = `${reason.message}; no connection for ${this._resumeMs / 1000} s`;
          throw new StenoError("lost", message, { cause: error });
        }
      }
    }
  }

  _address() {
    const url = new URL("v1/stream", new URL(this._options.url ?? "./", document.baseURI));
    url.protocol = url.protocol.replace("http", "ws");
    const { session, token } = this._ready ?? {};
    url.search = session ? new URLSearchParams({ session, token, after: this._heard, acks: true }) : this._query;
    return url.href;
  }

  _write() {
    while (this._isWritable && this._connection.isWritable) {
      const due = this._buffer.next();
      if (due === null) return;
      this._connection.write(due);
    }
  }

  /** A server that refuses the upgrade is not heard by a page; a request tells why. */
  async _fail(error) {
    if (this._isOver) return;
    this._over();
    this._connection?.end();
    const known = this._ready || error.code !== "unreachable" ? error : await whyNot(this._options, error);
    this._emit("failed", known);
    this._reject(known);
  }

  _over() {
    this._isOver = true;
    clearInterval(this._writer);
  }

  _emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function queryOf(options) {
  const query = new URLSearchParams({
    sample_rate: options.sampleRate,
    encoding: options.encoding,
    words: options.words ?? true,
    partials: options.partials ?? true,
    acks: true,
  });
  for (const name of PASSED_ON) {
    if (options[name] !== undefined && options[name] !== "") query.set(name, options[name]);
  }
  const others = {
    endpointing_ms: options.endpointingMs,
    max_utterance_s: options.maxUtteranceS,
    partial_interval_ms: options.partialIntervalMs,
  };
  for (const [name, value] of Object.entries(others)) {
    if (value !== undefined) query.set(name, value);
  }
  return query;
}

/** A function gives a key for each connection: a short-lived one may be over when the session is resumed. */
function given(key) {
  return typeof key === "function" ? key() : key;
}

async function whyNot({ url = "./", key }, error) {
  try {
    key = await given(key);
    const headers = key ? { Authorization: `Bearer ${key}` } : {};
    const answer = await fetch(new URL("v1/models", new URL(url, document.baseURI)), { headers });
    if (answer.status === 401) {
      return new StenoError("unauthorized", "the server needs an API key that it knows", { status: 401 });
    }
  } catch {
    // it really is away
  }
  return error;
}

function pause(ms) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
  });
}
