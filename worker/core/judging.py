"""What of an answer is believed: the filters, given what the voice detector found under the text."""

from dataclasses import replace
from itertools import pairwise
from typing import Final

from shared.audio.pcm import to_samples
from worker.core.decode import DecodeResult, Kind
from worker.core.effects import Alone, Dropped, Effect, SessionOptions
from worker.core.filters import WEAK_LOGPROB, WORD_S_MAX, Drop, Evidence, believed
from worker.core.utterance import Asked
from worker.core.voice import Voice

_WORD_S: Final = 0.6
"""About a word: where one ends that no pause follows."""


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
    if reason is Drop.HOLE:
        asked.utterance.has_hole = True
    return replace(asked, doubt=reason, rest=_rest(asked, found, voice)), found, counts


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
        evidence=Evidence(
            is_first=not utterance.text.text,
            is_clear=voice.range_db(utterance.start, asked.end) >= options.clear_db,
            is_drawn=result.temperature > asked.request.temperature,
            is_doubted=utterance.stumbled,
        ),
    )


def _rest(asked: Asked, result: DecodeResult, voice: Voice) -> int:
    """Where the speech begins that a final leaves out at its end; 0 where it leaves out none."""
    if not (asked.request.kind is Kind.FINAL and asked.utterance.has_hole and result.words):
        return 0
    last = asked.start + to_samples(result.words[-1].start)
    if voice.speech_s(last, asked.end) <= WORD_S_MAX:
        return 0
    pause = voice.pause(last, last + to_samples(WORD_S_MAX))
    return last + to_samples(_WORD_S) if pause is None else pause


def _longest_word_s(asked: Asked, result: DecodeResult, voice: Voice) -> float:
    """Most speech between the beginnings of two words, in front of the first or from the last on: alignment
    gives what the decoder left out to a word beside it."""
    if not result.words:
        return 0.0
    starts = [asked.start + to_samples(word.start) for word in result.words]
    bounds = [asked.start + to_samples(asked.request.left_s), *starts, asked.end]
    return max(voice.speech_s(*pair) for pair in pairwise(bounds))
