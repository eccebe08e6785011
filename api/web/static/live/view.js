/** Live: a microphone or a tab, and its text as it is spoken. */

import { byId, download, setText } from "../common/dom.js";
import { clock, counted } from "../common/format.js";
import { Problems } from "../common/problems.js";
import { Capture, LiveSession, StenoError, toJson, toSrt, toText, toVtt } from "../steno.js";
import { Figures } from "./figures.js";
import { Meter } from "./meter.js";
import { AudioRing } from "./ring.js";
import { Settings } from "./settings.js";
import { LiveText } from "./text.js";

const FORMATS = {
  txt: [toText, "text/plain"],
  srt: [toSrt, "application/x-subrip"],
  vtt: [toVtt, "text/vtt"],
  json: [toJson, "application/json"],
};
const TICK_MS = 200;
const SILENT_S = 4;
const BEFORE_WORD_S = 0.1;
const SAID = { idle: "Ready", starting: "Starting…", live: "Listening", away: "Reconnecting…", ending: "Finishing…" };

export class LiveView {
  /** `server` gives the API key, `askKey()` asks the user for one. */
  constructor(server, askKey) {
    this._server = server;
    this._askKey = askKey;
    this._problems = new Problems(byId("live-problem"));
    this._settings = new Settings();
    this._meter = new Meter();
    this._figures = new Figures();
    this._text = new LiveText((line, word) => this._play(line, word));
    this._ring = new AudioRing();
    this._button = byId("record");
    this._state = "idle";
    this._baseS = 0;
    this._words = 0;
    this._language = "";
    this._button.addEventListener("click", () => this.toggle());
    byId("copy").addEventListener("click", () => this.copy());
    byId("clear").addEventListener("click", () => this._clear());
    for (const button of document.querySelectorAll("[data-save]")) {
      button.addEventListener("click", () => this._save(button.dataset.save));
    }
    addEventListener("beforeunload", (event) => this._state !== "idle" && event.preventDefault());
    this._meter.rest();
    this._show("idle");
  }

  /** Start, or stop. */
  toggle() {
    if (this._state === "idle") return this._start();
    if (this._state === "live" || this._state === "away") return this._stop();
    return null;
  }

  /** Put the text on the clipboard. */
  async copy() {
    try {
      await navigator.clipboard.writeText(toText(this._text.lines));
      this._say("Copied");
    } catch {
      this._say("The browser did not allow it; download the text instead");
    }
  }

  async _start() {
    this._problems.clear();
    this._show("starting");
    try {
      this._capture = await Capture.open(this._settings.capture);
    } catch (error) {
      this._show("idle");
      this._problems.show(error, { "Try again": () => this._start() });
      return;
    }
    this._settings.offerDevices();
    this._frames = 0;
    this._loudest = 0;
    this._isOverrun = false;
    this._open = null;
    const { sampleRate } = this._capture;
    this._rate = sampleRate;
    this._figures.begin(sampleRate);
    this._session = new LiveSession({ ...this._settings.session, sampleRate, key: this._server.key });
    this._listen(this._session);
    this._capture.addEventListener("frame", ({ detail }) => this._frame(detail));
    this._capture.addEventListener("gone", () => this._gone());
    this._settings.lock(true);
    this._timer = setInterval(() => this._tick(), TICK_MS);
    this._wakeLock = await navigator.wakeLock?.request("screen").catch(() => null);
  }

  async _stop() {
    this._show("ending");
    clearInterval(this._timer);
    await this._hush();
    try {
      await this._session.end();
    } catch {
      // `failed` has told
    }
    this._ended();
  }

  /** Seconds of sound in all sessions whose text is shown. */
  get _nowS() {
    return this._state === "idle" ? this._baseS : this._baseS + this._figures.capturedS;
  }

  /** Let the microphone go. */
  async _hush() {
    const capture = this._capture;
    this._capture = null;
    await capture?.stop();
    this._meter.rest();
    await this._wakeLock?.release().catch(() => {});
  }

  _ended() {
    if (this._state === "idle") return;
    this._baseS += this._figures.capturedS;
    this._text.noPartial();
    this._figures.end();
    this._settings.lock(false);
    this._show("idle");
  }

  _gone() {
    const code = this._settings.source === "tab" ? "idle" : "microphone_gone";
    if (code !== "idle") this._problems.show(new StenoError(code, ""), { Start: () => this._start() });
    this._stop();
  }

  _frame(frame) {
    const { samples, at } = frame;
    this._meter.frame(frame);
    this._frames += 1;
    this._loudest = Math.max(this._loudest, frame.peak);
    const start = this._nowS;
    if (!this._session.send(samples)) return;
    this._figures.frame(samples.length, at);
    this._ring.push(start, samples, this._rate);
  }

