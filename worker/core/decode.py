"""What is asked of an engine and what it answers: plain data, so that decisions are made without one."""

from dataclasses import dataclass, field
from enum import IntEnum

from shared.audio.pcm import SAMPLE_RATE, Float32
from shared.events import Word
from shared.transcript import Token


class Kind(IntEnum):
    """What a decode is for, in order of precedence."""

    FINAL = 0
    """The text of an ended utterance: wide beam, fallbacks."""
    PARTIAL = 1
    """What an open utterance says so far: greedy, once; replaced by the next."""
    FILE = 2
    """A window of a file: as a final, when nothing live waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeRequest:
    """One window to decode. `audio` is 16 kHz mono float32."""

    kind: Kind
    audio: Float32
    language: str = ""
    """Language code; empty to detect."""
    languages: tuple[str, ...] = ()
    """Codes that detection chooses among; empty for all."""
    detect: bool = False
    """Whether to say, beside the text in `language`, which language it sounds like."""
    task: str = "transcribe"
    prompt: str = ""
    """The client's own, as if it had been said before."""
    context: str = ""
    """Text before this audio, for the decoder to go on from."""
    hotwords: str = ""
    left: str = ""
    """What the first `left_s` seconds of the audio say: heard again so that the rest is understood better.
    Not part of the result."""
    left_s: float = 0.0
    prefix: str = ""
    """Committed text of the rest; the result begins with it literally."""
    words: bool = False
    """Whether word times are wanted."""
    temperature: float = 0.0
    """Of a final's first attempt; 0 for beam search."""
    tokens: bool = False
    """Whether the tokens of the words are wanted; with `words`."""
    no_digits: bool = False
    """Whether numbers must be written as words."""
    beam: int = 0
    """Hypotheses to follow; 0: as many as the engine does for the kind."""
    tight: bool = False
    """Whether the window is to be as short as can be: the device is busy. For a partial a smaller model will
    do, too: its text is soon replaced."""

    @property
    def duration_s(self) -> float:
        """Length of the audio."""
        return len(self.audio) / SAMPLE_RATE

    @property
    def own_s(self) -> float:
        """Length of the audio whose text is wanted."""
        return self.duration_s - self.left_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a decode shared the device with."""

    took_s: float
    """Time on the device of the whole."""
    encode_s: float
    """Part of it in log-mel and encoder."""
    size: int
    """Decodes in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeResult:
    """What was heard behind `left`. Word times are seconds of the request's audio, `left_s` included."""

    text: str
    language: str
    detected: str = ""
    """What the audio behind `left` sounds like, where that was asked for or `language` was open."""
    language_probability: float = 1.0
    """Of the detection."""
    words: tuple[Word, ...] = ()
    tokens: tuple[tuple[Token, ...], ...] = ()
    """The tokens of each word, where they were asked for."""
    temperature: float = 0.0
    """Of the attempt that this is the text of."""
    avg_logprob: float = 0.0
    """Mean log-probability of the tokens that were not given as prefix."""
    no_speech_prob: float = 0.0
    compression_ratio: float = 1.0
    cost_s: float = 0.0
    """Time on the device, shared evenly among the requests of a batch."""
    encode_s: float = field(default=0.0, compare=False)
    """Part of the batch's time that went into log-mel and encoder for this request."""
    waited_s: float = 0.0
    """From the asking to the start of the decode."""
    batch: Batch | None = field(default=None, compare=False)
    """What it was decoded with."""
    window_s: float = 0.0
    """Length of the encoder's window, padding included."""
    steps: int = 0
    """Steps that the decoder took one after another: what was given as prefix is not among them."""
    draft: bool = False
    """It is a smaller model's: to be shown, not to be committed."""
    runaway: bool = False
    """The decoder did not find the end; the text is not usable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What an engine can do."""

    name: str
    model: str
    device: str
    compute_type: str
    languages: tuple[str, ...]
    """Codes that it transcribes; one for an English-only model."""
    parallel: int = 1
    """Calls of `decode` that may run at once."""
    batch_max: int = 1
    """Requests of one call."""

    @property
    def multilingual(self) -> bool:
        """Whether it takes more than one language, and translates."""
        return len(self.languages) > 1
