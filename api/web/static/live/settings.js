/** What is asked of a session, as the form says it. Choices stay in this browser; words and prompt only until
 * its tab is closed. */

import { byId, h } from "../common/dom.js";
import { offerLanguages } from "../common/languages.js";
import { Capture } from "../steno.js";

const STORED = "steno.live";

export class Settings {
  constructor() {
    this._form = byId("live-settings");
    this._device = byId("device");
    offerLanguages(byId("language"));
    this._load();
    this._form.addEventListener("change", () => this._changed());
    this._form.addEventListener("submit", (event) => event.preventDefault());
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.offerDevices());
    this.offerDevices();
    this._changed();
  }

  get source() {
    return this._values().source;
  }

  /** For `Capture.open`. */
  get capture() {
    const { source, device, processing } = this._values();
    return { source, deviceId: device, processing: Boolean(processing) };
  }

  /** For `LiveSession`. */
  get session() {
    const { language, task, prompt, hotwords } = this._values();
    return { language, task, prompt: prompt.trim(), hotwords: hotwords.trim() };
  }

  /** Offer the microphones that there are. Their names are known once one was used. */
  async offerDevices() {
    const chosen = this._device.value || this._wanted;
    const devices = await Capture.microphones();
    const options = devices.map(({ deviceId, label }, i) => new Option(label || `Microphone ${i + 1}`, deviceId));
    this._device.replaceChildren(h("option", { value: "" }, "Default"), ...options);
    if (options.some(({ value }) => value === chosen)) this._device.value = chosen;
  }

  /** What holds for a whole session can't be changed in it. */
  lock(isLocked) {
    for (const field of this._form.elements) field.disabled = isLocked;
    this._form.classList.toggle("locked", isLocked);
  }

  _values() {
    const values = {};
    for (const { name, type, value, checked } of this._form.elements) {
      if (!name || (type === "radio" && !checked)) continue;
      values[name] = type === "checkbox" ? checked : value;
    }
    return values;
  }

  _changed() {
    const { prompt, hotwords, ...choices } = this._values();
    byId("device-field").hidden = choices.source === "tab";
    byId("processing-field").hidden = choices.source === "tab";
    store(localStorage, choices);
    store(sessionStorage, { prompt, hotwords });
  }

  _load() {
    const values = { ...stored(localStorage), ...stored(sessionStorage) };
    this._wanted = values.device ?? "";
    for (const field of this._form.elements) {
      if (!(field.name in values)) continue;
      if (field.type === "radio") field.checked = field.value === values[field.name];
      else if (field.type === "checkbox") field.checked = Boolean(values[field.name]);
      else field.value = values[field.name];
    }
  }
}

function store(storage, values) {
  try {
    storage.setItem(STORED, JSON.stringify(values));
  } catch {
    // a browser that keeps nothing is none the worse for it
  }
}

function stored(storage) {
  try {
    return JSON.parse(storage.getItem(STORED)) ?? {};
  } catch {
    return {};
  }
}
