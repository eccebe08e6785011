/** Audio of a microphone, or of a browser tab, as frames of mono pcm16 at the device's own rate. */

import { StenoError } from "./errors.js";

const START_MS_MAX = 5000;
const BY_NAME = {
  NotAllowedError: ["denied", "the browser was not allowed to use it"],
  SecurityError: ["denied", "the browser was not allowed to use it"],
  NotFoundError: ["no_microphone", "there is no microphone"],
  OverconstrainedError: ["no_microphone", "the chosen microphone is not there any more"],
  NotReadableError: ["busy_microphone", "the microphone can't be read; another program may have it"],
  AbortError: ["busy_microphone", "the microphone can't be read; another program may have it"],
};

/** Events: `frame` with `{ samples: Int16Array, peak, rms, isClipped, at }` as `detail` (`at`: Date.now() at its
 * end), and `gone` when the device or the tab is. */
export class Capture extends EventTarget {
  /** Asks for the device; call it from a click. `source` is `microphone` or `tab`. `processing` lets the browser
   * cancel echo and noise, which costs accuracy where there is none. Rejects with a StenoError. */
  static async open({ source = "microphone", deviceId = "", processing = false } = {}) {
    if (!globalThis.isSecureContext || !navigator.mediaDevices) {
      throw new StenoError("insecure", "browsers record sound on https:// and localhost only");
    }
    const context = new AudioContext({ latencyHint: "interactive" });
    let stream = null;
    try {
      stream = await (source === "tab" ? shared() : microphone(deviceId, processing));
      await context.audioWorklet.addModule(new URL("capture-worklet.js", import.meta.url));
      await started(context);
      return new Capture(context, stream);
    } catch (error) {
      stopTracks(stream);
      await context.close();
      throw error instanceof StenoError ? error : known(error, source);
    }
  }

  /** The microphones that there are; without names until one was used. */
  static async microphones() {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    return devices.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId);
  }

  constructor(context, stream) {
    super();
    this._context = context;
    this._stream = stream;
    const [track] = stream.getAudioTracks();
    /** The device's name. */
    this.label = track.label;
    /** Samples per second. */
    this.sampleRate = context.sampleRate;
    track.onended = () => this._emit("gone");
    this._node = new AudioWorkletNode(context, "steno-capture");
    this._node.port.onmessage = ({ data }) => (data ? this._emit("frame", data) : this._flushed?.());
    context.createMediaStreamSource(stream).connect(this._node).connect(context.destination);
  }

  /** Let the device go. Resolves when the last frame was handed over. */
  async stop() {
    const isFlushed = new Promise((resolve) => (this._flushed = resolve));
    this._node.port.postMessage("stop");
    if (this._context.state === "running") await isFlushed;
    for (const track of this._stream.getTracks()) track.onended = null;
    stopTracks(this._stream);
    await this._context.close();
  }

  _emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Firefox starts no sound, and says nothing, on a machine that can't play any. */
async function started(context) {
  let timer = 0;
  const late = new Promise((_, reject) => {
    const error = new StenoError("no_output", "the browser's sound does not start: it may need a speaker");
    timer = setTimeout(() => reject(error), START_MS_MAX);
  });
  await Promise.race([context.resume(), late]).finally(() => clearTimeout(timer));
}

function microphone(deviceId, processing) {
  const audio = {
    echoCancellation: processing,
    noiseSuppression: processing,
    autoGainControl: processing,
    ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
  };
  return navigator.mediaDevices.getUserMedia({ audio });
}

async function shared() {
  if (!navigator.mediaDevices.getDisplayMedia) {
    throw new StenoError("unsupported", "this browser can't share the sound of a tab");
  }
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getDisplayMedia({ video: true, audio, systemAudio: "include" });
  if (!stream.getAudioTracks().length) {
    stopTracks(stream);
    throw new StenoError("no_audio_shared", "what was shared has no sound");
  }
  // Browsers share sound only along with a picture, which nobody needs here.
  for (const track of stream.getVideoTracks()) {
    track.stop();
    stream.removeTrack(track);
  }
  return stream;
}

function stopTracks(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function known(error, source) {
  if (source === "tab" && error.name === "NotAllowedError") {
    return new StenoError("not_shared", "nothing was shared", { cause: error });
  }
  const [code, message] = BY_NAME[error.name] ?? ["busy_microphone", error.message];
  return new StenoError(code, message, { cause: error });
}
