/** In the audio thread: mixes a stream down to mono, and hands it over in frames of 20 ms as pcm16 with its
 * level. The rate stays the device's own; the server converts it with a better filter than a browser has. */

const FRAME_S = 0.02;
const FULL = 0.999;

class CaptureProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this._size = Math.round(sampleRate * FRAME_S);
    this._begin();
    this.port.onmessage = () => {
      this._isStopped = true;
      this._say(this._samples.slice(0, this._filled));
      this.port.postMessage(null);
    };
  }

  process([channels]) {
    if (this._isStopped) return false;
    if (!channels.length) return true;
    for (let i = 0; i < channels[0].length; i += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this._take(sum / channels.length);
    }
    return true;
  }

  _take(value) {
    const loudness = Math.abs(value);
    if (loudness > this._peak) this._peak = loudness;
    this._energy += value * value;
    this._samples[this._filled++] = Math.max(-32768, Math.min(32767, Math.round(value * 32767)));
    if (this._filled === this._size) {
      this._say(this._samples);
      this._begin();
    }
  }

  _begin() {
    this._samples = new Int16Array(this._size);
    this._filled = 0;
    this._peak = 0;
    this._energy = 0;
  }

  _say(samples) {
    if (!samples.length) return;
    const rms = Math.sqrt(this._energy / samples.length);
    const frame = { samples, peak: this._peak, rms, isClipped: this._peak >= FULL, at: Date.now() };
    this.port.postMessage(frame, [samples.buffer]);
  }
}

registerProcessor("steno-capture", CaptureProcessor);
