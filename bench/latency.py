"""What a person in front of the screen sees: when words appear, settle, and are taken back. Pure.

The input is one session's messages with their arrival times on the session's clock: 0 is the moment when
the first sample was spoken, and at 1x the sample at `s` seconds is spoken at `s`. So "arrival minus the
word's end" is how long a speaker waits to see the word.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from difflib import SequenceMatcher

from bench.scoring import pairs, shown, words_of
from shared.events import Closed, Event, Final, Partial, SpeechEnd


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message and when it came, in seconds on the session's clock."""

    at_s: float
    event: Event


@dataclass(frozen=True, slots=True)
class GoldWord:
    """One word that was really said. `end_s` is where it ends in the session's audio, None if unknown."""

    text: str
    end_s: float | None


@dataclass(slots=True)
class Utterance:
    """Everything that was shown of one utterance, in order; the final is the last."""

    texts: list[tuple[float, Partial | Final]] = field(default_factory=list[tuple[float, Partial | Final]])
    ended_at_s: float | None = None
    """When `speech_end` came."""

    @property
    def final(self) -> tuple[float, Final] | None:
        """The final and when it came."""
        at_s, last = self.texts[-1] if self.texts else (0.0, None)
        return (at_s, last) if isinstance(last, Final) else None


def utterances(arrivals: Iterable[Arrival]) -> list[Utterance]:
    """The session's utterances that have a final, in order."""
    found: dict[int, Utterance] = {}
    for arrival in arrivals:
        event = arrival.event
        if isinstance(event, (Partial, Final)):
            found.setdefault(event.utterance, Utterance()).texts.append((arrival.at_s, event))
        elif isinstance(event, SpeechEnd):
            found.setdefault(event.utterance, Utterance()).ended_at_s = arrival.at_s
    return [found[number] for number in sorted(found) if found[number].final]


def transcript(arrivals: Iterable[Arrival]) -> str:
    """The finals, joined."""
    return " ".join(a.event.text for a in arrivals if isinstance(a.event, Final) and a.event.text)


@dataclass(frozen=True, slots=True)
class WordTimes:
    """When one word of a final was first on screen, and since when it stayed there."""

    first_s: float
    stable_s: float


def word_times(utterance: Utterance) -> list[WordTimes]:
    """For each word of the final: when a text first showed it in its place, and since when all did."""
    if utterance.final is None:
        return []
    final = words_of(utterance.final[1].text)
    views = [(at_s, shown(words_of(text.text), final)) for at_s, text in utterance.texts]
    times: list[WordTimes] = []
    for position in range(len(final)):
        seen = [position in view for _, view in views]
        settled = len(seen) - next((n for n, hit in enumerate(reversed(seen)) if not hit), len(seen))
        times.append(WordTimes(views[seen.index(True)][0], views[settled][0]))
    return times


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds between speech and screen, one entry per word or utterance."""

    first_s: tuple[float, ...]
    """Word's end to its first appearance."""
    stable_s: tuple[float, ...]
    """Word's end to the moment since when it stayed."""
    final_s: tuple[float, ...]
    """End of an utterance's last word to its final."""
    endpoint_s: tuple[float, ...]
    """End of an utterance's last word to `speech_end`."""
    ends_s: tuple[float, ...] = ()
    """Where those words end, beside `first_s` and `stable_s`."""
    last_ends_s: tuple[float, ...] = ()
    """Where those last words end, beside `final_s`."""


def delays(arrivals: Sequence[Arrival], gold: Sequence[GoldWord]) -> Delays:
    """Match the finals with what was said, word for word, and take the times."""
    spoken = utterances(arrivals)
    words: list[str] = []
    owners: list[tuple[int, WordTimes]] = []
    for number, utterance in enumerate(spoken):
        words += words_of(utterance.texts[-1][1].text)
        owners += [(number, times) for times in word_times(utterance)]
    first: list[float] = []
    stable: list[float] = []
    said_s: list[float] = []
    ends: dict[int, float] = {}
    for said, written in pairs([word.text for word in gold], words):
        end_s = gold[said].end_s
        if end_s is None:
            continue
        number, times = owners[written]
        first.append(times.first_s - end_s)
        stable.append(times.stable_s - end_s)
        said_s.append(end_s)
        ends[number] = max(end_s, ends.get(number, end_s))
    return Delays(
        first_s=tuple(first),
        stable_s=tuple(stable),
        final_s=tuple(spoken[n].texts[-1][0] - end_s for n, end_s in ends.items()),
        endpoint_s=tuple(at - end_s for n, end_s in ends.items() if (at := spoken[n].ended_at_s) is not None),
        ends_s=tuple(said_s),
        last_ends_s=tuple(ends.values()),
    )


