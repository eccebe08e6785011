"""Pipecat's Deepgram service in a pipeline, as a bot drives it: `pipecat_deepgram.py URL KEY RAW WAV`.

Prints the frames that it pushes as JSON.
"""

import asyncio
import json
import sys
from pathlib import Path

from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat_talk import RATE, talk

_SILENCE_S = 0.6
"""Cut off behind the speech: Pipecat's own detector is quick, so that `Finalize` finds it open."""


async def main(url: str, key: str, audio: bytes) -> None:
    """Speak until the flush is answered."""
    service = DeepgramSTTService(api_key=key, base_url=url.replace("http", "ws", 1), sample_rate=RATE)
    frames = await talk(
        service,
        audio[: -int(_SILENCE_S * RATE) * 2],
        until=lambda listener: asyncio.wait_for(listener.finalized.wait(), 30),
    )
    print(json.dumps({"frames": frames}))


asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_bytes()))
