/** What can go wrong, each as a sentence and a next step. */

import { h } from "./dom.js";

const TABLE = {
  insecure: [
    "Browsers give the microphone to pages on https:// and localhost only.",
    "Open this page at http://localhost on the server itself, or give the server a certificate: steno dev-cert makes one.",
  ],
  no_microphone: ["No microphone was found.", "Connect one and start again, or choose the sound of a browser tab."],
  denied: [
    "This page was not allowed to use the microphone.",
    "Allow it in the settings beside the page's address, then try again.",
  ],
  not_shared: ["Nothing was shared.", "Start again, and choose a tab whose sound is to be written down."],
  busy_microphone: ["The microphone can't be read.", "Close other programs that may use it, then start again."],
  no_audio_shared: [
    "What you shared has no sound.",
    "Share a tab, and tick “Also share tab audio”; only Chrome, Edge and their kin can do that.",
  ],
  no_output: [
    "The browser's sound does not start.",
    "Connect headphones or a speaker: Firefox records only where it can play. Then load the page again.",
  ],
  unsupported: ["This browser can't do that.", "Use the microphone, or Chrome or Edge on a computer."],
  microphone_gone: ["The microphone is gone.", "The text up to here is complete. Connect it again, then start again."],
  silent_microphone: [
    "The microphone sends silence.",
    "Look whether it is muted, at its switch or in the system's settings, or choose another one.",
  ],
  unreachable: ["The server does not answer.", "Look whether it runs and this device reaches it, then try again."],
  lost: ["The connection could not be had again.", "What was said is kept below. Start again to go on."],
  overrun: [
    "More than two minutes of sound wait for the server, so new sound is left out.",
    "Stop, and start again when the connection is better.",
  ],
  no_capacity: ["All workers are busy.", "Try again in a moment; whoever runs the server can add workers."],
  queue_full: ["The queue of files is full.", "Try again when some are done; the Jobs page shows them."],
  unavailable: ["The server can't serve this now.", "Its System page and log say what is missing."],
  model_not_found: ["No worker has that model.", "Choose another one; the System page shows what there is."],
  model_unavailable: ["The model can't be loaded.", "The server's log says why; steno doctor looks for the cause."],
  quota_exceeded: ["You have used what you may have.", "Stop a session or delete files, or try again later."],
  rate_limited: ["That were more requests than you may send.", "Wait a moment, then try again."],
  forbidden: [
    "The server does not take this page's requests.",
    "Open the page at the server's own address, or have whoever runs it name this one in STENO_ORIGINS.",
  ],
  engine_fault: ["The server could not decode this sound.", "Try again; if it happens again, its log says where."],
  internal: ["The server made a mistake.", "Try again; its log says what happened."],
  bad_reply: ["What answered is no Steno server.", "Look at the page's address, and at a proxy that may stand before it."],
  bad_message: ["The server did not understand this page.", "Load the page again: the server may be newer than it."],
  bad_request: ["The server does not take this request.", "Load the page again, then try again."],
  broker_lost: ["The server has lost its Redis.", "It keeps trying. Try again in a moment."],
  unauthorized: ["This server needs an API key.", "Enter one that it knows; whoever runs the server has them."],
  taken_over: ["Another page has taken this session.", "Go on there, or start a new one here."],
  too_large: ["The file is larger than this server takes.", "Send it in parts, or in a format that compresses."],
  storage_full: ["The server's storage is full.", "Delete finished jobs, or ask whoever runs the server."],
  upload_stalled: ["The upload came to a halt.", "Look at the connection, then try again."],
  bad_audio: ["This file has no sound that can be read.", "Try another file, or convert it with a media player."],
  bad_parameter: ["The server does not take one of the settings.", "Change it, then try again."],
  not_acceptable: ["The offer of WebRTC leaves nothing to agree on.", "Offer one Opus track and a data channel."],
  not_finished: ["The result is not there yet.", "Try again when the job has finished."],
  fetch_failed: ["The server could not fetch the file.", "Look at the file's address, then try again."],
  not_found: ["It is not there any more.", "Ended jobs are kept for a limited time; send the file again."],
  conflict: ["That can't be done now.", "Load the list again to see how things are."],
};

/** The sentence and the next step for an error. */
export function explained(error) {
  const code = error.code === "no_capacity" && error.status ? "queue_full" : error.code;
  const [sentence, next] = TABLE[code] ?? ["Something went wrong.", "Try again; the server's log says more."];
  return { sentence, next, detail: error.code in TABLE && !error.status ? "" : error.message };
}

/** A place of the page where problems are told, one at a time. */
export class Problems {
  constructor(element) {
    this._element = element;
    this._code = "";
  }

  /** Tell. `actions`: labels with what they do. */
  show(error, actions = {}) {
    const { sentence, next, detail } = explained(error);
    this._code = error.code ?? "";
    const buttons = Object.entries(actions).map(([label, act]) => {
      const press = () => {
        this.clear();
        act();
      };
      return h("button", { type: "button", class: "button small", on: { click: press } }, label);
    });
    const close = { type: "button", class: "quiet close", "aria-label": "Dismiss", on: { click: () => this.clear() } };
    this._element.replaceChildren(
      h("p", {}, h("strong", {}, sentence), " ", next),
      ...(detail ? [h("p", { class: "detail" }, detail)] : []),
      h("div", { class: "actions" }, ...buttons),
      h("button", close, "×"),
    );
    this._element.hidden = false;
  }

  /** Tell nothing more; with a code, only if it is that what is told. */
  clear(code = "") {
    if (code && code !== this._code) return;
    this._element.hidden = true;
    this._element.replaceChildren();
    this._code = "";
  }
}
