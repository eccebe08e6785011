"""Whisper on CTranslate2, loaded by faster-whisper."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_ctranslate2_storage
from tokenizers import Tokenizer as WordPieces

from shared.audio.pcm import Float32
from shared.errors import ModelUnavailable
from shared.models.files import is_transformers, missing_files, vocabulary_size
from worker.core.window import policy_for
from worker.engine.api import EngineOptions
from worker.engine.backend import Alignment, Loaded, States
from worker.engine.devices import choose_device, is_out_of_memory, missing_library
from worker.engine.prefill import behind_s, decoder_for, joined, marked
from worker.engine.prompt import Heard, Prompt

_BATCH_MAX_CPU: Final = 4
_BATCH_MAX_CUDA: Final = 16


class CTranslate2Backend:
    """See the module and `Backend`. `options.threads` calls run at once, each on one CPU thread, sharing the
    weights."""

    def __init__(self, options: EngineOptions) -> None:
        path = options.path or Path()
        if is_transformers(path) and missing_files(path):
            raise ModelUnavailable(
                f"{path} is a model of the transformers library, and the engine faster takes CTranslate2's: "
                "convert it with ct2-transformers-converter, or set STENO_ENGINE=huggingface"
            )
        device, compute_type = choose_device(options.device, options.compute_type)
        try:
            with marked(path) as folder:
                whisper = WhisperModel(
                    str(folder),
                    device=device,
                    compute_type=compute_type,
                    cpu_threads=1,
                    num_workers=options.threads,
                    local_files_only=True,
                )
            self._model: Any = whisper.model
            width = self._width()
        # The tokenizer's errors have no class of their own; what is wrong is the directory or the device.
        except Exception as error:  # noqa: BLE001
            raise _load_fault(options, device, str(error)) from None
        self._tokenizer = whisper.hf_tokenizer
        if vocabulary_size(path) < self._tokenizer.get_vocab_size():
            raise _load_fault(options, device, "its vocabulary lacks tokens that its tokenizer has")
        mels = int(self._model.n_mels)
        self._loaded = Loaded(
            engine="faster_whisper",
            device=device,
            compute_type=self._model.compute_type,
            languages=tuple(whisper.supported_languages),
            batch_max=options.batch_max or (_BATCH_MAX_CPU if device == "cpu" else _BATCH_MAX_CUDA),
            mels=mels,
            window=policy_for(width),
        )
        multilingual = len(self._loaded.languages) > 1
        self._decoder = decoder_for(
            self._model, Tokenizer(self._tokenizer, multilingual, task="transcribe", language="en")
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
        return self._model.encode(get_ctranslate2_storage(features[None]), to_cpu=False)

    def behind(self, states: States, seconds: float) -> States:
        """See `Backend`."""
        return behind_s(states, seconds)

    def generate(self, encoded: Sequence[States], prompts: Sequence[Prompt], **options: Any) -> list[Heard]:
        """See `Backend`."""
        return self._decoder.generate(encoded, prompts, **options)

    def first_logits(self, states: States, start: int) -> Float32:
        """See `Backend`."""
        return self._decoder.first_logits(states, start)

    def align(
        self,
        encoded: Sequence[States],
        start: Sequence[int],
        texts: Sequence[Sequence[int]],
        frames: Sequence[int],
    ) -> Sequence[Alignment]:
        """See `Backend`."""
        found = self._model.align(joined(encoded), list(start), [list(t) for t in texts], list(frames))
        return cast(Sequence[Alignment], found)

    def close(self) -> None:
        """See `Backend`."""
        self._model.unload_model()

    def _width(self) -> int:
        probe = np.zeros((1, self._model.n_mels, 8), np.float32)
        return int(self._model.encode(get_ctranslate2_storage(probe), to_cpu=True).shape[-1])


def _load_fault(options: EngineOptions, device: str, message: str) -> ModelUnavailable:
    if is_out_of_memory(message):
        remedy = "choose a smaller model, or STENO_COMPUTE_TYPE=int8_float16; see what else uses the device"
    else:
        remedy = missing_library(message) or f"if {options.path} was copied in part, copy or fetch it anew"
    return ModelUnavailable(f"model {options.model} can't be loaded on {device}: {message}; {remedy}")
