"""How long a window the encoder is given.

faster-whisper pads every window to 30 s, and encoding the padding is most of the cost of a short one.
CTranslate2 takes any length up to that, but without enough silence behind the speech the decoder does not
find the end and runs on. `max(minimum, speech + margin)` with a cap on tokens, and another decode with
a longer window for what hits it, loses nothing on tiny, base and small (docs/engine.md, "Window"); larger
models need more.
"""

from dataclasses import dataclass

FRAMES_PER_S = 100
FRAMES_MAX = 3000

_LONGER_FRAMES = 300
"""What a window must be longer by to be worth another attempt."""

_OTHER_RATE = 12.0
_RATES = {"en": 8.0}
_DENSE_LANGUAGES = frozenset(
    {
        "am",
        "ar",
        "as",
        "bn",
        "bo",
        "el",
        "fa",
        "gu",
        "he",
        "hi",
        "hy",
        "ka",
        "km",
        "kn",
        "lo",
        "ml",
        "mr",
        "my",
    }
    | {"ne", "pa", "ps", "sa", "sd", "si", "ta", "te", "th", "ur", "yi"}
)


@dataclass(frozen=True, slots=True)
class WindowPolicy:
    """Window lengths for a family of models, in seconds."""

    minimum_s: float
    margin_s: float
    step_s: float = 1.0
    """Lengths are rounded up to this, so that decodes of different sessions fit into one batch."""
    tight_minimum_s: float = 0.0
    tight_margin_s: float = 0.0
    """The same for tight partials; 0: as for others."""
    tight_final_margin_s: float = 0.0
    """The margin for tight finals; 0: as for others."""
    file_s: tuple[float, ...] = (8.0, 15.0, 22.0)
    """Lengths for windows of files, 30 s beside them: few, so that most windows fit into one batch, and each
    given by its window alone, so that a text does not depend on which windows were decoded with it."""

    def frames(self, speech_s: float, *, tight: bool = False, final: bool = False) -> int:
        """Mel frames for a window that holds `speech_s` of audio."""
        minimum_s, margin_s = self.minimum_s, self.margin_s
        if tight and final:
            margin_s = self.tight_final_margin_s or margin_s
        elif tight and self.tight_minimum_s:
            minimum_s, margin_s = self.tight_minimum_s, self.tight_margin_s
        wanted = max(minimum_s, speech_s + margin_s)
        steps = -(-wanted // self.step_s)
        return min(FRAMES_MAX, round(steps * self.step_s * FRAMES_PER_S))

    def file_frames(self, speech_s: float) -> int:
        """The same for a window of a file."""
        wanted = self.frames(speech_s)
        lengths = (round(seconds * FRAMES_PER_S) for seconds in self.file_s)
        return next((frames for frames in lengths if frames >= wanted), FRAMES_MAX)


SMALL = WindowPolicy(8.0, 2.0, tight_minimum_s=5.0, tight_margin_s=1.0, tight_final_margin_s=1.0)
LARGE = WindowPolicy(15.0, 3.0, 5.0, file_s=(15.0, 25.0))
_SMALL_WIDTH_MAX = 768


def policy_for(model_width: int) -> WindowPolicy:
    """The policy for a model with `model_width` states per frame: 768 is `small`."""
    return SMALL if model_width <= _SMALL_WIDTH_MAX else LARGE


def longer_windows(frames: int) -> list[int]:
    """Mel frames of the windows that a final is tried in, one after another, while it runs on: first in one
    of `frames`, then in half the longest, which mostly is enough and a quarter of the cost, then in that."""
    enough = min(FRAMES_MAX, frames + _LONGER_FRAMES)
    return [longer for longer in (FRAMES_MAX // 2, FRAMES_MAX) if longer >= enough]


def token_rate(language: str) -> float:
    """Text tokens per second of audio that fast speech does not exceed: the vocabulary was made for
    English, and scripts that it splits into bytes need several tokens for a letter."""
    if language in _DENSE_LANGUAGES:
        return 30.0
    return _RATES.get(language, _OTHER_RATE)


def token_cap(audio_s: float, language: str) -> int:
    """Most tokens that a decode of `audio_s` may yield. One that reaches it has run on."""
    return min(220, round(0.8 * token_rate(language) * audio_s) + 4)


def is_runaway(tokens: int, audio_s: float, language: str) -> bool:
    """Whether a decode yielded more tokens than speech can hold: four fifths of the cap's rate, with a
    small grace."""
    return tokens > 2 + 0.8 * token_rate(language) * audio_s
