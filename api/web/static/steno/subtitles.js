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
    if (before) text += segment.start - before.end >= BREAK_S ? "\n" : joint(segment.text);
    text += oneLine(segment.text);
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
      placed.push({ start: from, end: before, lines: wrap(text) });
    }
  }
  return placed;
}

function pieces({ start, end, text, words }) {
  if (!words?.length) return [{ start, end, text: oneLine(text) }];
  const groups = [];
  let group = null;
  for (const word of words) {
    const longer = group ? group.text + joint(word.text) + oneLine(word.text) : "";
    const fits =
      group &&
      word.start - group.end < CUE_GAP_S &&
      word.end - group.start <= CUE_S_MAX &&
      wrap(longer).length <= LINES;
    if (fits) Object.assign(group, { text: longer, end: word.end });
    else groups.push((group = { start: word.start, end: word.end, text: oneLine(word.text) }));
  }
  return groups;
}

function wrap(text) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (longer.length <= LINE_CHARS || !lines.at(-1)) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** Scripts that are written without spaces. */
const NO_SPACE = /^[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]/;

function joint(next) {
  return NO_SPACE.test(next) ? "" : " ";
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
