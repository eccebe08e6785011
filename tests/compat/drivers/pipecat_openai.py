"""Pipecat's OpenAI service without streaming: `pipecat_openai.py URL KEY RAW WAV`."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from loguru import logger
from pipecat.services.openai.stt import OpenAISTTService

url, key, _raw, wav = sys.argv[1:]
audio = Path(wav).read_bytes()


async def main() -> None:
    logger.remove()
    found: dict[str, Any] = {}
    for probabilities in (False, True):
        service = OpenAISTTService(base_url=f"{url}/v1", api_key=key, include_prob_metrics=probabilities)
        frames = [frame async for frame in service.run_stt(audio)]
        found[str(probabilities)] = [
            {"kind": type(frame).__name__, "text": getattr(frame, "text", getattr(frame, "error", ""))}
            for frame in frames
            if frame is not None
        ]
    print(json.dumps(found))


asyncio.run(main())
