/** A live session over `/v1/stream` that outlives its connections. */

import { StenoError, unreachable } from "./errors.js";
import { ResendBuffer } from "./resend.js";

/** After these the session goes on: the connection broke, or the server said so. */
const RESUMABLE = new Set([1001, 1005, 1006, 1011, 1012, 1014, 4002]);
const ATTEMPT_MS_MAX = 10_000;
/** How long a server that acknowledges audio may say nothing: three times its longest wait. */
const SILENCE_MS_MAX = 15_000;
const DELAY_MS = 200;
const DELAY_MS_MAX = 5_000;
/** Beyond this much in the socket nothing more is written; it waits in the resend buffer. */
const BUFFERED_BYTES_MAX = 256 * 1024;
const LOOK_MS = 100;
const FRAME_BYTES = { pcm16: 2, float32: 4 };
const PASSED_ON = ["language", "languages", "task", "model", "prompt", "hotwords", "vad", "profanity", "numerals"];

/**
 * Events, each a CustomEvent: those of docs/protocol.md by their `type`, with the message as `detail`; and
 * `connection` with `{ isUp, reason, attempts, downS }`, `overrun` when audio was not taken because too much
 * waits, and at the end `closed`, or `failed` with a StenoError.
 */
export class LiveSession extends EventTarget {
  /**
   * @param {object} options `sampleRate` (of the audio that is sent, mono) is needed; `url` of the edge, by
   *   default the page's; `key`: an API key; `encoding`: `pcm16` or `float32`; `words`, `partials`; what
   *   docs/protocol.md lists by the same name (`endpointingMs`, `maxUtteranceS`, `partialIntervalMs` in camel
   *   case); `bufferS`: audio that may wait for the server's word; `resumeS`: how long a lost connection is
   *   tried again.
   */
  constructor(options) {
    super();
    const { encoding = "pcm16", bufferS = 120, resumeS = 60, sampleRate } = options;
    this._options = options;
    this._resumeMs = resumeS * 1000;
    this._buffer = new ResendBuffer({ frameBytes: FRAME_BYTES[encoding], sampleRate, bufferS });
    this._query = queryOf({ ...options, encoding });
    /** When the message arrived that is told of, on the clock of performance.now(). */
    this.arrivedAt = 0;
    this._heard = 0;
    this._ready = null;
    this._isOver = false;
    this._hasAcks = false;
    this._closing = new Promise((resolve, reject) => Object.assign(this, { _resolve: resolve, _reject: reject }));
    this._closing.catch(() => {}); // whoever does not wait for the end hears of it as an event
    this._writer = setInterval(() => this._write(), LOOK_MS);
    this._connect(this._address()).catch((error) => this._fail(error));
  }

  /** Resolves with the `closed` message, rejects with a StenoError. */
  get closed() {
    return this._closing;
  }

  /** Seconds of audio that the server has not said it has. */
  get unackedS() {
    return this._buffer.unackedS;
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
    this._drop();
    this._resolve(null);
  }

  async _connect(address) {
    const { lost } = await this._open(address);
    let reason = await lost;
    while (reason) reason = await this._reconnect(reason);
  }

  /** A connection whose first message is there. Resolves with `{ lost }`, a promise of the reason for which it
   * was lost; null when the session is over. */
  _open(address) {
    return new Promise((opened, refused) => {
      const key = this._options.key;
      const socket = new WebSocket(address, key ? ["steno", `steno-api-key.${key}`] : []);
      socket.binaryType = "arraybuffer";
      let heardAny = false;
      let said = null;
      let tellLost;
      const lost = new Promise((resolve) => (tellLost = resolve));
      const fail = (error) => (heardAny ? tellLost(error) : refused(error));
      const timer = setTimeout(() => {
        forget(socket);
        fail(new StenoError("lost", "the server did not answer in time", { retryable: true }));
      }, ATTEMPT_MS_MAX);
      this._drop();
      this._socket = socket;
      this._isWritable = false;
      socket.onopen = () => {
        // What resumes waits to be told from where.
        this._isWritable = !this._ready;
        this._write();
      };
      socket.onmessage = ({ data, timeStamp }) => {
        const message = JSON.parse(data);
        this.arrivedAt = timeStamp;
        if (message.type === "error") {
          said = errorOf(message);
          return;
        }
        if (!heardAny) {
          clearTimeout(timer);
          const problem = this._begin(message);
          if (problem) {
            forget(socket);
            refused(problem);
            return;
          }
          heardAny = true;
          opened({ lost });
        }
        this._watch(socket, tellLost);
        if (this._take(message)) {
          forget(socket);
          tellLost(null);
        }
      };
      socket.onclose = ({ code, reason }) => {
        clearTimeout(timer);
        clearTimeout(this._silence);
        this._isWritable = false;
        if (this._isOver) return;
        const mayGoOn = said ? said.code === "broker_lost" : RESUMABLE.has(code);
        const error = said ?? closedEarly(code, reason);
        error.isLost = mayGoOn && this._ready !== null && this._resumeMs > 0;
        fail(error);
      };
    });
  }

