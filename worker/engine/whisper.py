"""Whisper on any backend, with faster-whisper's tokenizer, features and alignment.

What differs from `WhisperModel.transcribe`: the encoder is given a window as long as the audio needs
instead of 30 padded seconds (`worker.core.window`), windows of several sessions are decoded as one batch,
and timestamps come from alignment instead of from timestamp tokens, which are slower to decode. A decode
that runs on is done again with a longer window when it is a final, and given up when it is a partial.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Final, cast

import numpy as np
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import (
    get_suppressed_tokens,
)

from shared.audio.pcm import SAMPLE_RATE
from shared.transcript import join
from worker.core.decode import DecodeRequest, DecodeResult, EngineInfo, Kind
from worker.core.filters import AVG_LOGPROB
from worker.core.window import FRAMES_MAX, longer_windows, token_cap
from worker.engine.alignment import TimedWords, word_times
from worker.engine.api import EngineOptions
from worker.engine.backend import Backend
from worker.engine.encoder import Encoder
from worker.engine.prompt import Heard, Prompt, fitted_together
from worker.engine.room import Room, within
from worker.engine.rows import (
    Group,
    Output,
    Row,
    is_doubtful,
    is_partial,
    merit,
    read_output,
    softmax,
)

log = logging.getLogger(__name__)

_HINT_TOKENS_MAX: Final = 64
_EARLIER_TOKENS_MAX: Final = 64
"""Most tokens that a decode is given of hotwords and prompt, and of earlier text; each costs little, but more
of it invites loops."""
_BEAM_FINAL: Final = 5
_BEAM_FILE: Final = 3
"""Wider beams make no fewer errors on whole recordings and cost a quarter more (docs/engine.md, "Files")."""
_NO_REPEAT_PARTIAL: Final = 5
"""Tokens that a partial may not say twice in a row of that length: greedy decoding of words that are cut off
runs in circles, and a partial that does is lost."""
_FALLBACK_TEMPERATURES: Final = (0.2, 0.6)
"""Tried in turn when a final looks wrong. Two, not the reference's five: someone waits for a live final."""
_NUMBER_SIGNS: Final = "%$€£¥"


