/** Level, clipping, and whether somebody speaks. */

import { byId, setText } from "../common/dom.js";

const FLOOR_DB = -60;
const CLIP_MS = 1500;
const SAY_MS = 1000;
const DECAY = 0.85;

export class Meter {
  constructor() {
    this._bar = byId("level-bar");
    this._meter = byId("level");
    this._clip = byId("clip");
    this._vad = byId("vad");
    this._halo = byId("halo");
    this._shown = 0;
    this._peak = 0;
    this._clipTimer = 0;
    this._saidAt = 0;
    this._isAtRest = false;
  }

  /** Take a frame of the capture. */
  frame({ peak, isClipped }) {
    if (this._isAtRest) this._wake();
    this._peak = Math.max(this._peak, peak);
    if (isClipped) this._clipped();
    this._request ??= requestAnimationFrame((now) => this._draw(now));
  }

  /** Somebody speaks, or does not; what is told of after the end changes nothing. */
  speaking(isSpeaking) {
    if (this._isAtRest) return;
    this._vad.classList.toggle("on", isSpeaking);
    setText(this._vad, isSpeaking ? "Speech" : "Silence");
  }

  /** Nothing is recorded. */
  rest() {
    cancelAnimationFrame(this._request);
    this._request = null;
    this._shown = this._peak = 0;
    this._paint();
    this._meter.setAttribute("aria-valuenow", FLOOR_DB);
    this.speaking(false);
    this._isAtRest = true;
    setText(this._vad, "Off");
  }

  _wake() {
    this._isAtRest = false;
    this.speaking(false);
  }

  _draw(now) {
    this._request = null;
    const db = Math.min(0, Math.max(FLOOR_DB, 20 * Math.log10(Math.max(this._peak, 1e-4))));
    this._shown = Math.max(1 - db / FLOOR_DB, this._shown * DECAY);
    this._peak = 0;
    this._paint();
    if (now - this._saidAt > SAY_MS) {
      this._saidAt = now;
      this._meter.setAttribute("aria-valuenow", Math.round(db));
      this._meter.setAttribute("aria-valuetext", `${Math.round(db)} decibels`);
    }
  }

  _paint() {
    this._bar.style.clipPath = `inset(0 ${(100 - this._shown * 100).toFixed(1)}% 0 0 round 999px)`;
    this._halo.style.transform = `scale(${(1 + this._shown * 0.45).toFixed(3)})`;
  }

  _clipped() {
    this._clip.classList.add("on");
    setText(this._clip, "Too loud");
    clearTimeout(this._clipTimer);
    this._clipTimer = setTimeout(() => {
      this._clip.classList.remove("on");
      setText(this._clip, "");
    }, CLIP_MS);
  }
}
