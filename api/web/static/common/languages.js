/** The languages that can be chosen: the codes of shared/languages.py, by the names that the browser knows. */

const CODES = (
  "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr " +
  "ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc " +
  "pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue " +
  "zh"
).split(" ");
/** The model's code for Javanese is an old one. */
const BROWSER_CODES = { jw: "jv" };

const names = new Intl.DisplayNames(["en"], { type: "language" });

/** The name of a language. */
export function languageName(code) {
  return code ? names.of(BROWSER_CODES[code] ?? code) : "";
}

/** Fill a select element. */
export function offerLanguages(select) {
  const rows = CODES.map((code) => [languageName(code), code]).sort(([a], [b]) => a.localeCompare(b));
  select.append(new Option("Detect", "auto"), ...rows.map(([name, code]) => new Option(name, code)));
}
