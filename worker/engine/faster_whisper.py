"""Whisper on CTranslate2, with faster-whisper's loader, tokenizer, features and alignment.

What differs from `WhisperModel.transcribe`: the encoder is given a window as long as the audio needs
instead of 30 padded seconds (`worker.core.window`), windows of several sessions are decoded as one batch,
and timestamps come from alignment instead of from timestamp tokens, which are slower to decode. A decode
that runs on is done again with the full window when it is a final, and given up when it is a partial.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import (
    get_compression_ratio,
    get_ctranslate2_storage,
    get_suppressed_tokens,
    merge_punctuations,
)

from shared.audio.pcm import SAMPLE_RATE, Float32
from shared.errors import EngineFault, ModelUnavailable
from shared.events import Word
from shared.transcript import join
from worker.core.decode import DecodeRequest, DecodeResult, EngineInfo, Kind
from worker.core.filters import AVG_LOGPROB, COMPRESSION_RATIO, NO_SPEECH_PROB, ends_in_repeat
from worker.core.hypothesis import fold, units
from worker.core.window import FRAMES_MAX, is_runaway, policy_for, token_cap
from worker.engine.api import EngineOptions

log = logging.getLogger(__name__)

_FRAME_SAMPLES: Final = 160
_CONTEXT_TOKENS_MAX: Final = 96
"""Earlier text and hotwords that a decode is given; each costs little, but more of it invites loops."""
_BEAM_FINAL: Final = 5
_FALLBACK_TEMPERATURES: Final = (0.2, 0.6)
"""Tried in turn when a final looks wrong. Two, not the reference's five: someone waits for a live final."""
_PREPENDED: Final = "\"'“¿([{-"
_APPENDED: Final = "\"'.。,，!！?？:：”)]}、"
_BATCH_MAX_CPU: Final = 4
_BATCH_MAX_CUDA: Final = 16


@dataclass(frozen=True, slots=True)
class _Row:
    """One request on its way through a batch."""

    request: DecodeRequest
    tokenizer: Tokenizer
    language_probability: float
    encoded: Any
    """Encoder states, [1, frames / 2, width]."""
    frames: int
    """Mel frames of the window, padding included."""
    prompt: tuple[int, ...]
    prefix_tokens: int

    @property
    def group(self) -> tuple[int, int]:
        """Rows of one call must agree in the length of their windows and in where the transcript starts."""
        return self.frames, len(self.prompt) - self.prefix_tokens


@dataclass(frozen=True, slots=True)
class _Output:
    """Tokens of one row, left and prefix included, with the model's own opinion of them. `text` is without
    left."""

    tokens: tuple[int, ...]
    text: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    runaway: bool


