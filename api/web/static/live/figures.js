/** How long things take, as a person at this page sees them: from sound to paint. */

import { afterPaint, byId, setText } from "../common/dom.js";
import { quantile, seconds } from "../common/format.js";

const KEPT = 60;
const DRIFT = 0.02;

/** Median of the last values, with the last one beside it. */
class Readout {
  constructor(id) {
    this._value = byId(id);
    this.clear();
  }

  add(value) {
    this._values.push(value);
    if (this._values.length > KEPT) this._values.shift();
    setText(this._value, seconds(quantile(this._values, 0.5)));
  }

  clear() {
    this._values = [];
    setText(this._value, "–");
  }
}

export class Figures {
  constructor() {
    this._firstWord = new Readout("figure-first");
    this._word = new Readout("figure-word");
    this._final = new Readout("figure-final");
    this._lag = byId("figure-lag");
    this._reconnects = byId("figure-reconnects");
    this.begin(1);
  }

  /** A session begins. */
  begin(rate) {
    this._rate = rate;
    this._samples = 0;
    this._origin = null;
    this._heardS = 0;
    this._utterance = null;
    this._count = 0;
    for (const readout of [this._firstWord, this._word, this._final]) readout.clear();
    setText(this._lag, "–");
    setText(this._reconnects, "0");
  }

  /** Take a frame that is sent; `at` is Date.now() at its end. */
  frame(samples, at) {
    this._samples += samples;
    const origin = at - performance.timeOrigin - this.capturedS * 1000;
    this._origin = this._origin === null ? origin : this._origin + (origin - this._origin) * DRIFT;
    const took = performance.timeOrigin + performance.now() - at;
    measure("steno:capture", performance.now() - Math.max(0, took));
  }

  /** Seconds of audio so far. */
  get capturedS() {
    return this._samples / this._rate;
  }

  /** Take an event of the session that has just arrived, at `arrivedAt` on the page's clock. */
  event(event, arrivedAt) {
    if (event.type === "speech_start") this._utterance = { number: event.utterance, words: 0, at: event.start };
    if (event.type === "speech_end") this._endedAt = event.end;
    if (event.type !== "partial" && event.type !== "final") return;
    this._heardS = Math.max(this._heardS, event.end);
    if (event.text) afterPaint((now) => this._painted(event, arrivedAt, now));
  }

  /** The connection was had again. */
  reconnected() {
    this._count += 1;
    setText(this._reconnects, String(this._count));
  }

  /** The session is over: nothing is behind. */
  end() {
    setText(this._lag, "–");
  }

  /** Show how far the text is behind the sound. */
  tick(isSpeaking) {
    setText(this._lag, isSpeaking ? seconds(Math.max(0, this.capturedS - this._heardS), 1) : seconds(0, 1));
  }

  _painted(event, arrivedAt, now) {
    measure("steno:paint", arrivedAt);
    const words = event.words ?? [];
    const utterance = this._utterance?.number === event.utterance ? this._utterance : null;
    if (utterance && this._origin !== null) {
      if (!utterance.words && words.length) this._firstWord.add(this._since(words[0].start, now));
      for (const word of words.slice(utterance.words)) this._word.add(this._since(word.end, now));
      utterance.words = Math.max(utterance.words, words.length);
    }
    if (event.type === "final" && words.length) this._final.add(this._since(words.at(-1).end, now));
  }

  /** Seconds since a place in the audio was captured. */
  _since(audioS, now) {
    return Math.max(0, (now - this._origin) / 1000 - audioS);
  }
}

/** For the browser's developer tools, and for tests; nothing is kept. */
function measure(name, start) {
  performance.measure(name, { start, end: performance.now() });
  performance.clearMeasures(name);
}
