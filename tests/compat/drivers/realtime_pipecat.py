"""Pipecat's OpenAI Realtime service in a pipeline: `realtime_pipecat.py MODE URL KEY RAW`.

MODE is `local` (its own voice detector ends turns, the service commits) or `server`. Prints the frames that
it pushes as JSON.
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
from pipecat.services.openai.stt import OpenAIRealtimeSTTService

RATE = 16000
CHUNK_BYTES = RATE * 2 // 50


class Listener(FrameProcessor):
    """Keeps what comes by."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[dict[str, Any]] = []
        self.finals = asyncio.Queue[str]()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Keep transcripts and errors."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame | InterimTranscriptionFrame):
            final = isinstance(frame, TranscriptionFrame)
            self.frames.append({"text": frame.text, "final": final})
            if final:
                self.finals.put_nowait(frame.text)
        elif isinstance(frame, ErrorFrame):
            self.frames.append({"error": frame.error})
        await self.push_frame(frame, direction)


async def main(mode: str, url: str, key: str, audio: bytes) -> None:
    """Speak at the speed of speech with the marks of a voice detector around it."""
    logger.remove()
    local = mode == "local"
    model = "gpt-realtime-whisper" if local else "gpt-4o-transcribe"
    service = OpenAIRealtimeSTTService(
        api_key=key,
        base_url=url.replace("http", "ws", 1) + "/v1/realtime",
        turn_detection=False if local else {"type": "server_vad", "silence_duration_ms": 800},
        settings=OpenAIRealtimeSTTService.Settings(model=model),
        sample_rate=RATE,
    )
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
        while True:  # the last final is there when nothing more comes for some seconds
            try:
                await asyncio.wait_for(listener.finals.get(), 8)
            except TimeoutError:
                break
        await task.queue_frame(EndFrame())

    speaking = asyncio.create_task(speak())
    await PipelineRunner(handle_sigint=False).run(task)
    await speaking
    print(json.dumps({"frames": listener.frames}))


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]).read_bytes()))
