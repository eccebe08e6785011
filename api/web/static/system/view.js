/** System: what the service is doing, from `/v1/system`, once a second while it is looked at. */

import { byId, h } from "../common/dom.js";
import { clock, percent, seconds } from "../common/format.js";
import { Problems } from "../common/problems.js";
import { headRow, row } from "../common/table.js";
import { fromAnswer, unreachable } from "../steno/errors.js";
import { chart, keys } from "./chart.js";

const LOOK_MS = 1000;
const SESSIONS = 50;
const HISTORY_S = 3600;
/** What the chart shows: no more than the server has told of. */
const SPANS_S = [300, 900, HISTORY_S];

export class SystemView {
  constructor(server, askKey) {
    this._server = server;
    this._askKey = askKey;
    this._problems = new Problems(byId("system-problem"));
    this._body = byId("system-body");
    this._history = new Map();
    this._turn = 0;
    document.addEventListener("visibilitychange", () => this._isShown && !document.hidden && this.shown());
  }

  shown() {
    this.left();
    this._isShown = true;
    this._look(this._turn);
  }

  left() {
    this._isShown = false;
    this._turn += 1;
    clearTimeout(this._timer);
  }

  async _look(turn) {
    try {
      const system = await this._ask();
      if (turn !== this._turn) return;
      this._problems.clear();
      this._show(system);
    } catch (error) {
      if (turn !== this._turn) return;
      const actions = error.code === "unauthorized" ? { "Enter key": this._askKey } : {};
      this._problems.show(error, actions);
      if (!error.retryable) return;
    }
    if (!document.hidden) this._timer = setTimeout(() => this._look(turn), LOOK_MS);
  }

  async _ask() {
    const last = Math.max(0, ...this._history.keys());
    const query = new URLSearchParams({ sessions: SESSIONS, ...(last ? { after: last } : {}) });
    const { key } = this._server;
    let answer;
    try {
      answer = await fetch(`v1/system?${query}`, { headers: key ? { Authorization: `Bearer ${key}` } : {} });
    } catch (error) {
      throw unreachable(error);
    }
    if (!answer.ok) throw fromAnswer(answer.status, await answer.text(), answer.headers.get("Retry-After"));
    return answer.json();
  }

