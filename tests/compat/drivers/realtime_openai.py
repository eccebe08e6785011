"""The official Python package on the Realtime API: `realtime_openai.py MODE URL KEY RAW`.

MODE is `intent`, `model` or `beta`: how it connects. Turns are ended by the server, and the end by a commit.
Prints every event as JSON.
"""

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI, AuthenticationError, OpenAIError
from websockets.exceptions import InvalidStatus

CHUNK_BYTES = 3200
COMPLETED = "conversation.item.input_audio_transcription.completed"


def session(mode: str) -> tuple[str, dict[str, Any]]:
    """The configuration, and the event that sets it."""
    vad = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 600}
    if mode == "beta":
        return "transcription_session.update", {
            "input_audio_format": "pcm16",
            "input_audio_transcription": {"model": "gpt-4o-transcribe", "language": "en"},
            "turn_detection": vad,
        }
    audio_input = {
        "format": {"type": "audio/pcm", "rate": 24000},
        "transcription": {"model": "gpt-4o-transcribe", "language": "en"},
        "turn_detection": vad,
        "noise_reduction": {"type": "near_field"},
    }
    return "session.update", {"type": "transcription", "audio": {"input": audio_input}}


def connecting(client: AsyncOpenAI, mode: str) -> Any:
    """The connection's manager."""
    if mode == "beta":
        return client.beta.realtime.connect(
            model="gpt-4o-realtime-preview", extra_query={"intent": "transcription"}
        )
    if mode == "model":
        return client.realtime.connect(model="gpt-realtime", extra_query={"intent": "transcription"})
    return client.realtime.connect(extra_query={"intent": "transcription"})


async def main(mode: str, url: str, key: str, audio: bytes) -> None:
    """Speak faster than a person, and read until every committed item is complete."""
    base = f"{url}/v1"
    client = AsyncOpenAI(api_key=key, base_url=base, websocket_base_url=base.replace("http", "ws", 1))
    events: list[dict[str, Any]] = []
    async with connecting(client, mode) as connection:
        events.append((await connection.recv()).to_dict())
        kind, wanted = session(mode)
        await connection.send({"type": kind, "session": wanted})

        async def speak() -> None:
            for at in range(0, len(audio), CHUNK_BYTES):
                chunk = base64.b64encode(audio[at : at + CHUNK_BYTES]).decode()
                await connection.input_audio_buffer.append(audio=chunk)
            await connection.input_audio_buffer.commit()

        speaking = asyncio.create_task(speak())
        async for event in connection:
            events.append({"class": type(event).__name__, **event.to_dict()})
            # The talk ends in a pause, so that the commit is answered with an empty item.
            if event.type == "error" or (event.type == COMPLETED and not event.transcript):
                break
        await speaking
    try:
        async with connecting(
            AsyncOpenAI(api_key="wrong-key", base_url=base, websocket_base_url=base.replace("http", "ws", 1)),
            mode,
        ):
            refused: Any = "connected"
    except InvalidStatus as error:
        refused = error.response.status_code
    except AuthenticationError as error:
        refused = error.status_code
    except OpenAIError as error:
        refused = str(error)
    print(json.dumps({"events": events, "refused": refused}))


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]).read_bytes()))
