/** Jobs: all files that this server knows, newest first. */

import { byId, h, setText } from "../common/dom.js";
import { clock, moment, percent } from "../common/format.js";
import { Problems, explained } from "../common/problems.js";
import { saveButtons } from "../common/results.js";
import { Segments } from "../common/segments.js";
import { headRow, row } from "../common/table.js";
import { Jobs } from "../steno.js";

const LOOK_MS = 2000;
const PAGE = 25;
const HEADS = ["File", "Status", "Length", "Sent", "Actions"];

export class JobsView {
  constructor(server, askKey) {
    this._jobs = new Jobs({ key: () => server.key });
    this._askKey = askKey;
    this._problems = new Problems(byId("jobs-problem"));
    this._rows = byId("job-rows");
    this._more = byId("job-more");
    this._filter = byId("job-filter");
    this._transcript = byId("job-transcript");
    this._turn = 0;
    byId("job-heads").append(headRow(HEADS));
    this._filter.addEventListener("change", () => this.shown());
    this._more.addEventListener("click", () => this._load(this._cursor));
  }

  /** The view is looked at. */
  shown() {
    this._transcript.hidden = true;
    this._load("");
  }

  /** It is not. */
  left() {
    clearTimeout(this._timer);
    this._turn += 1;
  }

  /** Load the first page, or the one behind a cursor. While nothing older was asked for the first is kept
   * fresh. */
  async _load(cursor) {
    this.left();
    const turn = this._turn;
    const { status } = Object.fromEntries(new FormData(this._filter));
    try {
      const { jobs, next_cursor: next = "" } = await this._jobs.list({ status, limit: PAGE, cursor });
      if (turn !== this._turn) return;
      this._problems.clear();
      if (cursor) this._rows.append(...jobs.map((job) => this._row(job)));
      else this._refresh(jobs);
      this._cursor = next;
      this._more.hidden = !next;
      this._tellOfNone(status);
    } catch (error) {
      if (turn !== this._turn) return;
      const isKey = error.code === "unauthorized";
      const retry = { "Try again": () => this._load("") };
      this._problems.show(error, isKey ? { "Enter key": this._askKey } : retry);
      if (!error.retryable) return;
    }
    if (!cursor) this._timer = setTimeout(() => this._load(""), LOOK_MS);
  }

  /** Instead of a table without rows. */
  _tellOfNone(status) {
    const isNone = this._rows.childElementCount === 0;
    byId("job-table").hidden = isNone;
    byId("job-empty").hidden = !isNone;
    setText(byId("job-none"), status ? `No job is ${status}.` : "There are no jobs yet.");
  }

  /** Only rows that changed are made anew, so that the focus stays where it is. */
  _refresh(jobs) {
    const known = new Map([...this._rows.children].map((row) => [row.dataset.key, row]));
    const rows = jobs.map((job) => known.get(keyOf(job)) ?? this._row(job));
    if (rows.length === this._rows.childElementCount && rows.every((row, i) => row === this._rows.children[i])) return;
    const focused = document.activeElement?.getAttribute("aria-label");
    this._rows.replaceChildren(...rows);
    if (focused) this._rows.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
  }

  _row(job) {
    const { status, progress, position } = job;
    const shares = { running: ` ${percent(progress)}`, queued: position ? ` · ${position} before it` : "" };
    const word = h("span", { class: "status", data: { status } }, status + (shares[status] ?? ""));
    const cells = [
      h("td", { class: "name", title: job.name ?? "" }, job.name ?? job.id.slice(0, 8)),
      h("td", {}, word, job.error ? reason(job.error) : null),
      h("td", {}, job.duration ? clock(job.duration) : "–"),
      h("td", {}, moment(job.created_at)),
      h("td", { class: "wide" }, h("span", { class: "actions" }, ...this._actions(job))),
    ];
    return row(HEADS, cells, { key: keyOf(job) });
  }

  _actions(job) {
    const name = job.name ?? job.id.slice(0, 8);
    const button = (label, act) => {
      const properties = { type: "button", class: "quiet", "aria-label": `${label} ${name}` };
      return h("button", { ...properties, on: { click: () => this._do(act) } }, label);
    };
    const remove = () => this._jobs.remove(job.id);
    if (job.status === "queued" || job.status === "running") return [button("Cancel", remove)];
    const actions = [button("Delete", remove)];
    if (job.status === "failed") actions.unshift(button("Retry", () => this._jobs.retry(job.id)));
    if (job.status !== "finished") return actions;
    return [button("Read", () => this._read(job)), saveButtons(this._jobs, job, (error) => this._tell(error)), ...actions];
  }

  async _do(act) {
    try {
      await act();
      if (this._transcript.hidden) await this._load("");
    } catch (error) {
      this._tell(error);
    }
  }

  async _read(job) {
    const { segments } = JSON.parse(await this._jobs.result(job.id));
    const list = new Segments();
    const heading = h("h2", { id: "job-transcript-heading", tabindex: "-1" }, job.name ?? "Text");
    const close = () => {
      this.shown();
      this._filter.querySelector(":checked").focus();
    };
    const button = h("button", { type: "button", class: "quiet", on: { click: close } }, "Close");
    this._transcript.replaceChildren(h("div", { class: "transcript-head" }, heading, button), list.element);
    this._transcript.hidden = false;
    for (const segment of segments) list.push(segment);
    list.settle();
    this._transcript.scrollIntoView({ block: "nearest" });
    heading.focus();
  }

  _tell(error) {
    this._problems.show(error, { "Load again": () => this._load("") });
  }
}

/** Why a job failed, and what to do. */
function reason(error) {
  const { sentence, next, detail } = explained(error);
  return h("p", { class: "reason", title: detail || null }, `${sentence} ${next}`);
}

function keyOf({ id, status, progress, position = "" }) {
  return [id, status, progress, position].join(" ");
}