@dataclass(frozen=True, slots=True)
class Stability:
    """How much of what was shown was taken back. Add them up over sessions."""

    words: int = 0
    """Words of the finals."""
    erased: int = 0
    """Words that a partial showed and its successor did not keep; a changed word takes all behind it."""
    appeared: int = 0
    """Words that came on the screen, each time that they did."""
    replaced: int = 0
    """Words that went from the screen again; a word that only moved stays."""
    committed_changed: int = 0
    """Words of a committed prefix that changed afterwards, if only in case. The contract says 0."""
    utterances: int = 0
    revised: int = 0
    """Utterances in which any word was taken back."""

    @property
    def erased_per_word(self) -> float:
        """UPWR (unstable partial word ratio, arXiv 2006.01416): 0 is best; NaN without words."""
        return self.erased / self.words if self.words else float("nan")

    @property
    def unstable(self) -> float:
        """Share of the words that came on the screen and went again; NaN without words."""
        return self.replaced / self.appeared if self.appeared else float("nan")

    def __add__(self, other: "Stability") -> "Stability":
        return Stability(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def stability(arrivals: Iterable[Arrival]) -> Stability:
    """Count the words that were taken back in one session."""
    return sum(map(_stability, utterances(arrivals)), Stability())


def _stability(utterance: Utterance) -> Stability:
    texts = [text for _, text in utterance.texts]
    erased = appeared = replaced = committed = 0
    for before, after in itertools.pairwise(texts):
        shown_before, shown_after = words_of(before.text), words_of(after.text)
        kept = _kept(shown_before, shown_after)
        appeared += len(shown_after) - kept
        replaced += len(shown_before) - kept
        erased += len(shown_before) - _common(shown_before, shown_after)
        promised = before.text[: before.committed]
        if not after.text.startswith(promised):
            committed += len(promised.split()) - _common(promised.split(), after.text.split())
    return Stability(
        words=len(words_of(texts[-1].text)),
        erased=erased,
        appeared=appeared + len(words_of(texts[0].text)),
        replaced=replaced,
        committed_changed=committed,
        utterances=1,
        revised=int(erased > 0),
    )


def _kept(left: Sequence[str], right: Sequence[str]) -> int:
    """Words of `left` that are in `right` too, in the same order."""
    blocks = SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks)


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the common beginning."""
    both = zip(left, right, strict=False)
    return next((n for n, (a, b) in enumerate(both) if a != b), min(len(left), len(right)))


def broken_promises(arrivals: Sequence[Arrival]) -> list[str]:
    """What the session's messages did that the protocol rules out, as sentences; empty when all is well."""
    broken: list[str] = []
    finals = [a.event for a in arrivals if isinstance(a.event, Final)]
    numbers = [final.utterance for final in finals]
    if len(set(numbers)) < len(numbers):
        broken.append("an utterance has more than one final")
    if any(after.start < before.covered - 0.001 for before, after in itertools.pairwise(finals)):
        broken.append("two finals cover the same audio")
    over: set[int] = set()
    for event in (a.event for a in arrivals):
        if isinstance(event, Partial) and event.utterance in over:
            broken.append(f"utterance {event.utterance} has a partial after its final")
        if isinstance(event, Final):
            over.add(event.utterance)
    last = arrivals[-1].event if arrivals else None
    if not isinstance(last, Closed):
        broken.append("the last message is not closed")
    elif last.utterances != len(finals):
        broken.append(f"closed tells of {last.utterances} utterances, there were {len(finals)} finals")
    return broken
