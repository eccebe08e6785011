/** The text of a live session: finals as lines, the open utterance below them. */

import { byId, h, setText } from "../common/dom.js";
import { clock, percent } from "../common/format.js";
import { languageName } from "../common/languages.js";
import { WindowedList } from "../common/windowed.js";
import { cutAt } from "../steno/transcript.js";

/** A word that is less probable than this is marked. */
const SURE = 0.5;

export class LiveText {
  /** `onPlay(line, word)` is called to hear a line, or from one of its words on. */
  constructor(onPlay) {
    this._lines = byId("lines");
    this._firm = byId("partial-firm");
    this._soft = byId("partial-soft");
    this._partial = byId("partial");
    this._empty = byId("live-empty");
    const toEnd = byId("to-end");
    this._list = new WindowedList(byId("live-scroll"), this._lines, lineOf, (isFollowing) => {
      toEnd.hidden = isFollowing;
    });
    toEnd.addEventListener("click", () => this._list.toEnd());
    this._lines.addEventListener("click", ({ target }) => {
      const line = target.closest(".line");
      if (!line) return;
      const word = target.closest(".word");
      if (word) onPlay(Number(line.dataset.index), Number(word.dataset.word));
      else if (target.closest(".time")) onPlay(Number(line.dataset.index), 0);
    });
  }

  /** The finals, each `{ start, end, text, words, language }` with times from the first start on. */
  get lines() {
    return this._list.items;
  }

  /** Show a final. */
  final(line) {
    this._empty.hidden = true;
    const before = this._list.items.at(-1);
    this._list.push({ ...line, isOther: Boolean(before?.language && before.language !== line.language) });
  }

  /** Show what an open utterance says so far. */
  partial({ text, committed, language }) {
    this._empty.hidden = true;
    const [firm, soft] = cutAt(text, committed);
    setText(this._firm, firm);
    setText(this._soft, soft);
    this._partial.lang = language;
    this._list.keepAtEnd();
  }

  /** There is no open utterance. */
  noPartial() {
    setText(this._firm, "");
    setText(this._soft, "");
  }

  clear() {
    this._list.clear();
    this.noPartial();
    this._empty.hidden = false;
  }

  /** Mark a line that is played, or none. */
  playing(index) {
    this._lines.querySelector(".playing")?.classList.remove("playing");
    this._list.element(index)?.classList.add("playing");
  }
}

/** A final as an element. Its words are found in its text, which has the spaces that its script has. */
function lineOf({ text, words = [], start, language, isOther }, index) {
  const content = h("span", { class: "words" });
  let at = 0;
  words.forEach((word, number) => {
    const found = text.indexOf(word.text, at);
    if (found < 0) return;
    content.append(text.slice(at, found), wordOf(word, number));
    at = found + word.text.length;
  });
  content.append(text.slice(at));
  const label = { type: "button", class: "time", "aria-label": `Play from ${clock(start)}` };
  const other = isOther ? h("span", { class: "tag" }, languageName(language)) : null;
  return h(
    "p",
    { class: "line", dir: "auto", lang: language || null, data: { index } },
    h("button", label, clock(start)),
    other,
    content,
  );
}

function wordOf({ text, probability = 1 }, number) {
  const isSure = probability >= SURE;
  const title = isSure ? null : `Not sure: ${percent(probability)}`;
  return h("span", { class: isSure ? "word" : "word unsure", title, data: { word: number } }, text);
}
