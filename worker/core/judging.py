"""What of an answer is believed: the filters, given what the voice detector found under the text."""

from dataclasses import replace
from itertools import pairwise

from shared.audio.pcm import to_samples
from worker.core.decode import DecodeResult
from worker.core.effects import Alone, Dropped, Effect, SessionOptions
from worker.core.filters import WEAK_LOGPROB, Drop, believed
from worker.core.utterance import Asked
from worker.core.voice import Voice


def judged(
    asked: Asked, result: DecodeResult, voice: Voice, options: SessionOptions
) -> tuple[Asked, DecodeResult, list[Effect]]:
    """The result with what was spoken of its text, the question with why something is missing, and what is to
    be counted."""
    found, reason = _believed(asked, result, voice, options)
    if (
        asked.alone
        and reason is None
        and found.avg_logprob < WEAK_LOGPROB
        and Drop.LOGPROB in options.filters
    ):
        # Who asks twice is told something sooner or later.
        found, reason = replace(found, text="", words=()), Drop.LOGPROB
    counts: list[Effect] = [Dropped(reason, asked.request.kind)] if reason else []
    if asked.alone and not asked.request.prefix:
        counts.append(Alone(bool(found.text)))
    return replace(asked, doubt=reason), found, counts


def _believed(
    asked: Asked, result: DecodeResult, voice: Voice, options: SessionOptions
) -> tuple[DecodeResult, Drop | None]:
    utterance = asked.utterance
    return believed(
        result,
        asked.request.kind,
        voice.speech_s(asked.start + to_samples(asked.request.left_s), asked.end),
        options.filters,
        longest_word_s=_longest_word_s(asked, result, voice),
        is_first=not utterance.text.text,
        is_clear=voice.range_db(utterance.start, asked.end) >= options.clear_db,
        is_drawn=result.temperature > asked.request.temperature,
    )


def _longest_word_s(asked: Asked, result: DecodeResult, voice: Voice) -> float:
    """Most speech between the beginnings of two words, in front of the first or from the last on: alignment
    gives what the decoder left out to a word beside it."""
    if not result.words:
        return 0.0
    starts = [asked.start + to_samples(word.start) for word in result.words]
    bounds = [asked.start + to_samples(asked.request.left_s), *starts, asked.end]
    return max(voice.speech_s(*pair) for pair in pairwise(bounds))
