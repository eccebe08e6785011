/** Errors of the module: one class, told apart by `code`. */

/** What went wrong. `code` is a stable word: the server's own (docs/protocol.md), or one of the browser's:
 * `unreachable`, `lost`, `insecure`, `no_microphone`, `denied`, `busy_microphone`, `not_shared`,
 * `no_audio_shared`, `no_output`, `unsupported`. */
export class StenoError extends Error {
  constructor(code, message, { retryable = false, retryAfterS = null, status = 0, cause } = {}) {
    super(message, { cause });
    this.name = "StenoError";
    this.code = code;
    this.retryable = retryable;
    this.retryAfterS = retryAfterS;
    /** The HTTP status, 0 where there is none. */
    this.status = status;
  }
}

/** The error that an HTTP answer of the server stands for. `text` is its body. */
export function fromAnswer(status, text, retryAfter) {
  let said = {};
  try {
    said = JSON.parse(text).error ?? {};
  } catch {
    // what stands before the server answered in words of its own
  }
  const message = said.message ?? `the server answered with status ${status}`;
  const seconds = Number.parseFloat(retryAfter ?? "");
  return new StenoError(said.code ?? (status === 401 ? "unauthorized" : "bad_reply"), message, {
    retryable: said.retryable ?? status >= 500,
    retryAfterS: Number.isFinite(seconds) ? seconds : null,
    status,
  });
}

/** No answer at all. */
export function unreachable(cause) {
  return new StenoError("unreachable", "the server does not answer", { retryable: true, cause });
}
