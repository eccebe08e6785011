"""LiveKit's OpenAI plugin without streaming: `livekit_openai.py URL KEY RAW WAV`."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from livekit import rtc
from livekit.agents.types import APIConnectOptions
from livekit.plugins import openai

url, key, raw, _wav = sys.argv[1:]
data = Path(raw).read_bytes()


async def main() -> None:
    frame = rtc.AudioFrame(data, 16_000, 1, len(data) // 2)
    found: dict[str, Any] = {}
    for model in ("gpt-4o-mini-transcribe", "whisper-1"):
        stt = openai.STT(base_url=f"{url}/v1", api_key=key, model=model, language="en")
        event = await stt.recognize(buffer=[frame], conn_options=APIConnectOptions(max_retry=0, timeout=60))
        found[model] = event.alternatives[0].text
        await stt.aclose()
    print(json.dumps(found))


asyncio.run(main())
