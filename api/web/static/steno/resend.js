/** What a session has sent and may have to send again: audio and wishes in their order, with a cursor that says
 * what is written next. Pure; the same rules as the Python SDK's (client/resend.py). */

/** Audio that is kept beyond the server's word that it has it: a Redis that was restarted can have lost its
 * last moment. */
const KEEP_S = 5;

export class ResendBuffer {
  /** `frameBytes`: of a sample of every channel; `bufferS`: audio that may wait for the server's word. */
  constructor({ frameBytes, sampleRate, bufferS }) {
    this._frameBytes = frameBytes;
    this._bytesPerS = frameBytes * sampleRate;
    this._bytesMax = bufferS * this._bytesPerS;
    this._items = [];
    this._cursor = 0;
    this._end = 0;
    this._acked = 0;
    this._finalized = 0;
    this._hasFinalized = 0;
    this._isEnded = false;
  }

  /** Seconds of audio that the server has not said it has. */
  get unackedS() {
    return (this._end - this._acked) / this._bytesPerS;
  }

  /** Put audio behind the rest. Returns false, and takes nothing, at the bound. */
  audio(bytes) {
    if (this._end - this._acked + bytes.byteLength > this._bytesMax) return false;
    this._items.push({ start: this._end, end: this._end + bytes.byteLength, bytes });
    this._end += bytes.byteLength;
    return true;
  }

  /** Put a wish for the final of what was said so far. */
  finalize(id) {
    this._finalized += 1;
    this._wish({ type: "finalize", ...(id ? { id } : {}) }, this._finalized);
  }

  /** Say that nothing more will be put. */
  end() {
    this._wish({ type: "end" }, 0);
  }

  /** What is to be written now: bytes, or a text message; null when all is written. */
  next() {
    while (this._cursor < this._items.length) {
      const item = this._items[this._cursor++];
      if (item.bytes) return item.bytes;
      const isWanted = item.number ? item.number > this._hasFinalized : !this._isEnded;
      if (isWanted) return item.text;
    }
    return null;
  }

  /** The server has all audio before `sample`, and so many wishes. */
  acked(sample, finalized) {
    this._acked = Math.max(this._acked, Math.min(sample * this._frameBytes, this._end));
    this._hasFinalized = Math.max(this._hasFinalized, finalized);
    const before = this._acked - KEEP_S * this._bytesPerS;
    let gone = 0;
    while (gone < this._cursor && this._items[gone].end <= before) gone += 1;
    this._items.splice(0, gone);
    this._cursor -= gone;
  }

  /** Begin to write again from a place. Returns false when the audio there is not kept. */
  rewind(sample, finalized, isEnded) {
    const begin = sample * this._frameBytes;
    const first = this._items.length ? this._items[0].start : this._end;
    if (!isEnded && (begin < first || begin > this._end)) return false;
    this._hasFinalized = finalized;
    this._isEnded = isEnded;
    this._acked = Math.min(begin, this._end);
    this._cursor = this._items.length;
    if (isEnded) return true;
    const found = this._items.findIndex((item) => item.end > begin || (item.end === begin && !item.bytes));
    if (found < 0) return true;
    this._cursor = found;
    const item = this._items[found];
    if (item.bytes && item.start < begin) {
      const cut = begin - item.start;
      const [written, due] = [item.bytes.subarray(0, cut), item.bytes.subarray(cut)];
      const pieces = [
        { start: item.start, end: begin, bytes: written },
        { start: begin, end: item.end, bytes: due },
      ];
      this._items.splice(found, 1, ...pieces);
      this._cursor = found + 1;
    }
    return true;
  }

  _wish(message, number) {
    this._items.push({ start: this._end, end: this._end, text: JSON.stringify(message), number });
  }
}