  /** Take the first message of a connection. Returns what is wrong with it. */
  _begin(message) {
    if (message.type !== "ready") return new StenoError("bad_reply", "this is not a Steno server");
    if (!this._ready) {
      this._ready = message;
      return null;
    }
    const { sample, finalized, ended } = message.resumed ?? {};
    if (sample === undefined || !this._buffer.rewind(sample, finalized, ended)) {
      return new StenoError("lost", "the server asks for audio that is not kept any more");
    }
    this._isWritable = true;
    this._write();
    return null;
  }

  /** Notice a connection that is silently gone. */
  _watch(socket, tellLost) {
    clearTimeout(this._silence);
    if (!this._hasAcks) return;
    this._silence = setTimeout(() => {
      forget(socket);
      const error = new StenoError("lost", "the server said nothing for 15 s", { retryable: true });
      tellLost(Object.assign(error, { isLost: true }));
    }, SILENCE_MS_MAX);
  }

  /** Take a message. Returns whether it was the last. */
  _take(message) {
    if (message.type === "ack") {
      this._hasAcks = true;
      this._buffer.acked(message.sample, message.finalized);
      return false;
    }
    if (message.seq <= this._heard) return false;
    this._heard = message.seq;
    const isLast = message.type === "closed";
    if (isLast) this._over();
    this._emit(message.type, message);
    if (isLast) this._resolve(message);
    return isLast;
  }

  /** A new connection of the session. Resolves with the reason for which that one was lost in its turn, null at
   * the session's end. Throws when the session can't be had again. */
  async _reconnect(reason) {
    if (!reason.isLost) throw reason;
    const since = performance.now();
    this._emit("connection", { isUp: false, reason: reason.message, attempts: 0, downS: 0 });
    let longest = DELAY_MS;
    for (let attempts = 1; ; attempts += 1) {
      await pause(Math.random() * longest);
      longest = Math.min(2 * longest, DELAY_MS_MAX);
      if (this._isOver) return null;
      try {
        const { lost } = await this._open(this._address());
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
    const socket = this._socket;
    if (!this._isWritable || socket?.readyState !== WebSocket.OPEN) return;
    while (socket.bufferedAmount < BUFFERED_BYTES_MAX) {
      const due = this._buffer.next();
      if (due === null) return;
      socket.send(due);
    }
  }

  /** A server that refuses the upgrade is not heard by a page; a request tells why. */
  async _fail(error) {
    if (this._isOver) return;
    this._over();
    this._drop();
    const known = this._ready || error.code !== "unreachable" ? error : await whyNot(this._options, error);
    this._emit("failed", known);
    this._reject(known);
  }

  _over() {
    this._isOver = true;
    clearInterval(this._writer);
    clearTimeout(this._silence);
  }

  _drop() {
    if (this._socket) forget(this._socket);
    this._socket = null;
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

/** Close a socket and hear nothing more of it. */
function forget(socket) {
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.close();
}

function errorOf({ code, message, retryable, retry_after_s: retryAfterS = null }) {
  return new StenoError(code, message, { retryable, retryAfterS });
}

function closedEarly(code, reason) {
  if (code === 1006) return unreachable();
  if (code === 4001) return new StenoError("taken_over", "a newer connection has the session");
  const retryable = RESUMABLE.has(code);
  return new StenoError("lost", `the server closed the connection (${code} ${reason})`.trim(), { retryable });
}

async function whyNot({ url = "./", key }, error) {
  try {
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