class FasterWhisperEngine:
    """See the module. `options.threads` decodes run at once, each on one CPU thread, sharing the weights."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        device, compute_type = choose_device(options.device, options.compute_type)
        try:
            self._whisper = WhisperModel(
                str(options.path),
                device=device,
                compute_type=compute_type,
                cpu_threads=1,
                num_workers=options.threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelUnavailable(f"model {options.model} can't be loaded on {device}: {error}") from None
        self._model = self._whisper.model
        languages = tuple(self._whisper.supported_languages)
        self._info = EngineInfo(
            name="faster_whisper",
            model=options.model,
            device=device,
            compute_type=self._model.compute_type,
            languages=languages,
            parallel=options.threads,
            batch_max=_BATCH_MAX_CPU if device == "cpu" else _BATCH_MAX_CUDA,
        )
        self._tokenizers: dict[tuple[str, str], Tokenizer] = {}

    @property
    def info(self) -> EngineInfo:
        """Capabilities."""
        return self._info

    def prepare(self) -> None:
        """Decode a second of silence: allocates buffers and finds kernels."""
        silence = np.zeros(SAMPLE_RATE, np.float32)
        self.decode([DecodeRequest(kind=Kind.PARTIAL, audio=silence, language="en", words=True)])

    def decode(self, batch: Sequence[DecodeRequest]) -> list[DecodeResult]:
        """See `Engine.decode`. Rows that fit together are decoded together; the others one after another."""
        try:
            rows = [self._encode(request) for request in batch]
            return self._decode_rows(rows)
        except (
            RuntimeError
        ) as error:  # what CTranslate2 raises; its text names shapes and devices, not speech
            raise EngineFault(f"the decoder failed: {error}") from None

    def close(self) -> None:
        """Unload the weights."""
        self._model.unload_model()

    # Rows

    def _encode(self, request: DecodeRequest, frames: int | None = None) -> _Row:
        features = self._features(request.audio, frames or self._policy.frames(request.duration_s))
        encoded = self._model.encode(get_ctranslate2_storage(features[None]), to_cpu=False)
        language, probability = request.language, 1.0
        if not language:
            language, probability = self._detect(encoded)
        tokenizer = self._tokenizer(language, request.task)
        given = join(request.left, request.prefix)
        prefix = tokenizer.encode(" " + given) if given else []
        prompt = (
            *self._history(tokenizer, request),
            *tokenizer.sot_sequence,
            tokenizer.no_timestamps,
            *prefix,
        )
        return _Row(request, tokenizer, probability, encoded, features.shape[1], prompt, len(prefix))

    @cached_property
    def _policy(self) -> Any:
        probe = np.zeros((self._mels, 8), np.float32)
        width = self._model.encode(get_ctranslate2_storage(probe[None]), to_cpu=True).shape[-1]
        return policy_for(width)

    @property
    def _mels(self) -> int:
        return int(self._whisper.model.n_mels)

    def _features(self, audio: Float32, frames: int) -> Float32:
        """Log-mel of the audio, filled up with the value that stands for silence after normalisation."""
        audio = audio[: FRAMES_MAX * _FRAME_SAMPLES]
        mel = self._whisper.feature_extractor(audio, padding=_FRAME_SAMPLES)[:, :frames]
        return np.pad(mel, ((0, 0), (0, frames - mel.shape[1]))).astype(np.float32)

    def _detect(self, encoded: Any) -> tuple[str, float]:
        if not self.info.multilingual:
            return "en", 1.0
        token, probability = self._model.detect_language(encoded)[0][0]
        return token.strip("<|>"), float(probability)

    def _tokenizer(self, language: str, task: str) -> Tokenizer:
        key = (language, task)
        if key not in self._tokenizers:
            self._tokenizers[key] = Tokenizer(
                self._whisper.hf_tokenizer, self.info.multilingual, task=task, language=language
            )
        return self._tokenizers[key]

    def _history(self, tokenizer: Tokenizer, request: DecodeRequest) -> list[int]:
        text = f"{request.hotwords} {request.context}".strip()
        if not text:
            return []
        return [tokenizer.sot_prev, *tokenizer.encode(" " + text)[-_CONTEXT_TOKENS_MAX:]]

    # Decoding

    def _decode_rows(self, rows: list[_Row]) -> list[DecodeResult]:
        groups: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for index, row in enumerate(rows):
            groups[row.group].append(index)
        results: dict[int, DecodeResult] = {}
        for indexes in groups.values():
            group = [rows[i] for i in indexes]
            outputs = self._generate(group, beam=1 if _is_partial(group[0]) else _BEAM_FINAL)
            for index, row, output in zip(indexes, group, outputs, strict=True):
                results[index] = self._finish(row, output)
        return [results[i] for i in range(len(rows))]

    def _finish(self, row: _Row, output: _Output) -> DecodeResult:
        if not _is_partial(row):
            row, output = self._improve(row, output)
        words = self._align(row, output) if row.request.words and not output.runaway else ()
        return DecodeResult(
            text=output.text,
            language=row.tokenizer.language_code,
            language_probability=row.language_probability,
            words=words,
            avg_logprob=output.avg_logprob,
            no_speech_prob=output.no_speech_prob,
            compression_ratio=output.compression_ratio,
            runaway=output.runaway,
        )

    def _improve(self, row: _Row, output: _Output) -> tuple[_Row, _Output]:
        """Decode again what looks wrong: with the full window first, then with temperature."""
        if output.runaway and row.frames < FRAMES_MAX:
            row = self._encode(row.request, FRAMES_MAX)
            output = self._generate([row], beam=_BEAM_FINAL)[0]
        best = output
        for temperature in _FALLBACK_TEMPERATURES:
            if not _is_doubtful(output):
                return row, output
            output = self._generate([row], temperature=temperature)[0]
            best = max(best, output, key=_merit)
        return row, output if not _is_doubtful(output) else best

    def _generate(self, rows: list[_Row], *, beam: int = 1, temperature: float = 0.0) -> list[_Output]:
        request = rows[0].request
        start = len(rows[0].prompt) - rows[0].prefix_tokens
        language = rows[0].tokenizer.language_code
        budget = max(token_cap(row.request.own_s, language) + row.prefix_tokens for row in rows)
        sampling: dict[str, Any] = {"beam_size": beam}
        if temperature > 0:
            sampling = {"sampling_topk": 0, "sampling_temperature": temperature, "num_hypotheses": 1}
        results = self._model.generate(
            _joined(rows),
            [list(row.prompt) for row in rows],
            # CTranslate2 allows min(max_length / 2, max_length - start) tokens, prefix included.
            max_length=min(max(2 * budget, budget + start), 448),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=get_suppressed_tokens(rows[0].tokenizer, cast(Any, [-1])),
            **sampling,
        )
        log.debug("decoded %d rows of %d frames for a %s", len(rows), rows[0].frames, request.kind.name)
        return [_output(row, result) for row, result in zip(rows, results, strict=True)]

    def _align(self, row: _Row, output: _Output) -> tuple[Word, ...]:
        """Word times by the cross-attention of the alignment heads, as faster-whisper does it."""
        if not output.tokens:
            return ()
        frames = min(row.frames, max(2, len(row.request.audio) // _FRAME_SAMPLES))
        alignments = self._whisper.find_alignment(
            row.tokenizer, cast(Any, [list(output.tokens)]), row.encoded, frames
        )
        alignment = cast(Any, alignments[0])
        merge_punctuations(alignment, _PREPENDED, _APPENDED)
        return _behind(row.request.left, [_word(item) for item in alignment if item["word"].strip()])


def choose_device(device: str, compute_type: str) -> tuple[str, str]:
    """What runs best here: CUDA when there is a device, int8 on a CPU, int8_float16 or float16 on CUDA."""
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() > 0 else "cpu"
    if compute_type != "auto":
        return device, compute_type
    if device == "cpu":
        return device, "int8"
    supported = ctranslate2.get_supported_compute_types("cuda")
    return device, next(t for t in ("int8_float16", "float16", "int8", "float32") if t in supported)


def _word(item: Any) -> Word:
    return Word(
        text=item["word"].strip(),
        start=round(float(item["start"]), 3),
        end=round(float(item["end"]), 3),
        probability=round(float(item["probability"]), 4),
    )


def _behind(left: str, words: list[Word]) -> tuple[Word, ...]:
    """The words that follow those of `left`, told by their letters: how text is cut into words depends on
    what follows."""
    before = len("".join(left.split()))
    kept: list[Word] = []
    for word in words:
        if before <= 0:
            kept.append(word)
        before -= len("".join(word.text.split()))
    return tuple(kept)


def _is_partial(row: _Row) -> bool:
    return row.request.kind is Kind.PARTIAL


def _is_doubtful(output: _Output) -> bool:
    """The reference implementation's reasons to decode again."""
    if output.no_speech_prob > NO_SPEECH_PROB and output.avg_logprob < AVG_LOGPROB:
        return False  # silence; another temperature only invents text
    return output.runaway or output.compression_ratio > COMPRESSION_RATIO or output.avg_logprob < AVG_LOGPROB


