/** The last minutes of sound, kept in this page's memory only, so that a word can be heard again. */

const BYTES_MAX = 64 * 1024 * 1024;

export class AudioRing {
  constructor() {
    this._frames = [];
    this._first = 0;
    this._bytes = 0;
    this._player = null;
  }

  /** Keep a frame of pcm16 that begins at `start`, in seconds. */
  push(start, samples, rate) {
    this._frames.push({ start, end: start + samples.length / rate, samples, rate });
    this._bytes += samples.byteLength;
    while (this._bytes > BYTES_MAX) {
      this._bytes -= this._frames[this._first].samples.byteLength;
      this._frames[this._first] = null;
      this._first += 1;
    }
    if (this._first > 4096) {
      this._frames.splice(0, this._first);
      this._first = 0;
    }
  }

  /** Forget everything. */
  clear() {
    this.stop();
    this._frames = [];
    this._first = this._bytes = 0;
  }

  /** Play a stretch, in seconds. Returns false when it is not kept any more. `onEnd` is called at its end. */
  play(start, end, onEnd) {
    this.stop();
    const frames = this._frames.slice(this._first).filter((frame) => frame.end > start && frame.start < end);
    if (!frames.length || frames[0].start > start + 0.5) return false;
    const { rate } = frames[0];
    this._player ??= new AudioContext();
    this._player.resume();
    const length = frames.reduce((sum, { samples }) => sum + samples.length, 0);
    const buffer = this._player.createBuffer(1, length, rate);
    const channel = buffer.getChannelData(0);
    let at = 0;
    for (const { samples } of frames) {
      for (const sample of samples) channel[at++] = sample / 32768;
    }
    this._source = new AudioBufferSourceNode(this._player, { buffer });
    this._source.onended = onEnd;
    this._source.connect(this._player.destination);
    this._source.start(0, Math.max(0, start - frames[0].start), end - start);
    return true;
  }

  stop() {
    this._source?.stop();
    this._source = null;
  }
}
