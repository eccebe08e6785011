"""From speech probabilities to utterances: where speech begins and ends.

A machine over frames; its clock is the audio itself. The states and their hysteresis are those that voice
agents settled on (pipecat's four VAD states, Silero's two thresholds): a frame above `on` starts to count as
speech, and only a frame below `off` as silence.

    QUIET --enough speech frames--> SPEAKING --`silence_s` of silence--> QUIET
                                       └------`max_utterance_s`--------> SPEAKING (next utterance)
"""

from dataclasses import dataclass

from shared.audio.pcm import to_samples, to_seconds
from worker.core.framing import FRAME_SAMPLES, frames_in


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointOptions:
    """Thresholds. Durations are seconds of audio."""

    on: float = 0.5
    """Probability from which a frame is speech."""
    off: float = 0.35
    """Probability under which a frame is silence once speech began."""
    start_frames: int = 3
    """Speech frames, not necessarily in a row, that begin an utterance: 96 ms; a click is shorter."""
    silence_s: float = 0.65
    """Silence that ends an utterance (docs/engine.md, "Endpoint")."""
    long_silence_s: float = 0.4
    """Silence that ends a long one, if that is less: what is said of it is decoded again and again, and at
    `max_utterance_s` it is cut in the middle of speech."""
    long_from_s: float = 5.0
    long_to_s: float = 10.0
    """From the one length to the other, the silence becomes that of a long one."""
    pre_roll_s: float = 0.3
    """Audio kept from before the first speech frame: soft onsets are below the threshold."""
    post_roll_s: float = 0.2
    """Audio kept from after the last speech frame."""
    max_utterance_s: float = 20.0
    """Endless speech is cut here, at the likeliest pause."""
    cut_search_s: float = 6.0
    """How far back the likeliest pause is looked for."""


@dataclass(frozen=True, slots=True)
class Started:
    """Speech began; the utterance's audio starts at `start`."""

    start: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Speech ended; the utterance's audio ends before `end`. `cut` when it was cut in running speech."""

    end: int
    cut: bool = False


Boundary = Started | Ended


class Endpointer:
    """Turns frames into boundaries. `origin` is where the first frame begins; no boundary lies before
    `floor`."""

    def __init__(self, options: EndpointOptions, origin: int, floor: int | None = None) -> None:
        self._options = options
        self._floor = origin if floor is None else floor
        self._position = origin
        self._recent: list[float] = []
        self._speech_frames = 0
        self._start: int | None = None
        self._last_speech = origin
        self._uncut = origin

    @property
    def speaking(self) -> bool:
        """Whether an utterance is open."""
        return self._start is not None

    @property
    def last_speech(self) -> int:
        """The sample behind the last frame that held speech."""
        return self._last_speech

    @property
    def position(self) -> int:
        """The sample behind the last frame seen."""
        return self._position

    @property
    def silence_samples(self) -> int:
        """Audio since the last speech."""
        return self._position - self._last_speech

    def keep_whole(self, end: int) -> None:
        """Don't cut before `end`: text was committed that is said up to there."""
        self._uncut = max(self._uncut, end)

    def push(self, probability: float) -> list[Boundary]:
        """Take the next frame's probability of speech."""
        self._position += FRAME_SAMPLES
        if self._start is None:
            return self._quiet(probability)
        return self._speaking(probability, self._start)

    def close(self, end: int) -> list[Boundary]:
        """End an open utterance at `end`, in silence or not: the client asked for it, or the audio is
        over."""
        if self._start is None:
            self._speech_frames = 0
            return []
        return [self._finish(min(end, self.speech_end) if self._is_silent else end)]

    def _quiet(self, probability: float) -> list[Boundary]:
        o = self._options
        self._speech_frames = (
            self._speech_frames + 1 if probability >= o.on else max(0, self._speech_frames - 1)
        )
        if self._speech_frames == 0:
            return []
        if self._speech_frames < o.start_frames:
            return []
        begin = self._position - (o.start_frames + frames_in(o.pre_roll_s)) * FRAME_SAMPLES
        self._start = max(self._floor, begin)
        self._last_speech = self._position
        self._recent = []
        return [Started(self._start)]

    def _speaking(self, probability: float, start: int) -> list[Boundary]:
        o = self._options
        self._recent.append(probability)
        if probability >= o.off:
            self._last_speech = self._position
        if self.silence_samples >= to_samples(self._silence_s(self._last_speech - start)):
            return [self._finish(self.speech_end)]
        if self._position - start >= to_samples(o.max_utterance_s):
            return self._cut()
        return []

    def _silence_s(self, length: int) -> float:
        """Silence that ends an utterance of so many samples."""
        o = self._options
        part = (to_seconds(length) - o.long_from_s) / (o.long_to_s - o.long_from_s)
        less_s = max(0.0, o.silence_s - o.long_silence_s)
        return o.silence_s - less_s * min(1.0, max(0.0, part))

    def _cut(self) -> list[Boundary]:
        """Cut running speech where it was least like speech; what follows is the next utterance."""
        allowed = (self._position - self._uncut) // FRAME_SAMPLES
        span = max(1, min(len(self._recent) - 1, frames_in(self._options.cut_search_s), allowed))
        recent = self._recent[-span:]
        # The last of equals: the longer the utterance, the better it is understood.
        back = min(range(len(recent)), key=recent[::-1].__getitem__)
        cut = self._position - back * FRAME_SAMPLES
        self._floor = self._start = cut
        self._recent = self._recent[len(self._recent) - back :] if back else []
        return [Ended(cut, cut=True), Started(cut)]

    def _finish(self, end: int) -> Ended:
        end = min(max(end, self._floor), self._position) if self._is_silent else end
        self._floor = end
        self._start = None
        self._speech_frames = 0
        return Ended(end)

    @property
    def _is_silent(self) -> bool:
        return self.silence_samples > 0

    @property
    def speech_end(self) -> int:
        """Where the utterance would end if nothing more were said: the last speech and the audio kept
        behind it."""
        return self._last_speech + self._post_roll

    @property
    def _post_roll(self) -> int:
        return frames_in(self._options.post_roll_s) * FRAME_SAMPLES
