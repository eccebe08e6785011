"""Which decoded text was not spoken. The thresholds are those of the reference implementation
(openai/whisper, `transcribe`)."""

from collections.abc import Sequence

from worker.core.decode import DecodeResult

NO_SPEECH_PROB = 0.6
AVG_LOGPROB = -1.0
COMPRESSION_RATIO = 2.4


def is_silence(result: DecodeResult) -> bool:
    """The model says that there was no speech, and does not believe its own text."""
    return result.no_speech_prob > NO_SPEECH_PROB and result.avg_logprob < AVG_LOGPROB


def is_loop(result: DecodeResult) -> bool:
    """The text repeats itself."""
    return result.compression_ratio > COMPRESSION_RATIO


def is_usable(result: DecodeResult) -> bool:
    """Whether a text may be shown while the utterance is open."""
    return bool(result.text) and not (result.runaway or is_silence(result) or is_loop(result))


REPEAT_MIN = 5


def ends_in_repeat(tokens: Sequence[object]) -> bool:
    """Whether the end says the same `REPEAT_MIN` or more tokens twice in a row: how a decoder that misses
    the end goes on."""
    count = len(tokens)
    sizes = range(REPEAT_MIN, count // 2 + 1)
    return any(tokens[count - size :] == tokens[count - 2 * size : count - size] for size in sizes)
