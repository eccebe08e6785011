"""Whisper on PyTorch, as the transformers library has it: the same text from the same weights on other
software, to go back to when the usual backend is in doubt.

It takes a model directory of either kind; one of CTranslate2's is converted once (`shared.models.exported`).
The encoder is given 30 s always, as the library insists, and weights are float32 on a CPU: a window costs
many times what it costs on CTranslate2.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from tokenizers import Tokenizer as WordPieces

from shared.audio.pcm import Float32
from shared.errors import BadParameter, ModelUnavailable
from shared.models.exported import transformers_directory
from shared.models.files import MULTILINGUAL_TOKENS
from worker.core.window import WindowPolicy
from worker.engine.api import EngineOptions
from worker.engine.backend import Alignment, Loaded, States
from worker.engine.prompt import MARKER, Heard, Prompt
from worker.engine.search import BeamSearch
from worker.engine.torch_decoder import Rules, TorchDecoder
from worker.engine.warping import align, median

_BATCH_MAX_CPU: Final = 4
_BATCH_MAX_CUDA: Final = 16
_TYPES: Final = ("float32", "float16", "bfloat16")
_WHOLE: Final = WindowPolicy(30.0, 0.0, file_s=())
_STATES_PER_S: Final = 50
_MEDIAN: Final = 7
"""Positions over which attention is smoothed, as the reference implementation does."""
_MAX_TOKENS: Final = 448


@dataclass(frozen=True, slots=True)
class _Aligned:
    alignments: list[tuple[int, int]]
    text_token_probs: list[float]


class TransformersBackend:
    """See the module and `Backend`."""

    def __init__(self, options: EngineOptions) -> None:
        self._torch, transformers = _libraries()
        device, compute_type = self._device(options)
        folder = transformers_directory(options.path or Path())
        try:
            model: Any = transformers.WhisperForConditionalGeneration.from_pretrained(
                str(folder),
                dtype=getattr(self._torch, compute_type),
                # The only implementation that gives attention away, which words are timed by.
                attn_implementation="eager",
                local_files_only=True,
            )
            self._model = model.to(device).eval()
            self._tokenizer = WordPieces.from_file(str(folder / "tokenizer.json"))
        # Errors of the loader are of many kinds, and what is wrong is with the directory.
        except Exception as error:  # noqa: BLE001
            raise ModelUnavailable(f"model {options.model} can't be loaded on {device}: {error}") from None
        if device == "cpu":
            # As many calls run at once as are asked for; threads within one would spin for each other.
            self._torch.set_num_threads(1)
        self._heads = _alignment_heads(self._model)
        self._end, self._no_timestamps = self._number("<|endoftext|>"), self._number("<|notimestamps|>")
        self._previous = self._number("<|startofprev|>")
        self._at_first = (self._end, *self._tokenizer.encode(" ", add_special_tokens=False).ids)
        self._decoder = TorchDecoder(self._torch, self._model)
        self._loaded = Loaded(
            engine="huggingface",
            device=device,
            compute_type=compute_type,
            languages=self._languages(),
            batch_max=options.batch_max or (_BATCH_MAX_CPU if device == "cpu" else _BATCH_MAX_CUDA),
            mels=int(self._model.config.num_mel_bins),
            window=_WHOLE,
        )

    @property
    def loaded(self) -> Loaded:
        """See `Backend`."""
        return self._loaded

    @property
    def tokenizer(self) -> WordPieces:
        """See `Backend`."""
        return self._tokenizer

    def encode(self, features: Float32) -> States:
        """See `Backend`."""
        with self._torch.inference_mode():
            given = self._tensor(features[None]).to(self._model.dtype)
            return self._model.model.encoder(given).last_hidden_state

    def behind(self, states: States, seconds: float) -> States:
        """See `Backend`."""
        return states[:, round(seconds * _STATES_PER_S) :]

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
        """See `Backend`."""
        free = not any(prompt.prefix for prompt in prompts)
        rules = Rules(suppress, self._at_first if free else (), no_repeat, temperature)
        most = max(1, min(budget, _MAX_TOKENS - len(prompts[0].tokens)))
        beam = beam if temperature == 0 else 1
        searches = [BeamSearch(beam=beam, budget=most, end=self._end) for _ in prompts]
        self._decoder.run(searches, encoded, [prompt.tokens for prompt in prompts], rules)
        return [search.heard for search in searches]

    def first_logits(self, states: States, start: int) -> Float32:
        """See `Backend`."""
        with self._torch.inference_mode():
            output = self._model(
                encoder_outputs=(states,),
                decoder_input_ids=self._tensor([[self._previous, MARKER, start]]),
                use_cache=False,
            )
        return np.asarray(output.logits[0, -1].float().cpu().numpy(), np.float32)

    def align(
        self,
        encoded: Sequence[States],
        start: Sequence[int],
        texts: Sequence[Sequence[int]],
        frames: Sequence[int],
    ) -> Sequence[Alignment]:
        """See `Backend`. Texts are heard one after another: they differ in length."""
        return [
            self._aligned(states, list(start), list(text), count // 2)
            for states, text, count in zip(encoded, texts, frames, strict=True)
        ]

    def close(self) -> None:
        """See `Backend`."""
        del self._model

    def _aligned(self, states: States, start: list[int], text: list[int], positions: int) -> _Aligned:
        """Cross-attention of the heads that follow the audio, made a path by time warping, as Whisper's
        reference implementation does it."""
        tokens = [*start, self._no_timestamps, *text, self._end]
        with self._torch.inference_mode():
            output = self._model(
                encoder_outputs=(states,),
                decoder_input_ids=self._tensor([tokens]),
                output_attentions=True,
                use_cache=False,
            )
            said = output.logits[0, len(start) : len(start) + 1 + len(text), : self._end].float().softmax(-1)
            probabilities = [float(said[i, token]) for i, token in enumerate(text)]
            heads = self._torch.stack([output.cross_attentions[n][0, head] for n, head in self._heads])
        weights = np.asarray(heads[:, :, :positions].float().cpu().numpy(), np.float32)
        weights /= np.maximum(weights.sum(-1, keepdims=True), 1e-9)
        weights -= weights.mean(-2, keepdims=True)
        weights /= np.maximum(weights.std(-2, keepdims=True), 1e-9)
        heard = median(weights, _MEDIAN).mean(0)
        return _Aligned(align(-heard[len(start) : -1]), probabilities)

    def _tensor(self, values: Any) -> Any:
        return self._torch.as_tensor(values, device=self._model.device)

    def _number(self, token: str) -> int:
        number = self._tokenizer.token_to_id(token)
        if number is None:
            raise ModelUnavailable(f"the tokenizer has no {token}: this is no Whisper model")
        return number

    def _languages(self) -> tuple[str, ...]:
        """What the tokenizer has a token for, in the vocabulary's order, if the model has a use for it."""
        if int(self._model.config.vocab_size) < MULTILINGUAL_TOKENS:
            return ("en",)
        numbers = range(self._number("<|startoftranscript|>") + 1, self._number("<|translate|>"))
        found = (re.fullmatch(r"<\|([a-z]{2,3})\|>", self._tokenizer.id_to_token(n) or "") for n in numbers)
        return tuple(match[1] for match in found if match)

    def _device(self, options: EngineOptions) -> tuple[str, str]:
        device = options.device
        if device == "auto":
            device = "cuda" if self._torch.cuda.is_available() else "cpu"
        if device == "cuda" and not self._torch.cuda.is_available():
            raise ModelUnavailable(
                f"STENO_DEVICE is cuda, and PyTorch {self._torch.__version__} sees no CUDA device: install a "
                "build for CUDA and NVIDIA's driver, or set STENO_DEVICE=cpu"
            )
        compute_type = options.compute_type
        if compute_type == "auto":
            compute_type = "float32" if device == "cpu" else "float16"
        if compute_type not in _TYPES:
            raise BadParameter(
                f"STENO_COMPUTE_TYPE is {compute_type!r}; huggingface has auto, {', '.join(_TYPES)}"
            )
        return device, compute_type


def _libraries() -> tuple[Any, Any]:
    torch, transformers = import_module("torch"), import_module("transformers")
    # Its progress bars and advice are for notebooks.
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return torch, transformers


def _alignment_heads(model: Any) -> list[tuple[int, int]]:
    """Layer and head of the decoder's attention that follows the audio; by default all of the upper half."""
    if given := getattr(model.generation_config, "alignment_heads", None):
        return [(int(layer), int(head)) for layer, head in given]
    layers, heads = model.config.decoder_layers, model.config.decoder_attention_heads
    return [(layer, head) for layer in range(layers // 2, layers) for head in range(heads)]