  _show(system) {
    const { fleet, sessions = [], sessions_total: total = 0 } = system;
    const parts = fleet ? this._fleet(fleet, system.now) : [];
    parts.push(sessionTable(sessions, total, Boolean(fleet)));
    const focused = document.activeElement?.closest("#system-body [aria-label]")?.getAttribute("aria-label");
    const { scrollY } = window;
    this._body.replaceChildren(...parts);
    window.scrollTo(0, scrollY);
    if (focused) this._body.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  _fleet(fleet, now) {
    for (const sample of fleet.history ?? []) this._history.set(sample.at, sample);
    for (const at of this._history.keys()) {
      if (at < now - HISTORY_S) this._history.delete(at);
    }
    const { minute, hour } = fleet;
    return [
      tiles(fleet),
      latency([...this._history.values()].sort((a, b) => a.at - b.at), now, this._body.clientWidth - 40),
      workers(fleet.workers ?? []),
      h("div", { class: "pair" }, batches(minute), drops(hour)),
    ];
  }
}

function tiles({ sessions = 0, capacity = 0, waiting = 0, oldest_unserved_s: backlog = 0, workers = [], jobs, minute }) {
  const queued = Object.values(jobs?.queued ?? {}).reduce((sum, count) => sum + count, 0);
  const rows = [
    ["Live sessions", String(sessions), `of ${capacity}${waiting ? `, ${waiting} waiting` : ""}`],
    ["Workers", String(workers.length), counts(workers.map(({ state }) => state))],
    ["Backlog", seconds(backlog, 1), "age of the oldest decode that waits"],
    ["Word shown", seconds(minute.word_p50_s), within(minute.word_p95_s)],
    ["Busy", minute.busy === undefined ? "–" : percent(minute.busy), "of the decoding time, last minute"],
    ["File jobs", jobs ? String(jobs.running ?? 0) : "off", jobs ? `running, ${queued} queued` : ""],
  ];
  const tile = ([name, value, under]) =>
    h("div", { class: "card tile" }, h("dt", {}, name), h("dd", {}, value), h("dd", { class: "under" }, under));
  return h("dl", { class: "tiles" }, ...rows.map(tile));
}

function within(latencyS) {
  return latencyS === undefined ? "no words in the last minute" : `95 % within ${seconds(latencyS)}`;
}

/** `2 ready, 1 draining`. */
function counts(states) {
  const names = [...new Set(states)];
  return names.map((name) => `${states.filter((state) => state === name).length} ${name}`).join(", ");
}

function latency(history, now, width) {
  const values = (name) => history.filter((sample) => name in sample).map((sample) => [sample.at, sample[name]]);
  const oldest = history.length ? now - history[0].at : 0;
  const shownS = SPANS_S.find((span) => span >= oldest) ?? HISTORY_S;
  const series = [
    { name: "median", values: values("word_p50_s") },
    { name: "95 % within", values: values("word_p95_s") },
  ];
  const title = "Word latency";
  const head = h("div", { class: "chart-head" }, h("h2", {}, "From a word's sound to its text, at the workers"), keys(series));
  if (!series.some(({ values }) => values.length)) {
    return h("section", { class: "card" }, head, h("p", { class: "quiet-text" }, "No word was spoken in the last hour."));
  }
  const drawn = chart({ title, series, from: now - shownS, to: now, unit: "s", width: Math.max(280, width) });
  return h("section", { class: "card" }, head, drawn);
}

function workers(rows) {
  const cells = ({ id, model, device, state, sessions, capacity, load, busy }) => [
      h("td", { class: "name", title: id }, id),
      h("td", {}, `${model} · ${device}`),
      h("td", {}, h("span", { class: "status", data: { status: state === "ready" ? "finished" : "running" } }, state)),
      h("td", {}, `${sessions} of ${capacity}`),
      h("td", {}, percent(load)),
      h("td", {}, busy === undefined ? "–" : percent(busy)),
    ];
  const none = "No worker lives. Look at its log, or run steno doctor.";
  return table("Workers", ["Worker", "Model", "State", "Sessions", "Load", "Busy"], rows.map(cells), none);
}

function sessionTable(rows, total, isOperator) {
  const hasTenants = rows.some(({ tenant }) => tenant);
  const cells = ({ id, tenant, surface, state, age_s: age, lag_s: lag, worker }) => [
      h("td", {}, h("code", {}, id)),
      h("td", {}, surface || "–"),
      h("td", {}, state),
      h("td", {}, clock(age)),
      h("td", {}, seconds(lag ?? 0, 1)),
      ...(isOperator ? [h("td", { class: "name" }, worker ?? "–")] : []),
      ...(hasTenants ? [h("td", {}, tenant || "–")] : []),
    ];
  const more = [...(isOperator ? ["Worker"] : []), ...(hasTenants ? ["Tenant"] : [])];
  const heads = ["Session", "Protocol", "State", "Age", "Lag", ...more];
  const title = total > rows.length ? `Sessions: ${rows.length} of ${total.toLocaleString("en")}` : "Sessions";
  const none = total ? "No worker has told of them yet." : "Nobody speaks now. Open Live to be the first.";
  return table(title, heads, rows.map(cells), none);
}

function table(title, heads, rows, none) {
  const group = { role: "rowgroup" };
  const body = rows.map((cells) => row(heads, cells));
  const content = rows.length
    ? h("table", { role: "table" }, h("thead", group, headRow(heads)), h("tbody", group, ...body))
    : h("p", { class: "quiet-text" }, none);
  const place = { class: rows.length ? "table-place" : "", tabindex: rows.length ? "0" : null };
  const region = rows.length ? { role: "region", "aria-label": title } : {};
  return h("section", { class: "part" }, h("h2", {}, title), h("div", { ...place, ...region }, content));
}

function batches({ batch_sizes: sizes = {}, batch_mean: mean }) {
  const title = mean === undefined ? "Decodes in a batch, last minute" : `Decodes in a batch: ${mean.toFixed(1)} on average`;
  return bars(title, sizes, "No decodes in the last minute.");
}

function drops({ drops: counts = {} }) {
  return bars("Texts that were not speech, last hour", counts, "None were left out.");
}

function bars(title, counts, none) {
  const entries = Object.entries(counts).filter(([, count]) => count);
  const most = Math.max(1, ...entries.map(([, count]) => count));
  const row = ([name, count]) => [
    h("dt", {}, name.replaceAll("_", " ")),
    h("dd", {}, h("meter", { min: 0, max: most, value: count, "aria-label": name }, String(count))),
    h("dd", {}, count.toLocaleString("en")),
  ];
  const content = entries.length
    ? h("dl", { class: "bars" }, ...entries.flatMap(row))
    : h("p", { class: "quiet-text" }, none);
  return h("section", { class: "card" }, h("h2", {}, title), content);
}
