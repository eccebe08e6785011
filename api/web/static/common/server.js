/** The edge that sent this page: its key, and whether it is well. */

import { byId, setText } from "./dom.js";

const STORED = "steno.key";
const LOOK_MS = 10_000;
const KEY = /^[A-Za-z0-9._~+-]{8,200}$/;

export class Server {
  constructor() {
    this._key = read();
    this._dialog = byId("key-dialog");
    this._button = byId("key-button");
    this._button.hidden = !this._key;
    this._button.addEventListener("click", () => this.askKey());
    byId("key-form").addEventListener("submit", (event) => this._submitted(event));
    /** Called when another key is used. */
    this.onKey = () => {};
  }

  /** The API key; empty for none. */
  get key() {
    return this._key;
  }

  /** Show how the server is, from now on. */
  watch() {
    this._look();
    setInterval(() => document.visibilityState === "visible" && this._look(), LOOK_MS);
    this._tryKey(this._key).then((isNeeded) => isNeeded && this._needKey());
  }

  /** Let the user enter a key. */
  askKey() {
    setText(byId("key-problem"), "");
    byId("key-input").value = this._key;
    if (!this._dialog.open) this._dialog.showModal();
  }

  async _submitted(event) {
    if (event.submitter?.value !== "use") return;
    event.preventDefault();
    const key = byId("key-input").value.trim();
    if (key && !KEY.test(key)) {
      setText(byId("key-problem"), "A key is 8 to 200 letters, digits and ._~+-");
    } else if (await this._tryKey(key)) {
      setText(byId("key-problem"), "The server does not know this key.");
    } else {
      this._key = key;
      write(key);
      this._button.hidden = false;
      this._dialog.close();
      this.onKey();
    }
  }

  /** Whether the server wants another key than this. */
  async _tryKey(key) {
    try {
      const answer = await fetch("v1/models", { headers: key ? { Authorization: `Bearer ${key}` } : {} });
      return answer.status === 401;
    } catch {
      return false;
    }
  }

  _needKey() {
    this._button.hidden = false;
    this.askKey();
  }

  async _look() {
    const health = byId("health");
    let state = "gone";
    let text = "Server gone";
    try {
      const { status, workers = 0, models = [], reason } = await (await fetch("readyz")).json();
      state = status === "ready" ? "ready" : "busy";
      text = status === "ready" ? `Ready · ${models.join(", ")}` : sentence(reason);
      health.title = `${workers} worker${workers === 1 ? "" : "s"}`;
    } catch {
      health.title = "The server does not answer";
    }
    health.dataset.state = state;
    setText(health, text);
  }
}

function sentence(reason = "not ready") {
  return reason.charAt(0).toUpperCase() + reason.slice(1);
}

function read() {
  try {
    return sessionStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
}

function write(key) {
  try {
    sessionStorage.setItem(STORED, key);
  } catch {
    // it is asked for again after a reload
  }
}
