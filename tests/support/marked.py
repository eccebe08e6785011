"""Real speech with numbered words in it, for the scripted engine's model `marks`: after any failure it can be
told exactly which words are missing, doubled, or another session's."""

from dataclasses import dataclass
from functools import cache

from shared.audio.pcm import pcm16_to_float, to_samples
from tests.support.speech import spoken
from worker.core.endpointing import Ended, Endpointer, EndpointOptions, Started
from worker.core.framing import FRAME_SAMPLES, Framer
from worker.engine import marks
from worker.engine.silero import SileroVad

_WORD_SAMPLES = 8 * FRAME_SAMPLES
_MARGIN_S = 0.7
"""No word stands nearer to the end of an utterance: a voice detector that begins anew there, in another
worker, may find it some frames earlier or later."""


@dataclass(frozen=True, slots=True)
class Talk:
    """Audio and the words that it says, each once."""

    pcm16: bytes
    words: tuple[str, ...]

    @property
    def duration_s(self) -> float:
        """Length of the audio."""
        return len(self.pcm16) / 32_000


def talk(session: int = 0, *, clips: tuple[str, ...] = ("en_quilter", "en_wizard"), command: int = 0) -> Talk:
    """A talk whose words no other session has. A `command` stands in place of its middle word."""
    pcm16 = spoken(*clips)
    places = _places(clips)
    numbers = {at: session * 1000 + n for n, at in enumerate(places)}
    words = tuple(f"w{number}" for number in numbers.values())
    if command:
        numbers[places[len(places) // 2]] = command
    return Talk(marks.write(pcm16, numbers), words)


@cache
def _places(clips: tuple[str, ...]) -> list[int]:
    """Samples in the middle of speech, on the frames' grid, so that no cut goes through a mark."""
    vad = SileroVad()
    framer, endpointer = Framer(0), Endpointer(EndpointOptions(), 0)
    spans: list[tuple[int, int]] = []
    start = 0
    audio = pcm16_to_float(spoken(*clips))
    for frame in framer.push(audio):
        for boundary in endpointer.push(vad(frame)):
            match boundary:
                case Started(begin):
                    start = begin
                case Ended(end):
                    spans.append((start, end))
    assert spans
    margin = to_samples(_MARGIN_S)
    return [
        at + 100
        for at in range(0, len(audio), _WORD_SAMPLES)
        if any(begin + margin <= at and at + _WORD_SAMPLES <= end - margin for begin, end in spans)
    ]
