"""A Pipecat pipeline around one speech service, spoken to as a bot is spoken to."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

RATE = 16000
CHUNK_BYTES = RATE * 2 // 50


class Listener(FrameProcessor):
    """Keeps what comes by."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[dict[str, Any]] = []
        self.finals = asyncio.Queue[str]()
        self.finalized = asyncio.Event()
        """A final came that answers a flush."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Keep transcripts and errors."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame | InterimTranscriptionFrame):
            self._heard(frame)
        elif isinstance(frame, ErrorFrame):
            self.frames.append({"error": frame.error})
        await self.push_frame(frame, direction)

    def _heard(self, frame: TranscriptionFrame | InterimTranscriptionFrame) -> None:
        final = isinstance(frame, TranscriptionFrame)
        is_finalized = bool(getattr(frame, "finalized", False))
        self.frames.append({"text": frame.text, "final": final, "finalized": is_finalized})
        if final:
            self.finals.put_nowait(frame.text)
        if is_finalized:
            self.finalized.set()


async def quiet(listener: Listener) -> None:
    """Until nothing more comes for some seconds."""
    while True:
        try:
            await asyncio.wait_for(listener.finals.get(), 8)
        except TimeoutError:
            return


async def talk(
    service: FrameProcessor, audio: bytes, *, until: Callable[[Listener], Awaitable[object]]
) -> list[dict[str, Any]]:
    """The frames that a service pushes when somebody speaks at the speed of speech, with the marks of a voice
    detector around it; it is over when `until` returns."""
    logger.remove()
    listener = Listener()
    task = PipelineTask(
        Pipeline([service, listener]),
        params=PipelineParams(audio_in_sample_rate=RATE),
        cancel_on_idle_timeout=False,
    )

    async def speak() -> None:
        await task.queue_frame(VADUserStartedSpeakingFrame())
        for at in range(0, len(audio), CHUNK_BYTES):
            await task.queue_frame(InputAudioRawFrame(audio[at : at + CHUNK_BYTES], RATE, 1))
            await asyncio.sleep(0.02)
        await task.queue_frame(VADUserStoppedSpeakingFrame())
        try:
            await until(listener)
        finally:
            await task.queue_frame(EndFrame())

    speaking = asyncio.create_task(speak())
    await PipelineRunner(handle_sigint=False).run(task)
    await speaking
    return listener.frames
