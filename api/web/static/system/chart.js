/** Lines over time as SVG. */

import { h } from "../common/dom.js";
import { clock } from "../common/format.js";

const SVG = "http://www.w3.org/2000/svg";
const [HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [210, 48, 24, 8, 4];

/** A chart of series `{ name, values: [[second, value]] }`, at most two; times in seconds of the Unix epoch, `to`
 * the last one shown. `unit` stands behind the values; `width` in pixels. */
export function chart({ title, series, from, to, unit, width }) {
  const top = niceAbove(Math.max(...series.flatMap(({ values }) => values.map(([, value]) => value)), 0.1));
  const x = (at) => LEFT + ((at - from) / (to - from)) * (width - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP);
  const parts = [];
  for (const share of [0, 0.5, 1]) {
    const value = top * share;
    parts.push(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }));
    parts.push(svg("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, `${round(value)} ${unit}`));
  }
  for (const share of width < 500 ? [1, 0.5, 0] : [1, 0.75, 0.5, 0.25, 0]) {
    const at = to - share * (to - from);
    const text = share ? `−${clock(to - at)}` : "now";
    const anchor = share ? "middle" : "end";
    parts.push(svg("text", { x: Math.max(LEFT + 12, x(at)), y: HEIGHT - 4, "text-anchor": anchor }, text));
  }
  series.forEach(({ values }, i) => parts.push(...lines(values, x, y, i ? "second" : "first")));
  const label = `${title}: ${series.map(({ name, values }) => `${name} ${spoken(values, unit)}`).join("; ")}`;
  return svg("svg", { class: "chart", viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": label }, ...parts);
}

/** Names of the lines. */
export function keys(series) {
  return h("div", { class: "keys" }, ...series.map(({ name }, i) => h("span", { class: i ? "second" : "first" }, name)));
}

/** Where samples are missing the line is broken. */
function lines(values, x, y, name) {
  const runs = [];
  let before = Number.NEGATIVE_INFINITY;
  for (const [at, value] of values) {
    if (at - before > 60) runs.push([]);
    runs.at(-1).push([x(at).toFixed(1), y(value).toFixed(1)]);
    before = at;
  }
  return runs.map((run) => {
    const points = run.length > 1 ? run : [run[0], [Number(run[0][0]) + 2, run[0][1]]];
    return svg("polyline", { class: name, points: points.map((point) => point.join(",")).join(" ") });
  });
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function niceAbove(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * unit).find((step) => step >= value);
}

function round(value) {
  return Number(value.toFixed(2));
}

function spoken(values, unit) {
  return values.length ? `now ${round(values.at(-1)[1])} ${unit}` : "none yet";
}
