"""A session's ear: chunks of audio in, boundaries of utterances out. Keeps the audio that is still of use and
what the voice detector said about it."""

from collections.abc import Iterator

from worker.core.buffer import AudioBuffer
from worker.core.effects import Vad
from worker.core.endpointing import Boundary, Endpointer, EndpointOptions
from worker.core.framing import Framer
from worker.core.voice import Voice


class Hearing:
    """From sample `committed` on. Text was committed that is said up to `uncut`: nothing is cut before it."""

    def __init__(
        self, vad: Vad, options: EndpointOptions, committed: int, uncut: int, buffer: AudioBuffer | None
    ) -> None:
        self._vad = vad
        self._framer = Framer(committed)
        self.buffer = AudioBuffer(committed) if buffer is None else buffer
        self.voice = Voice(self._framer.position, options.off)
        self._endpointer = Endpointer(options, self._framer.position, committed)
        self._endpointer.keep_whole(uncut)
        self.came = 0
        """Samples that came last."""

    @property
    def end(self) -> int:
        """First sample not received yet."""
        return self.buffer.end

    @property
    def position(self) -> int:
        """The sample behind the last whole frame."""
        return self._endpointer.position

    @property
    def silence_samples(self) -> int:
        """Audio since the last speech."""
        return self._endpointer.silence_samples

    @property
    def speech_end(self) -> int:
        """Where the open utterance would end if nothing more were said."""
        return self._endpointer.speech_end

    @property
    def heard(self) -> int:
        """How far an open utterance can be listened to: silence behind it is left out."""
        return min(self.speech_end, self.end)

    def push(self, start: int, pcm16: bytes) -> Iterator[Boundary]:
        """Take a chunk of canonical audio that begins at sample `start`. To be exhausted; each boundary comes
        before the frames behind it are looked at."""
        fresh = self.buffer.append(start, pcm16)
        self.came = len(fresh)
        for frame in self._framer.push(fresh):
            probability = self._vad(frame)
            self.voice.push(probability, frame)
            yield from self._endpointer.push(probability)

    def close(self) -> list[Boundary]:
        """End the open utterance here."""
        return self._endpointer.close(self.end)

    def keep_whole(self, end: int) -> None:
        """Don't cut before `end`: text was committed that is said up to there."""
        self._endpointer.keep_whole(end)

    def trim(self, covered: int, keep_from: int) -> None:
        """All before `covered` is decided; its audio from `keep_from` on may be wanted again."""
        self.buffer.trim(keep_from)
        self.voice.trim(covered)
