/** One WebSocket of a live session, from its first message to its end. */

import { StenoError, unreachable } from "./errors.js";

/** After these the session goes on: the connection broke, or the server said so. */
const RESUMABLE = new Set([1001, 1005, 1006, 1011, 1012, 1014, 4002]);
const ATTEMPT_MS_MAX = 10_000;
/** How long a server that acknowledges audio may say nothing: three times its longest wait. */
const SILENCE_MS_MAX = 15_000;
/** Beyond this much in the socket nothing more is written; it waits in the resend buffer. */
const BUFFERED_BYTES_MAX = 256 * 1024;

/** `onOpen` is called when it can be written to, `onMessage` with every message behind the first. Errors have
 * `isLost` when the session outlives them. */
export class Connection {
  constructor(address, key) {
    this._socket = new WebSocket(address, key ? ["steno", `steno-api-key.${key}`] : []);
    this.onOpen = this.onMessage = () => {};
    /** When the latest message arrived, on the clock of performance.now(). */
    this.arrivedAt = 0;
    /** The first message. */
    this.first = new Promise((resolve, reject) => Object.assign(this, { _begin: resolve, _refuse: reject }));
    /** Why it ended; null when nothing more was wanted of it. Never rejects. */
    this.lost = new Promise((resolve) => (this._tell = resolve));
    this._hasBegun = this._isWatched = false;
    this._error = null;
    this._timer = setTimeout(() => this.end(lost("the server did not answer in time")), ATTEMPT_MS_MAX);
    this._socket.onopen = () => this.onOpen();
    this._socket.onmessage = (event) => this._heard(event);
    this._socket.onclose = ({ code, reason }) => this.end(this._error ?? closedEarly(code, reason));
  }

  get isWritable() {
    return this._socket.readyState === WebSocket.OPEN && this._socket.bufferedAmount < BUFFERED_BYTES_MAX;
  }

  write(data) {
    this._socket.send(data);
  }

  /** From now on silence says that it is gone. */
  watch() {
    this._isWatched = true;
  }

  /** Close it, and hear nothing more of it. */
  end(error = null) {
    clearTimeout(this._timer);
    this._socket.onopen = this._socket.onmessage = this._socket.onclose = null;
    this._socket.close();
    this._refuse(error ?? lost("it was given up"));
    this._tell(error);
  }

  _heard({ data, timeStamp }) {
    clearTimeout(this._timer);
    this.arrivedAt = timeStamp;
    const message = JSON.parse(data);
    if (message.type === "error") {
      this._error = errorOf(message); // its close follows
      return;
    }
    if (this._isWatched) {
      this._timer = setTimeout(() => this.end(lost("the server said nothing for 15 s")), SILENCE_MS_MAX);
    }
    if (this._hasBegun) this.onMessage(message);
    this._hasBegun = true;
    this._begin(message);
  }
}

function lost(message) {
  return Object.assign(new StenoError("lost", message, { retryable: true }), { isLost: true });
}

function errorOf({ code, message, retryable, retry_after_s: retryAfterS = null }) {
  const error = new StenoError(code, message, { retryable, retryAfterS });
  return Object.assign(error, { isLost: code === "broker_lost" });
}

function closedEarly(code, reason) {
  if (code === 1006) return Object.assign(unreachable(), { isLost: true });
  if (code === 4001) return new StenoError("taken_over", "a newer connection has the session");
  const isLost = RESUMABLE.has(code);
  const message = `the server closed the connection (${`${code} ${reason}`.trim()})`;
  return Object.assign(new StenoError("lost", message, { retryable: isLost }), { isLost });
}
