/**
 * Steno in a browser: live sessions, capture, file jobs. No dependencies and no build step; any page may import
 * it from a running edge. docs/sdk-js.md is its manual.
 */
export { Capture } from "./steno/capture.js";
export { StenoError } from "./steno/errors.js";
export { Jobs } from "./steno/jobs.js";
export { LiveSession } from "./steno/live.js";
export { toJson, toSrt, toText, toVtt } from "./steno/subtitles.js";
export { Transcript } from "./steno/transcript.js";
