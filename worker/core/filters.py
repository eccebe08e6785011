"""Which decoded text was not spoken.

Three of the thresholds are those of the reference implementation (openai/whisper, `transcribe`); the others
compare text with how much speech the voice detector found under it. docs/engine.md, "Invented text", has the
measurements. A text that is dropped is dropped for one reason, the first that holds in the order of `Drop`.
"""

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from shared.events import Word
from worker.core.decode import DecodeResult, Kind
from worker.core.hypothesis import fold, is_unspaced, spliced, units
from worker.core.silence_phrases import PHRASES

NO_SPEECH_PROB: Final = 0.6
AVG_LOGPROB: Final = -1.0
COMPRESSION_RATIO: Final = 2.4

PARTIAL_LOGPROB: Final = -0.7
"""A partial that is less sure is mostly wrong: nothing of it is committed, and an utterance does not begin
with it."""
CLEAR_LOGPROB: Final = -1.0
"""The same where one voice stands above the room."""
WEAK_LOGPROB: Final = -0.5
"""From here on text is doubted if anything else speaks against it."""
SPARSE_LOGPROB: Final = -0.4
SPARSE_S_MIN: Final = 3.0
SPARSE_WORDS_PER_S: Final = 1.0
"""Slow speech has more words than this; a few words for much sound are what is made of babble and song."""
DENSE_WORDS_PER_S: Final = 8.0
DENSE_GRACE_WORDS: Final = 1.0
"""Fast speech has fewer; a sentence for a tenth of a second of voice was not spoken."""
WORD_S_MAX: Final = 2.5
"""Most speech from the beginning of a word to that of the next."""
FULL_SHARE: Final = 0.75
"""A forced final with less than this of the free one's words has lost some."""
LITTLE_SPEECH_S: Final = 0.25
"""So little voice that a silence phrase over it is not believed."""


class Drop(StrEnum):
    """Why a text is not believed."""

    SILENCE = "silence"
    """The model says that there was no speech, and does not believe its own text."""
    LOOP = "loop"
    """It repeats itself, or did not find the end."""
    COMPRESSION = "compression"
    """It repeats itself somewhere: it compresses too well."""
    LOGPROB = "logprob"
    """The model does not believe it."""
    DURATION = "duration"
    """More text than the speech under it can hold."""
    SPARSE = "sparse"
    """Hardly any text for much sound, and doubtful."""
    PHRASE = "phrase"
    """What the model is known to say about silence, on weak evidence."""
    HOLE = "hole"
    """A partial that leaves out seconds of speech between two words: what it says would be committed, and
    the final could not say what is missing."""


ALL: Final = frozenset(Drop)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What else speaks for a text or against it."""

    is_first: bool = True
    """Nothing of the utterance was believed yet."""
    is_clear: bool = False
    """One voice stands above the room."""
    is_drawn: bool = False
    """It was drawn by chance because the likeliest text looked wrong."""
    is_doubted: bool = False
    """The last partial of the utterance said nothing that was believed."""


NO_EVIDENCE: Final = Evidence()


def believed(
    result: DecodeResult,
    kind: Kind,
    speech_s: float,
    filters: frozenset[Drop] = ALL,
    *,
    longest_word_s: float = 0.0,
    evidence: Evidence = NO_EVIDENCE,
) -> tuple[DecodeResult, Drop | None]:
    """The result with what was spoken of its text, and why something is missing. `speech_s` is how much
    speech the voice detector found under it, `longest_word_s` the most that one word would have to hold;
    `filters` are the reasons that count.

    A text that runs in circles at its end is cut there if it is sure of itself; whatever else is wrong takes
    all of it."""
    if not result.text:
        return result, None
    least = _least_logprob(kind, evidence)
    if Drop.HOLE in filters and kind is Kind.PARTIAL and longest_word_s > WORD_S_MAX:
        return replace(result, text="", words=()), Drop.HOLE
    for reason in Drop:
        if reason in filters and _holds(reason, result, speech_s, least):
            sure = reason is Drop.LOOP and result.avg_logprob >= WEAK_LOGPROB
            text = _before_loop(result, kind) if sure else ""
            return replace(result, text=text, words=_words_of(text, result.words)), reason
    return result, None


def _least_logprob(kind: Kind, evidence: Evidence) -> float:
    """How sure a text must be of itself."""
    if not evidence.is_first:
        return AVG_LOGPROB
    if evidence.is_clear:
        return CLEAR_LOGPROB if kind is Kind.PARTIAL else AVG_LOGPROB
    if evidence.is_drawn and kind is not Kind.PARTIAL:
        return WEAK_LOGPROB
    # Speech in noise has such finals too: without partials no second witness speaks against them.
    return PARTIAL_LOGPROB if evidence.is_doubted or kind is Kind.PARTIAL else AVG_LOGPROB


def _before_loop(result: DecodeResult, kind: Kind) -> str:
    """What a text that is sure said before it went round; nothing if that can't be told."""
    once = without_restart(result.text) if kind is Kind.PARTIAL else result.text
    if once != result.text:
        return once
    return "" if result.runaway else without_loop(result.text)


def fuller(stable: str, forced: DecodeResult, free: DecodeResult | None) -> DecodeResult:
    """A final that was forced to begin with `stable`, unless that made it lose much of what the `free` one
    before it said: the decoder takes a forced sentence for the end when another voice follows it. Then what
    is committed and the rest of the free one."""
    if free is None or spoken_words(forced.text) >= FULL_SHARE * spoken_words(free.text):
        return forced
    return replace(free, text=spliced(stable, free.text))


