/** The text of a file as lines with times, of which a window is in the document. */

import { h } from "./dom.js";
import { clock } from "./format.js";
import { WindowedList } from "./windowed.js";

const SURE = 0.5;

export class Segments {
  /** `onSeek(seconds)` is called when a time or a word is chosen; without it there is nothing to play. */
  constructor(onSeek = null) {
    const list = h("div", { role: "log", "aria-live": "polite", "aria-label": "Text" });
    this.element = h("div", { class: "segments", tabindex: "0", role: "region", "aria-label": "Text of the file" }, list);
    this._list = new WindowedList(this.element, list, (segment) => this._row(segment));
    this._onSeek = onSeek;
    this._playing = -1;
  }

  /** What there is so far. */
  get items() {
    return this._list.items;
  }

  push(segment) {
    this._list.push(segment);
  }

  clear() {
    this._list.clear();
  }

  /** Begin at the top: what is there will not grow. */
  settle() {
    this._list.show(0);
    this.element.scrollTop = 0;
  }

  /** Mark what is said at a time of the player. */
  at(seconds) {
    const { items } = this._list;
    let [low, high] = [0, items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (items[middle].start <= seconds) low = middle + 1;
      else high = middle;
    }
    const index = low - 1;
    if (index === this._playing) return;
    this._list.element(this._playing)?.classList.remove("playing");
    this._playing = index;
    if (index < 0) return;
    this._list.show(index);
    this._list.element(index).classList.add("playing");
  }

  _row(segment) {
    const { start, text, words, speaker } = segment;
    const label = clock(start);
    const time = this._onSeek
      ? h("button", { type: "button", class: "time", "aria-label": `Play from ${label}`, on: this._seek(start) }, label)
      : h("span", { class: "time" }, label);
    const said = h("span", { class: "words" });
    let at = 0;
    for (const word of words ?? []) {
      const found = text.indexOf(word.text, at);
      if (found < 0) continue;
      const name = `${this._onSeek ? "word" : ""} ${word.probability < SURE ? "unsure" : ""}`;
      said.append(text.slice(at, found), h("span", { class: name, on: this._seek(word.start) }, word.text));
      at = found + word.text.length;
    }
    said.append(text.slice(at));
    const who = speaker ? h("span", { class: "speaker" }, speaker) : null;
    return h("p", { class: "line", dir: "auto" }, time, who, said);
  }

  _seek(seconds) {
    return this._onSeek ? { click: () => this._onSeek(seconds) } : {};
  }
}
