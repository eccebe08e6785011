"""Whole utterances: FastRTC's `ReplyOnPause` with the workers' voice detector."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.audio import Audio, to_pcm16
from assistant.engine import STTEngine
from assistant.fastrtc.library import FASTRTC
from shared.audio.pcm import SAMPLE_RATE, pcm16_to_float
from worker.core.endpointing import EndpointOptions
from worker.core.framing import FRAME_SAMPLES
from worker.engine import silero
from worker.engine.silero import SileroVad


class Pauses:
    """FastRTC's `PauseDetectionModel`: the workers' voice detector. One for all connections, from any
    thread."""

    def vad(self, audio: Audio, options: Any = None) -> tuple[float, list[dict[str, int]]]:
        """Seconds of speech in a piece of audio, and where they are, in samples at 16 kHz. `options` are
        another detector's, and not looked at."""
        samples = pcm16_to_float(to_pcm16(audio))
        samples = np.pad(samples, (0, -len(samples) % FRAME_SAMPLES))
        spans = list(_spans(SileroVad().frames(samples)))
        return sum(end - start for start, end in spans) / SAMPLE_RATE, [
            {"start": start, "end": end} for start, end in spans
        ]

    def warmup(self) -> None:
        """Load the network."""
        silero.prepare()


def _spans(probabilities: Iterable[float]) -> Iterator[tuple[int, int]]:
    """Stretches of speech, with the endpointer's two thresholds."""
    options = EndpointOptions()
    start: int | None = None
    position = 0
    for probability in probabilities:
        if start is None and probability >= options.on:
            start = position
        elif start is not None and probability < options.off:
            yield start, position
            start = None
        position += FRAME_SAMPLES
    if start is not None:
        yield start, position


class OnPause(FASTRTC.ReplyOnPause):
    """`ReplyOnPause` that hears how an utterance begins: FastRTC's own drops the piece of audio before the
    first one with enough speech in it, and with it up to 0.2 s of the first word."""

    _before: NDArray[Any] | None = None

    def determine_pause(self, audio: NDArray[Any], sampling_rate: int, state: Any) -> bool:
        """See `ReplyOnPause`."""
        had_begun = state.started_talking
        is_over = bool(super().determine_pause(audio, sampling_rate, state))
        if state.started_talking and not had_begun and self._before is not None:
            state.stream = np.concatenate((self._before, state.stream))
        if len(audio) / sampling_rate >= self.algo_options.audio_chunk_duration:
            kept = round(EndpointOptions().pre_roll_s * sampling_rate)
            self._before = None if state.started_talking else audio[-kept:]
        return is_over

    def copy(self) -> "OnPause":
        """One for another connection."""
        return OnPause(
            self.fn,
            self.startup_fn,
            self.algo_options,
            self.model_options,
            self.can_interrupt,
            self.expected_layout,
            self.output_sample_rate,
            None,
            self.input_sample_rate,
            self.model,
            self.needs_args,
        )


def on_pause(engine: STTEngine, reply: Callable[[str, Audio], Iterable[Any]], **options: Any) -> OnPause:
    """A handler that calls `reply` with the text and audio of each utterance once it is over, and plays what
    that yields: whatever `ReplyOnPause` may yield. Utterances without words are passed over. `options` are
    those of `ReplyOnPause`."""

    def fn(audio: Audio) -> Iterator[Any]:
        if text := engine.stt(audio):
            yield from reply(text, audio)

    return OnPause(fn, model=Pauses(), **options)
