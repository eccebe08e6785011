"""A transcript from the windows of a file, whatever order their results come in. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.audio.pcm import SAMPLE_BYTES, to_seconds
from shared.events import Word
from shared.redis.windows import WindowResult
from shared.transcript import Segment, Token
from worker.core.decode import DecodeResult
from worker.core.segments import to_segments
from worker.core.writing import Shown, Writer
from worker.jobs.assembly import Assembly
from worker.jobs.cutter import Stretch
from worker.jobs.seams import Seams


@dataclass(slots=True)
class _Place:
    """A window whose words are not complete: where it stands in its channel and in the file, in seconds, and
    what was heard of it."""

    channel: int
    index: int
    start_s: float
    duration_s: float
    heard: WindowResult | None = None
    words: tuple[Word, ...] = ()
    """What was heard, with times of the file."""


class Gathering:
    """One file. `split`: see `Assembly`; `words`: whether segments carry theirs; `writer`: how text is
    written, segment by segment. Tokens stay as the model wrote them."""

    def __init__(self, *, split: bool, words: bool, writer: Writer) -> None:
        self._words = words
        self._writer = writer
        self._assembly = Assembly(split=split)
        self._places: dict[int, _Place] = {}
        self._numbers: dict[tuple[int, int], int] = {}
        """Windows by channel and index in it."""
        self._seams: dict[int, Seams] = {}
        self._lengths: dict[int, int] = {}

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Those that have their place."""
        return self._assembly.segments

    @property
    def open_from_s(self) -> float:
        """Where the first window begins that is not complete; infinite when all are."""
        return min((seams.open_from_s for seams in self._seams.values()), default=float("inf"))

    def expect(self, number: int, channel: int, stretch: Stretch) -> None:
        """The next window of a channel will have a result, under that number."""
        index = self._lengths[channel] = self._lengths.get(channel, -1) + 1
        start_s = to_seconds(stretch.start)
        self._places[number] = _Place(channel, index, start_s, to_seconds(len(stretch.pcm16) // SAMPLE_BYTES))
        self._numbers[channel, index] = number
        self._seams.setdefault(channel, Seams()).expect(
            index,
            start_s,
            lead_s=to_seconds(stretch.lead_samples),
            trail_s=to_seconds(stretch.trail_samples),
        )

    def take(self, number: int, result: WindowResult) -> None:
        """A window's result; what is complete by it finds its place."""
        place = self._places[number]
        place.heard = result
        place.words = tuple(
            replace(word, start=word.start + place.start_s, end=word.end + place.start_s)
            for word in result.words
        )
        for index, own in self._seams[place.channel].heard(place.index, place.words):
            done = self._numbers.pop((place.channel, index))
            self._assembly.add(done, place.channel, self._segments(self._places.pop(done), own))

    def settle(self, until_s: float) -> list[Segment]:
        """See `Assembly.settle`."""
        return self._assembly.settle(until_s)

    def _segments(self, place: _Place, own: tuple[Word, ...]) -> tuple[Segment, ...]:
        heard = place.heard
        if heard is None or (heard.words and not own):
            return ()
        result = DecodeResult(
            text=heard.text,
            language=heard.language,
            words=own,
            tokens=_tokens_of(own, place.words, heard.tokens),
            avg_logprob=heard.avg_logprob,
            no_speech_prob=heard.no_speech_prob,
            compression_ratio=heard.compression_ratio,
            temperature=heard.temperature,
        )
        segments = to_segments(
            result,
            # Words have the times of the file already; a text without them has those of its window.
            offset_s=0.0 if own else place.start_s,
            duration_s=place.duration_s,
            words=self._words,
            window_s=place.start_s,
        )
        return tuple(self._written(segment, heard.language) for segment in segments)

    def _written(self, segment: Segment, language: str) -> Segment:
        text = self._writer.text(Shown(), segment.text, language)
        return replace(segment, text=text, words=self._writer.words(segment.words, language))


def _tokens_of(
    own: Sequence[Word], words: Sequence[Word], tokens: Sequence[tuple[Token, ...]]
) -> tuple[tuple[Token, ...], ...]:
    """The tokens of those `words` of a window, one behind the other, that are its own."""
    if not own or not tokens:
        return ()
    begins = next(n for n, word in enumerate(words) if word is own[0])
    return tuple(tokens[begins : begins + len(own)])
