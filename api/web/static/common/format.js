/** Times, sizes and words for people. Pure. */

/** Seconds as `1:02` or `1:00:02`. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Bytes in the usual units. */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** A share, 0 to 1, in percent. */
export function percent(share) {
  return `${Math.round(share * 100)} %`;
}

/** A duration in seconds with two digits behind the point; a dash for none. */
export function seconds(value, digits = 2) {
  return Number.isFinite(value) ? `${value.toFixed(digits)} s` : "–";
}

/** `1 word`, `2 words`. */
export function counted(count, word) {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}

/** A point in time, in RFC 3339, as the browser writes it. */
export function moment(text) {
  return text ? new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "–";
}

/** A quantile of numbers; NaN for none. */
export function quantile(values, share) {
  if (!values.length) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