def _words_of(text: str, words: tuple[Word, ...]) -> tuple[Word, ...]:
    """As many words as the beginning `text` has, told by their letters."""
    left = len("".join(text.split()))
    kept: list[Word] = []
    for word in words:
        if left <= 0:
            break
        kept.append(word)
        left -= len("".join(word.text.split()))
    return tuple(kept)


def is_certain(result: DecodeResult) -> bool:
    """Whether a partial may commit words."""
    return result.avg_logprob >= PARTIAL_LOGPROB


def _holds(reason: Drop, result: DecodeResult, speech_s: float, least_logprob: float) -> bool:
    doubts: dict[Drop, Callable[[], bool]] = {
        Drop.SILENCE: lambda: is_silence(result),
        Drop.LOOP: lambda: (
            result.runaway
            or without_loop(result.text) != result.text
            or (result.avg_logprob < WEAK_LOGPROB and ends_in_repeat(_folded(result.text)))
        ),
        Drop.COMPRESSION: lambda: is_loop(result),
        Drop.LOGPROB: lambda: result.avg_logprob < least_logprob,
        Drop.DURATION: lambda: spoken_words(result.text) > DENSE_GRACE_WORDS + DENSE_WORDS_PER_S * speech_s,
        Drop.SPARSE: lambda: is_sparse(result, speech_s),
        Drop.HOLE: lambda: False,  # seen by the words, before
        Drop.PHRASE: lambda: (
            (speech_s < LITTLE_SPEECH_S or result.avg_logprob < WEAK_LOGPROB)
            and is_silence_phrase(result.text, result.language)
        ),
    }
    return doubts[reason]()


def is_silence(result: DecodeResult) -> bool:
    """The model says that there was no speech, and does not believe its own text."""
    return result.no_speech_prob > NO_SPEECH_PROB and result.avg_logprob < AVG_LOGPROB


def is_loop(result: DecodeResult) -> bool:
    """The text repeats itself."""
    return result.compression_ratio > COMPRESSION_RATIO


def compression_ratio(text: str) -> float:
    """How many times shorter a text is compressed. As the reference implementation has it, of UTF-8; but
    where that takes several bytes for a letter, of which all but one say no more than the script, each letter
    is one byte: a Russian text is no more of a loop than an English one."""
    plain = text.encode()
    numbers = {letter: number for number, letter in enumerate(dict.fromkeys(text))}
    if len(plain) > 1.5 * len(text) and len(numbers) <= 256:
        plain = bytes(numbers[letter] for letter in text)
    return len(plain) / len(zlib.compress(plain))


def is_sparse(result: DecodeResult, speech_s: float) -> bool:
    """Nothing but punctuation, or a few doubtful words for seconds of sound."""
    words = spoken_words(result.text)
    doubtful = result.avg_logprob < SPARSE_LOGPROB and speech_s >= SPARSE_S_MIN
    return words == 0 or (doubtful and words < SPARSE_WORDS_PER_S * speech_s)


def spoken_words(text: str) -> float:
    """How much there is to say, in words: two characters of a script without spaces count as one."""
    said = [unit for unit in units(text) if any(c.isalnum() for c in unit)]
    return sum(0.5 if is_unspaced(unit) else 1.0 for unit in said)


def is_silence_phrase(text: str, language: str) -> bool:
    """Whether a text is nothing but one phrase that the model says about silence, once or several times."""
    said = _letters(text)
    phrases = (*PHRASES.get(language, ()), *PHRASES["en"], *PHRASES[""])
    folded = (_letters(phrase) for phrase in phrases)
    return any(said == phrase * max(1, len(said) // len(phrase)) for phrase in folded)


def _letters(text: str) -> str:
    return "".join(fold(unit) for unit in units(re.sub(r"\d", "", text)) if any(c.isalpha() for c in unit))


REPEAT_MIN: Final = 5
LOOP_REPEATS: Final = 3
LOOP_UNITS: Final = 8
"""People do say "no, no, no, no"; a run of this many units that says one thing again and again is a loop."""
RESTART_MIN: Final = 3
RESTART_SHARE: Final = 0.75
"""How many words, and which part of them, must be those of the beginning to be its second time."""
_LOOP_PERIOD_MAX: Final = 20


def ends_in_repeat(tokens: Sequence[object]) -> bool:
    """Whether the end says the same `REPEAT_MIN` or more tokens twice in a row: how a decoder that misses
    the end goes on."""
    count = len(tokens)
    sizes = range(REPEAT_MIN, count // 2 + 1)
    return any(tokens[count - size :] == tokens[count - 2 * size : count - size] for size in sizes)


def without_restart(text: str) -> str:
    """The text before the place from where it is said again from its beginning: what a decoder does that
    heard the sentence end too soon. The second time a word in four may differ, and the last be cut off."""
    said, folded = units(text), _folded(text)
    for place in range(RESTART_MIN, len(said) - RESTART_MIN + 1):
        again = folded[place:]
        alike = sum(a == b for a, b in zip(folded, again, strict=False))
        if folded[0] == again[0] and alike >= max(RESTART_MIN, RESTART_SHARE * (len(again) - 1)):
            return "".join(said[:place]).rstrip()
    return text


def _folded(text: str) -> list[str]:
    return [fold(unit) for unit in units(text)]


def without_loop(text: str) -> str:
    """The text with what its end says at least `LOOP_REPEATS` times in a row said once. A last time that is
    cut off belongs to the loop."""
    said = units(text)
    folded = _folded(text)
    for period in range(1, min(_LOOP_PERIOD_MAX, len(said) // LOOP_REPEATS) + 1):
        run = period
        while run < len(said) and folded[-run - 1] == folded[-run - 1 + period]:
            run += 1
        if run >= max(LOOP_UNITS, LOOP_REPEATS * period):
            return "".join(said[: len(said) - run + period]).rstrip()
    return text
