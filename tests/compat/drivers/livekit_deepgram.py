"""LiveKit's Deepgram plugin, as an agent drives it: `livekit_deepgram.py URL KEY RAW WAV`.

Prints its events as JSON.
"""

import asyncio
import json
import sys
import wave
from pathlib import Path
from typing import Any

import aiohttp
from livekit import rtc
from livekit.agents import stt
from livekit.plugins import deepgram

RATE = 16000
SAMPLES = RATE // 50


async def main(url: str, key: str, audio: bytes, file_audio: bytes) -> None:
    """Live at the speed of speech with a flush behind it, then a file."""
    async with aiohttp.ClientSession() as session:
        service = deepgram.STT(
            model="nova-3", language="en-US", api_key=key, base_url=f"{url}/v1/listen", http_session=session
        )
        stream = service.stream()

        async def speak() -> None:
            for at in range(0, len(audio), SAMPLES * 2):
                data = audio[at : at + SAMPLES * 2]
                stream.push_frame(rtc.AudioFrame(data, RATE, 1, len(data) // 2))
                await asyncio.sleep(0.02)
            stream.flush()
            await asyncio.sleep(1.0)
            stream.end_input()

        speaking = asyncio.create_task(speak())
        events: list[dict[str, Any]] = []
        async for event in stream:
            said = event.alternatives[0] if event.alternatives else None
            events.append(
                {
                    "type": str(event.type.value),
                    "text": said.text if said else "",
                    "confidence": said.confidence if said else 0.0,
                    "words": len(said.words or []) if said else 0,
                }
            )
        await speaking
        frame = rtc.AudioFrame(file_audio, RATE, 1, len(file_audio) // 2)
        file = await service.recognize([frame], language="en")
        assert file.type == stt.SpeechEventType.FINAL_TRANSCRIPT
        print(json.dumps({"live": events, "file": file.alternatives[0].text}))


with wave.open(sys.argv[4]) as wav:
    recorded = wav.readframes(wav.getnframes())
asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_bytes(), recorded))
