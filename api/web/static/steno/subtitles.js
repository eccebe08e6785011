/** A transcript as text, subtitles and JSON. The rules of the server's own formats (shared/subtitles.py): lines
 * of 42 characters, two at most, cut at word times. Pure. */

const LINE_CHARS = 42;
const LINES = 2;
const CUE_S_MAX = 7;
const CUE_GAP_S = 1.5;
const BREAK_S = 2;

/** Plain text; a pause of two seconds begins a new line. `segments`: `{ start, end, text, words }`. */
export function toText(segments) {
  let text = "";
  let before = null;
  for (const segment of segments) {
    const next = oneLine(segment.text);
    const isApart = before && segment.start - before.end >= BREAK_S;
    text = before ? (isApart ? `${text}\n${next}` : joined(text, next)) : next;
    before = segment;
  }
  return text ? `${text}\n` : "";
}

/** SubRip subtitles. */
export function toSrt(segments) {
  const block = ({ start, end, lines }, i) =>
    `${i + 1}\n${stamp(start, ",")} --> ${stamp(end, ",")}\n${lines.join("\n")}\n`;
  return cues(segments).map(block).join("\n");
}

/** WebVTT subtitles. */
export function toVtt(segments) {
  const block = ({ start, end, lines }) =>
    `\n${stamp(start, ".")} --> ${stamp(end, ".")}\n${lines.map(escaped).join("\n")}\n`;
  return `WEBVTT\n${cues(segments).map(block).join("")}`;
}

/** Segments with their words, as `format=json` of a job has them. */
export function toJson(segments, { language = "", duration = 0 } = {}) {
  const rows = segments.map(({ start, end, text, words }) => ({ start, end, text, ...(words ? { words } : {}) }));
  const document = { text: toText(segments).trim(), language, duration, segments: rows };
  return `${JSON.stringify(document, null, 1)}\n`;
}

/** What stands on screen when: in order, none empty, none overlapping the next. Times in milliseconds. */
export function cues(segments) {
  const placed = [];
  let before = 0;
  for (const segment of segments) {
    for (const { start, end, text } of pieces(segment)) {
      if (!text) continue;
      const from = Math.max(Math.round(start * 1000), before);
      before = Math.max(Math.round(end * 1000), from + 1);
      placed.push({ start: from, end: before, lines: linesOf(text) });
    }
  }
  return placed;
}

function pieces({ start, end, text, words }) {
  if (!words?.length) return [{ start, end, text: oneLine(text) }];
  const groups = [];
  let group = null;
  for (const word of words) {
    const longer = group ? joined(group.text, oneLine(word.text)) : "";
    const fits =
      group &&
      word.start - group.end < CUE_GAP_S &&
      word.end - group.start <= CUE_S_MAX &&
      wrapped(longer, LINE_CHARS).length <= LINES;
    if (fits) Object.assign(group, { text: longer, end: word.end });
    else groups.push((group = { start: word.start, end: word.end, text: oneLine(word.text) }));
  }
  return groups;
}

/** Lines of about the same length rather than a full one and a short one. */
function linesOf(text) {
  const lines = wrapped(text, LINE_CHARS);
  if (lines.length < 2 || lines.length > LINES) return lines;
  for (let width = Math.floor((text.length + 1) / lines.length); width < LINE_CHARS; width += 1) {
    const balanced = wrapped(text, width);
    if (balanced.length === lines.length) return balanced;
  }
  return lines;
}

function wrapped(text, width) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (longer.length <= width || !lines.at(-1)) lines[lines.length - 1] = longer;
    else lines.push(word);
    while (lines.at(-1).length > width) lines.push(...lines.splice(-1).flatMap((line) => cut(line, width)));
  }
  return lines;
}

function cut(line, width) {
  return [line.slice(0, width), line.slice(width)];
}

/** Scripts that are written without spaces. */
const UNSPACED = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uff00-\uff60]/;

function joined(before, after) {
  return before + (UNSPACED.test(before.at(-1)) && UNSPACED.test(after[0]) ? "" : " ") + after;
}

function oneLine(text) {
  return text.trim().split(/\s+/).join(" ");
}

function stamp(ms, point) {
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  const clock = `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}`;
  return `${clock}${point}${String(ms % 1000).padStart(3, "0")}`;
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
