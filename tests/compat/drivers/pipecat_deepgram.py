"""Pipecat's Deepgram service in a pipeline, as a bot drives it: `pipecat_deepgram.py URL KEY RAW WAV`.

Prints the frames that it pushes as JSON.
"""

import asyncio
import json
import sys
from pathlib import Path
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
from pipecat.services.deepgram.stt import DeepgramSTTService

RATE = 16000
CHUNK_BYTES = RATE * 2 // 50
_SILENCE_S = 0.6
"""Cut off behind the speech: Pipecat's own detector is quick, so that `Finalize` finds it open."""


class Listener(FrameProcessor):
    """Keeps what comes by."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[dict[str, Any]] = []
        self.finalized = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Keep transcripts and errors."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame | InterimTranscriptionFrame):
            final = isinstance(frame, TranscriptionFrame)
            is_finalized = bool(getattr(frame, "finalized", False))
            self.frames.append({"text": frame.text, "final": final, "finalized": is_finalized})
            if is_finalized:
                self.finalized.set()
        elif isinstance(frame, ErrorFrame):
            self.frames.append({"error": frame.error})
        await self.push_frame(frame, direction)


async def main(url: str, key: str, audio: bytes) -> None:
    """Speak at the speed of speech with the marks of a voice detector around it."""
    logger.remove()
    audio = audio[: -int(_SILENCE_S * RATE) * 2]
    service = DeepgramSTTService(api_key=key, base_url=url.replace("http", "ws", 1), sample_rate=RATE)
    listener = Listener()
    task = PipelineTask(
        Pipeline([service, listener]),
        params=PipelineParams(audio_in_sample_rate=RATE),
        cancel_on_idle_timeout=False,
    )

    async def speak() -> None:
        await task.queue_frame(VADUserStartedSpeakingFrame())
        for at in range(0, len(audio), CHUNK_BYTES):
            frame = InputAudioRawFrame(audio[at : at + CHUNK_BYTES], RATE, 1)
            await task.queue_frame(frame)
            await asyncio.sleep(0.02)
        await task.queue_frame(VADUserStoppedSpeakingFrame())
        try:
            await asyncio.wait_for(listener.finalized.wait(), 30)
        finally:
            await task.queue_frame(EndFrame())

    speaking = asyncio.create_task(speak())
    await PipelineRunner(handle_sigint=False).run(task)
    await speaking
    print(json.dumps({"frames": listener.frames}))


asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_bytes()))