class WhisperEngine:
    """See the module. `name` of the model is for people."""

    def __init__(self, backend: Backend, options: EngineOptions) -> None:
        self._backend = backend
        loaded = backend.loaded
        self._info = EngineInfo(
            name=loaded.engine,
            model=options.model,
            device=loaded.device,
            compute_type=loaded.compute_type,
            languages=loaded.languages,
            parallel=options.threads,
            batch_max=loaded.batch_max,
        )
        self._tokenizers: dict[tuple[str, str], Tokenizer] = {}
        self._encoder = Encoder(backend, options.window)
        self._room = Room(loaded.batch_max)

    @property
    def info(self) -> EngineInfo:
        """Capabilities."""
        return self._info

    def prepare(self) -> None:
        """Decode a second of silence: allocates buffers and finds kernels."""
        silence = np.zeros(SAMPLE_RATE, np.float32)
        self.decode([DecodeRequest(kind=Kind.PARTIAL, audio=silence, language="en", words=True)])

    def decode(self, batch: Sequence[DecodeRequest]) -> list[DecodeResult]:
        """See `Engine.decode`. Rows that fit together are decoded together; the others one after another. A
        batch that does not fit into the device's memory is decoded in parts."""
        return within(self._room, batch, self._decode_part)

    def close(self) -> None:
        """Unload the weights."""
        self._backend.close()

    # Rows

    def _encode(self, request: DecodeRequest, frames: int) -> Row:
        began_s = time.perf_counter()
        encoded = self._encoder.encode(request.audio, frames)
        encode_s = time.perf_counter() - began_s
        detected, probability = "", 1.0
        if request.detect or not request.language:
            detected, probability = self._detect(encoded, request)
        tokenizer = self._tokenizer(request.language or detected, request.task)
        given = join(request.left, request.prefix)
        prompt = Prompt(
            hints=_last_tokens(tokenizer, f"{request.hotwords} {request.prompt}", _HINT_TOKENS_MAX),
            earlier=_last_tokens(tokenizer, request.context, _EARLIER_TOKENS_MAX),
            task=(*tokenizer.sot_sequence, tokenizer.no_timestamps),
            prefix=tuple(tokenizer.encode(" " + given)) if given else (),
            previous=tokenizer.sot_prev,
        )
        return Row(
            request,
            tokenizer,
            detected,
            probability,
            encoded,
            frames=frames,
            prompt=prompt,
            encode_s=encode_s,
        )

    def _detect(self, encoded: Any, request: DecodeRequest) -> tuple[str, float]:
        """The likeliest language of the request's own audio, and its probability among those allowed."""
        codes = [code for code in self.info.languages if code in request.languages or not request.languages]
        if len(codes) < 2:
            return (codes or self.info.languages)[0], 1.0
        tokenizer = self._tokenizer("en", "transcribe")
        numbers = [tokenizer.tokenizer.token_to_id(f"<|{code}|>") or 0 for code in codes]
        own = self._backend.behind(encoded, request.left_s) if request.left_s else encoded
        probabilities = softmax(self._backend.first_logits(own, tokenizer.sot)[numbers])
        best = int(probabilities.argmax())
        return codes[best], float(probabilities[best])

    def _no_speech_prob(self, row: Row, heard: Heard) -> float:
        """Asked for where it matters, or is told: it costs a call of its own, and says nothing when speech
        that was heard before stands in the window."""
        if row.request.left or (heard.avg_logprob >= AVG_LOGPROB and not row.request.tokens):
            return 0.0
        number = row.tokenizer.no_speech
        return float(softmax(self._backend.first_logits(row.encoded, row.tokenizer.sot))[number])

    def _tokenizer(self, language: str, task: str) -> Tokenizer:
        key = (language, task)
        if key not in self._tokenizers:
            self._tokenizers[key] = Tokenizer(
                self._backend.tokenizer, self.info.multilingual, task=task, language=language
            )
        return self._tokenizers[key]

    # Decoding

    def _decode_part(self, part: Sequence[DecodeRequest]) -> list[DecodeResult]:
        windows = self._encoder.windows(part)
        return self._decode_rows([self._encode(r, n) for r, n in zip(part, windows, strict=True)])

    def _decode_rows(self, rows: list[Row]) -> list[DecodeResult]:
        rows = _fitted(rows)
        groups: defaultdict[tuple[Group, int], list[int]] = defaultdict(list)
        for index, row in enumerate(rows):
            groups[row.group].append(index)
        results: dict[int, DecodeResult] = {}
        for indexes in groups.values():
            group = [rows[i] for i in indexes]
            outputs = self._first_attempt(group)
            if not is_partial(group[0]):
                improved = [self._improve(row, output) for row, output in zip(group, outputs, strict=True)]
                group, outputs = [row for row, _ in improved], [output for _, output in improved]
            timed = word_times(self._backend, group, outputs)
            for index, row, output, words in zip(indexes, group, outputs, timed, strict=True):
                results[index] = _result(row, output, words)
        return [results[i] for i in range(len(rows))]

    def _first_attempt(self, rows: list[Row]) -> list[Output]:
        temperature = rows[0].request.temperature
        if temperature > 0:
            return self._generate(rows, temperature=temperature)
        if is_partial(rows[0]):
            return self._generate(rows, beam=rows[0].request.beam or 1)
        usual = _BEAM_FILE if rows[0].request.kind is Kind.FILE else _BEAM_FINAL
        return self._generate(rows, beam=rows[0].request.beam or usual)

    def _improve(self, row: Row, output: Output) -> tuple[Row, Output]:
        """Decode again what looks wrong: with longer windows first, then with temperature."""
        for frames in longer_windows(row.frames) if row.frames < FRAMES_MAX else ():
            if not output.runaway:
                break
            again = self._encode(row.request, frames)
            again = replace(again, encode_s=row.encode_s + again.encode_s)
            (row,) = _fitted([again])
            output = self._first_attempt([row])[0]
        best = output
        for temperature in _FALLBACK_TEMPERATURES:
            if temperature <= row.request.temperature:
                continue
            if not is_doubtful(output):
                return row, output
            output = self._generate([row], temperature=temperature)[0]
            best = max(best, output, key=merit)
        return row, output if not is_doubtful(output) else best

    def _generate(self, rows: list[Row], *, beam: int = 1, temperature: float = 0.0) -> list[Output]:
        heard = self._backend.generate(
            [row.encoded for row in rows],
            [row.prompt for row in rows],
            budget=max(token_cap(row.request.own_s, row.tokenizer.language_code) for row in rows),
            beam=beam,
            temperature=temperature,
            no_repeat=_NO_REPEAT_PARTIAL if is_partial(rows[0]) else 0,
            suppress=self._suppressed(rows[0]),
        )
        log.debug("decoded %d rows of %d frames", len(rows), rows[0].frames)
        return [
            read_output(row, answer, self._no_speech_prob(row, answer), temperature)
            for row, answer in zip(rows, heard, strict=True)
        ]

    def _suppressed(self, row: Row) -> list[int]:
        usual = cast(list[int], get_suppressed_tokens(row.tokenizer, cast(Any, [-1])))
        return [*usual, *self._digits] if row.request.no_digits else usual

    @cached_property
    def _digits(self) -> list[int]:
        """Tokens that hold a digit, or a sign that stands for a word beside one: without them a number is
        written as it is spoken."""
        tokenizer = self._tokenizer("en", "transcribe")
        texts = ((number, tokenizer.decode([number])) for number in range(tokenizer.eot))
        return [number for number, text in texts if any(c.isdigit() or c in _NUMBER_SIGNS for c in text)]


def _result(row: Row, output: Output, words: TimedWords) -> DecodeResult:
    return DecodeResult(
        text=output.text,
        language=row.tokenizer.language_code,
        detected=row.detected,
        language_probability=row.language_probability,
        words=tuple(word for word, _ in words),
        tokens=tuple(tokens for _, tokens in words) if row.request.tokens else (),
        temperature=output.temperature,
        avg_logprob=output.avg_logprob,
        no_speech_prob=output.no_speech_prob,
        compression_ratio=output.compression_ratio,
        encode_s=row.encode_s,
        window_s=row.frames / 100,
        steps=output.steps,
        runaway=output.runaway,
    )


def _fitted(rows: Sequence[Row]) -> list[Row]:
    """With prompts of one length where rows could be decoded together. Those of files are left as they are:
    their text must not depend on what they are decoded with."""
    if rows and rows[0].request.kind is Kind.FILE:
        return [replace(row, prompt=row.prompt.fitted()) for row in rows]
    alike: defaultdict[Group, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        alike[row.kin].append(index)
    fitted = list(rows)
    for indexes in alike.values():
        prompts = fitted_together([rows[i].prompt for i in indexes])
        for i, prompt in zip(indexes, prompts, strict=True):
            fitted[i] = replace(rows[i], prompt=prompt)
    return fitted


def _last_tokens(tokenizer: Tokenizer, text: str, most: int) -> tuple[int, ...]:
    text = text.strip()
    return tuple(tokenizer.encode(" " + text)[-most:]) if text else ()