def _merit(output: _Output) -> tuple[bool, float]:
    return not output.runaway and output.compression_ratio <= COMPRESSION_RATIO, output.avg_logprob


def _is_loop(row: _Row, text: str, tokens: tuple[int, ...]) -> bool:
    """A repeated end in a short window; with the full window it is taken to be what was said."""
    if row.frames >= FRAMES_MAX:
        return False
    # Punctuation and case may differ between the two.
    folded = [fold(unit) for unit in units(text)]
    return ends_in_repeat(tokens) or ends_in_repeat(folded)


def _joined(rows: list[_Row]) -> Any:
    """Encoder states of all rows as one batch."""
    if len(rows) == 1:
        return rows[0].encoded
    states = [np.asarray(row.encoded.to_device(ctranslate2.Device.cpu)) for row in rows]
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(np.concatenate(states)))


def _output(row: _Row, result: Any) -> _Output:
    tokenizer = row.tokenizer
    tokens = tuple(t for t in result.sequences_ids[0] if t < tokenizer.eot)
    fresh = len(tokens) - row.prefix_tokens
    text = str(tokenizer.decode(list(tokens))).strip()
    if row.request.left:
        # Punctuation right behind what was said before still belongs to that.
        text = text.removeprefix(row.request.left).lstrip(_APPENDED + " ")
    return _Output(
        tokens=tokens,
        text=text,
        # The score is the mean over all tokens; those of the prefix count nothing in the sum.
        avg_logprob=float(result.scores[0]) * len(tokens) / (fresh + 1),
        no_speech_prob=float(result.no_speech_prob),
        compression_ratio=float(get_compression_ratio(text)) if text else 1.0,
        runaway=is_runaway(fresh, row.request.own_s, tokenizer.language_code) or _is_loop(row, text, tokens),
    )