  _listen(session) {
    const on = (type, act) => session.addEventListener(type, ({ detail }) => act(detail));
    on("ready", () => this._show("live"));
    on("speech_start", (event) => {
      this._open = event.utterance;
      this._meter.speaking(true);
      this._figures.event(event);
    });
    on("speech_end", (event) => {
      if (this._open === event.utterance) this._open = null;
      this._meter.speaking(this._open !== null);
      this._figures.event(event);
    });
    on("partial", (event) => {
      this._text.partial(event);
      this._figures.event(event, session.arrivedAt);
    });
    on("final", (event) => this._final(event, session.arrivedAt));
    on("language", ({ language }) => (this._language = language));
    on("warning", ({ message }) => this._say(message));
    on("overrun", () => this._overrun());
    on("connection", ({ isUp, downS }) => {
      if (isUp) {
        this._figures.reconnected();
        this._say(`Connected again after ${downS.toFixed(1)} s; nothing is lost`);
      }
      if (this._state !== "ending") this._show(isUp ? "live" : "away");
    });
    on("failed", (error) => this._failed(error));
    on("closed", () => this._state !== "ending" && this._stop());
  }

  _final(event, arrivedAt) {
    this._text.noPartial();
    this._language = event.language || this._language;
    if (event.text) {
      const [start, end] = [this._baseS + event.start, this._baseS + event.end];
      const words = (event.words ?? []).map((word) => ({
        ...word,
        start: this._baseS + word.start,
        end: this._baseS + word.end,
      }));
      this._text.final({ start, end, text: event.text, words, language: event.language });
      this._words += event.text.split(/\s+/).length;
      this._count();
    }
    this._figures.event(event, arrivedAt);
  }

  async _failed(error) {
    clearInterval(this._timer);
    await this._hush();
    const actions = error.code === "unauthorized" ? { "Enter key": this._askKey } : {};
    this._problems.show(error, { ...actions, "Start again": () => this._start() });
    this._ended();
  }

  _overrun() {
    if (this._isOverrun) return;
    this._isOverrun = true;
    this._problems.show(new StenoError("overrun", ""));
  }

  _tick() {
    this._figures.tick(this._open !== null);
    setText(byId("elapsed"), clock(this._nowS));
    const unsent = this._session.unackedS;
    setText(byId("figure-kept"), this._state === "away" || unsent > 6 ? `${Math.round(unsent)} s` : "–");
    if (this._frames > SILENT_S * 50) {
      if (this._loudest === 0 && this._settings.source !== "tab") this._problems.show(new StenoError("silent_microphone", ""));
      else this._problems.clear("silent_microphone");
      this._frames = this._loudest = 0;
    }
  }

  _play(index, wordIndex) {
    const line = this._text.lines[index];
    const from = line.words[wordIndex]?.start ?? line.start;
    const isPlaying = this._ring.play(from - BEFORE_WORD_S, line.end, () => this._text.playing(-1));
    if (isPlaying) this._text.playing(index);
    else this._say("That sound is not kept any more: the page keeps the last minutes");
  }

  _save(format) {
    const [write, type] = FORMATS[format];
    const name = new Date().toISOString().slice(0, 16).replace("T", "-").replace(":", "");
    const facts = { language: this._language, duration: this._nowS };
    download(`steno-${name}.${format}`, write(this._text.lines, facts), type);
  }

  _clear() {
    const dialog = byId("clear-dialog");
    dialog.onclose = () => {
      if (dialog.returnValue !== "clear") return;
      this._text.clear();
      this._ring.clear();
      this._words = 0;
      this._count();
      if (this._state === "idle") this._baseS = 0;
      setText(byId("elapsed"), clock(this._nowS));
    };
    dialog.returnValue = "";
    dialog.showModal();
  }

  _count() {
    setText(byId("word-count"), this._words ? counted(this._words, "word") : "");
    for (const button of document.querySelectorAll("[data-needs-text]")) button.disabled = !this._words;
  }

  _show(state) {
    this._state = state;
    const isOn = state !== "idle";
    document.body.dataset.live = state;
    // Not `disabled`, which would take the focus from who uses the keyboard.
    this._button.setAttribute("aria-disabled", String(state === "starting" || state === "ending"));
    setText(byId("record-label"), isOn ? "Stop" : "Start");
    setText(byId("live-state"), SAID[state]);
    if (state === "idle") this._count();
  }

  _say(text) {
    setText(byId("live-note"), text);
    clearTimeout(this._noteTimer);
    this._noteTimer = setTimeout(() => setText(byId("live-note"), ""), 6000);
  }
}
