"""LiveKit's OpenAI plugin on the Realtime API, as agents drive it: `realtime_livekit.py MODEL URL KEY RAW`.

A model that has no turn detection gets its commits from a voice detector, here one that says when it is told.
Prints its events as JSON.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from livekit import rtc
from livekit.agents import stt, vad
from livekit.agents.utils import http_context
from livekit.plugins import openai

RATE = 24000
SAMPLES = RATE // 50


class ToldStream(vad.VADStream):
    """Says that speech is over when the input is flushed, once."""

    async def _main_task(self) -> None:
        due = [vad.VADEventType.START_OF_SPEECH, vad.VADEventType.END_OF_SPEECH]
        async for data in self._input_ch:
            is_audio = isinstance(data, rtc.AudioFrame)
            if due and is_audio == (due[0] is vad.VADEventType.START_OF_SPEECH):
                self._say(due.pop(0))

    def _say(self, kind: vad.VADEventType) -> None:
        self._event_ch.send_nowait(
            vad.VADEvent(type=kind, samples_index=0, timestamp=0.0, speech_duration=0.0, silence_duration=0.0)
        )


class ToldVAD(vad.VAD):
    """A detector that knows nothing of audio."""

    def __init__(self) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=0.1))
        self.streams: list[ToldStream] = []

    def stream(self) -> vad.VADStream:
        """One stream."""
        self.streams.append(ToldStream(self))
        return self.streams[-1]


async def main(model: str, url: str, key: str, audio: bytes) -> None:
    """Speak at the speed of speech, wait for the last final, end."""
    by_commit = model.startswith("gpt-realtime-whisper")
    detector = ToldVAD() if by_commit else None
    async with http_context.open():
        service = openai.STT(
            model=model,
            language="en",
            api_key=key,
            base_url=f"{url}/v1",
            use_realtime=True,
            **({"vad": detector} if detector else {}),
        )
        stream = service.stream()
        finals = asyncio.Queue[str]()

        async def speak() -> None:
            for at in range(0, len(audio), SAMPLES * 2):
                data = audio[at : at + SAMPLES * 2]
                stream.push_frame(rtc.AudioFrame(data, RATE, 1, len(data) // 2))
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.5)
            if detector:
                detector.streams[-1].flush()
            while True:  # the last final is there when nothing more comes for some seconds
                try:
                    await asyncio.wait_for(finals.get(), 8)
                except TimeoutError:
                    break
            await stream.aclose()  # it reads until then, whatever it was told of its input

        speaking = asyncio.create_task(speak())
        events: list[dict[str, Any]] = []
        async for event in stream:
            said = event.alternatives[0] if event.alternatives else None
            kind = str(event.type.value)
            events.append({"type": kind, "text": said.text if said else "", "id": event.request_id})
            if event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
                finals.put_nowait(kind)
        await speaking
        await service.aclose()
        print(json.dumps({"events": events}))


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]).read_bytes()))
