/** Files: dropped or chosen, sent two at a time, followed to their end. */

import { byId } from "../common/dom.js";
import { offerLanguages } from "../common/languages.js";
import { Problems } from "../common/problems.js";
import { Jobs } from "../steno.js";
import { FileCard } from "./card.js";

const UPLOADS = 2;

export class FilesView {
  constructor(server, askKey) {
    this._jobs = new Jobs({ key: () => server.key });
    this._askKey = askKey;
    this._problems = new Problems(byId("files-problem"));
    this._cards = byId("cards");
    this._free = UPLOADS;
    this._waiting = [];
    offerLanguages(byId("file-language"));
    const input = byId("file-input");
    byId("choose").addEventListener("click", () => input.click());
    byId("file-settings").addEventListener("submit", (event) => event.preventDefault());
    input.addEventListener("change", () => {
      this.add([...input.files]);
      input.value = "";
    });
    this._takeDrops();
  }

  /** Send files. */
  add(files) {
    this._problems.clear();
    location.hash = "#/files";
    for (const file of files) {
      const card = new FileCard(this._jobs, file, this._options(), {
        gate: (run) => this._inTurn(run),
        onGone: () => byId("choose").focus(),
      });
      this._cards.prepend(card.element);
    }
  }

  _options() {
    const { language, task, speakers, hotwords } = Object.fromEntries(new FormData(byId("file-settings")));
    const apart = { voice: { diarize: "true" }, channel: { channels: "split" } }[speakers] ?? {};
    return { language, task, hotwords: hotwords.trim(), words: "true", ...apart };
  }

  /** Run an upload when fewer than `UPLOADS` others do. */
  async _inTurn(run) {
    if (this._free) this._free -= 1;
    else await new Promise((resolve) => this._waiting.push(resolve));
    try {
      return await run();
    } catch (error) {
      if (error.code === "unauthorized") this._problems.show(error, { "Enter key": this._askKey });
      throw error;
    } finally {
      const next = this._waiting.shift();
      if (next) next();
      else this._free += 1;
    }
  }

  _takeDrops() {
    const hasFiles = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
    addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      document.body.classList.add("dragging");
    });
    addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dragging"));
    addEventListener("drop", (event) => {
      document.body.classList.remove("dragging");
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.add([...event.dataTransfer.files]);
    });
  }
}
