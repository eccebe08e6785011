"""What a Whisper runs on. Windows, prompts, fallback and words are the engine's (`worker.engine.whisper`), so
that two backends with the same weights say the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tokenizers import Tokenizer as WordPieces

from shared.audio.pcm import Float32
from worker.core.window import WindowPolicy
from worker.engine.prompt import Heard, Prompt

States = Any
"""Encoder states of one window, [1, positions, width], as the backend keeps them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What is known of a model once it is loaded."""

    engine: str
    """The name that people choose it by."""
    device: str
    compute_type: str
    languages: tuple[str, ...]
    batch_max: int
    """Most rows of one call."""
    mels: int
    """Frequency bands of its spectrograms."""
    window: WindowPolicy
    """How long windows are that suit it."""


class Alignment(Protocol):
    """Where one text's tokens are heard, in the shape of CTranslate2's `WhisperAlignmentResult`."""

    @property
    def alignments(self) -> Sequence[tuple[int, int]]:
        """Pairs of token and encoder position, both rising."""
        ...

    @property
    def text_token_probs(self) -> Sequence[float]:
        """The probability of each token of the text."""
        ...


class Backend(Protocol):
    """A loaded Whisper. Called from as many threads at once as it was made for. Raises `RuntimeError` where a
    call fails."""

    @property
    def loaded(self) -> Loaded:
        """What it is."""
        ...

    @property
    def tokenizer(self) -> WordPieces:
        """The model's own."""
        ...

    def encode(self, features: Float32) -> States:
        """States of a log-mel spectrogram [mels, frames] of any length that `loaded.window` gives."""
        ...

    def behind(self, states: States, seconds: float) -> States:
        """What lies behind the first `seconds`."""
        ...

    def generate(
        self,
        encoded: Sequence[States],
        prompts: Sequence[Prompt],
        *,
        budget: int,
        beam: int,
        temperature: float,
        no_repeat: int,
        suppress: Sequence[int],
    ) -> list[Heard]:
        """Decode windows of one length behind prompts of one length, to at most `budget` tokens.
        `temperature` 0 is the likeliest text of `beam` at once, another is drawn at random; `no_repeat` is
        the length in tokens that is not said twice, 0 for none; `suppress` are tokens never said."""
        ...

    def first_logits(self, states: States, start: int) -> Float32:
        """What the model expects behind its start token: languages, and whether there is speech."""
        ...

    def align(
        self,
        encoded: Sequence[States],
        start: Sequence[int],
        texts: Sequence[Sequence[int]],
        frames: Sequence[int],
    ) -> Sequence[Alignment]:
        """Where the tokens of `texts` are heard within the first `frames` mel frames of windows of one
        length, behind the task tokens `start`."""
        ...

    def close(self) -> None:
        """Unload the weights."""
        ...
