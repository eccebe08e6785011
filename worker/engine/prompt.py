"""What Whisper's decoder is given before its first token, and what it answers, whatever it runs on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

MARKER: Final = 0
"""What stands for the start token in a marked vocabulary (`worker.engine.prefill`): the lowest number."""
_FIT: Final = 16
"""Prompts are cut to multiples of this, so that those of different sessions are of one length."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the decoder is given before its first token."""

    hints: tuple[int, ...]
    """Hotwords and the client's prompt, as tokens."""
    earlier: tuple[int, ...]
    """What was said before the window; its beginning is cut where lengths must fit."""
    task: tuple[int, ...]
    """The start token, language and task as far as the model has them, and `<|notimestamps|>`."""
    prefix: tuple[int, ...]
    """Text that the result begins with."""
    previous: int
    """The token `<|startofprev|>`."""

    @property
    def tokens(self) -> list[int]:
        """All of it, marked."""
        return [self.previous, MARKER, *self.hints, *self.earlier, *self.task, *self.prefix]

    def fitted(self) -> "Prompt":
        """With earlier text cut so that the length is a multiple, if there is that much."""
        excess = (len(self.hints) + len(self.earlier) + len(self.prefix)) % _FIT
        return replace(self, earlier=self.earlier[excess:]) if excess <= len(self.earlier) else self

    @property
    def needed(self) -> int:
        """Tokens beside the task's that can't be cut."""
        return len(self.hints) + len(self.prefix)


def fitted_together(prompts: Sequence[Prompt]) -> list[Prompt]:
    """With earlier text cut so that prompts are of as few lengths as can be: each length is the whole of the
    shortest prompt that is left, and serves all that need no more."""
    if len(prompts) == 1:
        return [prompts[0].fitted()]
    fitted = list(prompts)
    left = sorted(range(len(prompts)), key=lambda i: len(prompts[i].tokens))
    while left:
        first = prompts[left[0]]
        length = first.needed + len(first.earlier)
        for i in [i for i in left if prompts[i].needed <= length]:
            excess = prompts[i].needed + len(prompts[i].earlier) - length
            fitted[i] = replace(prompts[i], earlier=prompts[i].earlier[excess:])
            left.remove(i)
    return fitted


@dataclass(frozen=True, slots=True)
class Heard:
    """One row's answer, the prefix not included."""

    tokens: tuple[int, ...]
    avg_logprob: float
    """Mean over the tokens and the one that ends them; 0 when nothing but the end came."""
