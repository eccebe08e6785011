/** The text of a live session. The server counts characters as Unicode code points, JavaScript in halves of
 * them outside the basic plane; these functions count as the server does. Pure. */

const HAS_PAIRS = /[\ud800-\udbff]/;

/** The first `count` characters of a text, and the rest. */
export function cutAt(text, count) {
  if (!HAS_PAIRS.test(text)) return [text.slice(0, count), text.slice(count)];
  const points = Array.from(text);
  return [points.slice(0, count).join(""), points.slice(count).join("")];
}

/** How many characters a text has. */
export function lengthOf(text) {
  return HAS_PAIRS.test(text) ? Array.from(text).length : text.length;
}

/** What a session has said: its finals, and the open utterance. */
export class Transcript {
  constructor() {
    /** Finals that have text, in their order, as the server sent them. */
    this.finals = [];
    /** The open utterance as last heard, or null. */
    this.partial = null;
    this.language = "";
    this.duration = 0;
  }

  /** Take an event. Returns whether the text changed. */
  apply(event) {
    if (event.type === "partial") {
      this.partial = event;
      return true;
    }
    if (event.type === "closed") this.duration = event.duration;
    if (event.type !== "final") return false;
    if (this.partial && this.partial.utterance <= event.utterance) this.partial = null;
    this.language = event.language || this.language;
    this.duration = Math.max(this.duration, event.end);
    if (event.text) this.finals.push(event);
    return true;
  }

  /** All finals as one text: each stands at its `offset`. */
  get text() {
    let length = 0;
    const pieces = [];
    for (const final of this.finals) {
      if (final.offset > length) pieces.push(" ".repeat(final.offset - length));
      pieces.push(final.text);
      length = Math.max(length, final.offset) + lengthOf(final.text);
    }
    return pieces.join("");
  }
}
