"""Pipecat's OpenAI Realtime service in a pipeline: `realtime_pipecat.py MODE URL KEY RAW`.

MODE is `local` (its own voice detector ends turns, the service commits) or `server`. Prints the frames that
it pushes as JSON.
"""

import asyncio
import json
import sys
from pathlib import Path

from pipecat.services.openai.stt import OpenAIRealtimeSTTService
from pipecat_talk import RATE, quiet, talk


async def main(mode: str, url: str, key: str, audio: bytes) -> None:
    """Speak until the last final is there."""
    local = mode == "local"
    model = "gpt-realtime-whisper" if local else "gpt-4o-transcribe"
    service = OpenAIRealtimeSTTService(
        api_key=key,
        base_url=url.replace("http", "ws", 1) + "/v1/realtime",
        turn_detection=False if local else {"type": "server_vad", "silence_duration_ms": 800},
        settings=OpenAIRealtimeSTTService.Settings(model=model),
        sample_rate=RATE,
    )
    print(json.dumps({"frames": await talk(service, audio, until=quiet)}))


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]).read_bytes()))
