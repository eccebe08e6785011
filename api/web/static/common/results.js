/** Results of jobs, in the formats of the server. */

import { download, h } from "./dom.js";

const FORMATS = { txt: "text/plain", srt: "application/x-subrip", vtt: "text/vtt", json: "application/json" };

/** Buttons that save a finished job's result. `onError` is told what went wrong. */
export function saveButtons(jobs, job, onError) {
  const name = (job.name ?? job.id).replace(/\.[^.]*$/, "");
  const button = (format) => {
    const save = async () => {
      try {
        download(`${name}.${format}`, await jobs.result(job.id, format), FORMATS[format]);
      } catch (error) {
        onError(error);
      }
    };
    const label = `Download ${job.name ?? "the text"} as ${format.toUpperCase()}`;
    return h("button", { type: "button", class: "quiet", "aria-label": label, on: { click: save } }, format.toUpperCase());
  };
  return h("span", { class: "saves" }, ...Object.keys(FORMATS).map(button));
}
