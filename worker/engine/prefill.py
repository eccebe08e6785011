"""Forced prefixes in one pass instead of one step a token.

CTranslate2's `Whisper.generate` fills the decoder's cache with a prompt in one parallel pass, but it takes
for prompt only what lies between the start-of-transcript token and the last token behind it whose number is
between that one's and `<|notimestamps|>`'s. Text behind the task tokens is a prefix, and each of its tokens
costs a step of the decoder, as much as decoding it again (docs/engine.md, "Prefix"). Both numbers are looked
up in the vocabulary by name. Under a vocabulary where token 0 bears the start token's name, everything
behind the first token 0 is in the range, and a prompt is filled in one pass with its prefix. Three things
follow:

* Every prompt needs a token 0, an exclamation mark. It stands where earlier text begins.
* Rows of a batch must be of one length, and padding tokens ruin them: earlier text is cut to fit.
* A batch counts as decoded with timestamps unless its *first* prompt ends in `<|notimestamps|>`. Where none
  does, because all have a prefix, a row is added that says nothing and ends at once.

`detect_language` and the no-speech probability would look at token 0; both are read from the logits behind
the real start token instead.
"""

import json
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import ctranslate2
import numpy as np
from faster_whisper.tokenizer import Tokenizer

from shared.audio.pcm import Float32
from worker.engine.prompt import MARKER, Heard, Prompt

_START: Final = "<|startoftranscript|>"
_TIMES: Final = ("<|0.00|>", "<|30.00|>")
"""The first and last token of times: converters write all or none, and they end the file."""
_MAX_TOKENS: Final = 448
_STATES_PER_S: Final = 50


@contextmanager
def marked(model: Path) -> Generator[Path]:
    """A directory with the model's files under a vocabulary where token 0 and the start token have changed
    names. It is there while the model is being loaded."""
    with tempfile.TemporaryDirectory(prefix="steno-model-") as folder:
        for file in model.iterdir():
            target = Path(folder, file.name)
            if file.name == "vocabulary.json":
                names: list[str] = json.loads(file.read_text(encoding="utf-8"))
                target.write_text(json.dumps(_swapped(names), ensure_ascii=False), encoding="utf-8")
            elif file.name == "vocabulary.txt":
                lines = file.read_text(encoding="utf-8").split("\n")
                target.write_text("\n".join(_swapped(lines)), encoding="utf-8")
            else:
                target.symlink_to(file.resolve())
        yield Path(folder)


def _swapped(names: list[str]) -> list[str]:
    times = _TIMES if _TIMES[0] in names else ()
    if lacking := [name for name in (_START, *times) if name not in names]:
        raise ValueError(f"its vocabulary lacks {lacking[0]}")
    start = names.index(_START)
    names[MARKER], names[start] = names[start], names[MARKER]
    return names


class Decoder:
    """A Whisper model that was loaded `marked`. Prompts of one call are of one length."""

    def __init__(self, model: Any, *, end: int, no_timestamps: int, previous: int) -> None:
        self._model = model
        self._end = end
        self._no_timestamps = no_timestamps
        self._previous = previous

    def generate(
        self,
        encoded: Sequence[Any],
        prompts: Sequence[Prompt],
        *,
        budget: int,
        beam: int,
        temperature: float,
        no_repeat: int,
        suppress: Sequence[int],
    ) -> list[Heard]:
        """Decode rows of encoder states, [1, frames, width] each, to at most `budget` tokens."""
        # A row without prefix goes first: its prompt ends as that of the whole batch must.
        order = sorted(range(len(prompts)), key=lambda i: bool(prompts[i].prefix))
        tokens = [prompts[i].tokens for i in order]
        states = [encoded[i] for i in order]
        closing = [self._closing_row(len(tokens[0]))] if prompts[order[0]].prefix else []
        sampling: dict[str, Any] = {"beam_size": beam}
        if temperature > 0:
            sampling = {"sampling_topk": 0, "sampling_temperature": temperature, "num_hypotheses": 1}
        start = len(tokens[0]) - 1
        results = self._model.generate(
            joined(states, silent_first=bool(closing)),
            closing + tokens,
            # CTranslate2 allows min(max_length / 2, max_length - start) tokens.
            max_length=min(max(2 * budget, budget + start), _MAX_TOKENS),
            return_scores=True,
            no_repeat_ngram_size=no_repeat,
            # Forbids an empty text, which is the right answer behind a prefix that says it all.
            suppress_blank=not any(prompt.prefix for prompt in prompts),
            suppress_tokens=list(suppress),
            **sampling,
        )
        heard = {i: self._heard(r) for i, r in zip(order, results[len(closing) :], strict=True)}
        return [heard[i] for i in range(len(prompts))]

    def first_logits(self, encoded: Any, start: int) -> Float32:
        """What the model expects behind the start token: languages, and whether there is speech."""
        prompts = [[self._previous, MARKER, self._no_timestamps], [self._previous, MARKER, start]]
        results = self._model.generate(
            joined([encoded], silent_first=True),
            prompts,
            beam_size=1,
            max_length=3,
            suppress_blank=False,
            suppress_tokens=[],
            return_logits_vocab=True,
        )
        logits = results[1].logits[0][0].to_device(ctranslate2.Device.cpu)
        return np.asarray(logits, np.float32).reshape(-1)

    def _closing_row(self, length: int) -> list[int]:
        """Earlier text of ends, heard on nothing: the likeliest next token is the end again."""
        return [self._previous, MARKER, *[self._end] * (length - 3), self._no_timestamps]

    def _heard(self, result: Any) -> Heard:
        tokens = tuple(t for t in result.sequences_ids[0] if t < self._end)
        if not tokens:
            return Heard((), 0.0)
        return Heard(tokens, float(result.scores[0]) * len(tokens) / (len(tokens) + 1))


def decoder_for(model: Any, tokenizer: Tokenizer) -> Decoder:
    """The decoder of a marked model."""
    return Decoder(
        model,
        end=tokenizer.eot,
        no_timestamps=tokenizer.no_timestamps,
        previous=tokenizer.sot_prev,
    )


def behind_s(encoded: Any, seconds: float) -> Any:
    """The encoder states [1, frames, width] of what lies behind the first `seconds`."""
    states = np.asarray(encoded.to_device(ctranslate2.Device.cpu))
    return ctranslate2.StorageView.from_array(
        np.ascontiguousarray(states[:, round(seconds * _STATES_PER_S) :])
    )


def joined(states: Sequence[Any], *, silent_first: bool = False) -> Any:
    """Encoder states of all rows as one batch, behind a row of zeros if wanted."""
    if len(states) == 1 and not silent_first:
        return states[0]
    rows = [np.asarray(state.to_device(ctranslate2.Device.cpu)) for state in states]
    if silent_first:
        rows.insert(0, np.zeros_like(rows[0]))
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(np.concatenate(rows)))
