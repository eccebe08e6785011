"""The official Python SDK, as its users call it: `deepgram_sdk.py {sync|async} URL KEY RAW WAV`.

RAW is a file of 16 kHz linear16, WAV one that is sent whole. Prints what the SDK handed out as JSON.
"""

import asyncio
import json
import sys
import threading
from pathlib import Path
from typing import Any

from deepgram import AsyncDeepgramClient, DeepgramClient, DeepgramClientEnvironment
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from websockets.exceptions import InvalidStatus

CHUNK_BYTES = 6400
LIVE: dict[str, Any] = {
    "model": "nova-3",
    "language": "en-US",
    "encoding": "linear16",
    "sample_rate": 16000,
    "channels": 1,
    "interim_results": True,
    "punctuate": True,
    "vad_events": True,
    "utterance_end_ms": 1000,
    "endpointing": 300,
    "keyterm": ["Quilter", "gospel"],
}


def environment(url: str) -> DeepgramClientEnvironment:
    """All of Deepgram's addresses, pointed at us."""
    socket = url.replace("http", "ws", 1)
    return DeepgramClientEnvironment(base=url, production=socket, agent=socket, agent_rest=url)


def shown(message: Any) -> dict[str, Any]:
    """A message by its class in the SDK, with its fields."""
    return {"class": type(message).__name__, **message.model_dump(mode="json")}


def content(path: str) -> bytes:
    """A file."""
    return Path(path).read_bytes()


def chunks(path: str) -> list[bytes]:
    """A file in pieces."""
    data = content(path)
    return [data[i : i + CHUNK_BYTES] for i in range(0, len(data), CHUNK_BYTES)]


def run_sync(url: str, key: str, raw: str, wav: str) -> dict[str, Any]:
    """Live with a thread that listens, then a file, then a wrong key."""
    client = DeepgramClient(api_key=key, environment=environment(url))
    heard: list[dict[str, Any]] = []
    closed: list[Any] = []
    with client.listen.v1.connect(**LIVE) as connection:
        connection.on(EventType.MESSAGE, lambda message: heard.append(shown(message)))
        connection.on(EventType.CLOSE, lambda _: closed.append(connection._websocket.close_code))
        listener = threading.Thread(target=connection.start_listening)
        listener.start()
        pieces = chunks(raw)
        for piece in pieces[: len(pieces) // 2]:
            connection.send_media(piece)
        connection.send_keep_alive()
        connection.send_finalize()
        for piece in pieces[len(pieces) // 2 :]:
            connection.send_media(piece)
        connection.send_close_stream()
        listener.join(60)
    file = client.listen.v1.media.transcribe_file(
        request=content(wav), model="nova-3", smart_format=True, utterances=True
    )
    try:
        with DeepgramClient(api_key="wrong-key", environment=environment(url)).listen.v1.connect(**LIVE):
            refused = 0
    except ApiError as error:
        refused = error.status_code or 0
    except InvalidStatus as error:  # what this version raises with websockets 14 and later
        refused = error.response.status_code
    return {"live": heard, "close": closed, "file": shown(file), "refused": refused}


async def run_async(url: str, key: str, raw: str, wav: str) -> dict[str, Any]:
    """The same with the asynchronous client."""
    client = AsyncDeepgramClient(api_key=key, environment=environment(url))
    heard: list[dict[str, Any]] = []
    closed: list[Any] = []
    async with client.listen.v1.connect(**LIVE) as connection:
        connection.on(EventType.MESSAGE, lambda message: heard.append(shown(message)))
        connection.on(EventType.CLOSE, lambda _: closed.append(connection._websocket.close_code))
        listener = asyncio.create_task(connection.start_listening())
        pieces = chunks(raw)
        for piece in pieces[: len(pieces) // 2]:
            await connection.send_media(piece)
        await connection.send_keep_alive()
        await connection.send_finalize()
        for piece in pieces[len(pieces) // 2 :]:
            await connection.send_media(piece)
        await connection.send_close_stream()
        await asyncio.wait_for(listener, 60)
    file = await client.listen.v1.media.transcribe_file(
        request=content(wav), model="nova-3", smart_format=True, utterances=True
    )
    try:
        wrong = AsyncDeepgramClient(api_key="wrong-key", environment=environment(url))
        async with wrong.listen.v1.connect(**LIVE):
            refused = 0
    except ApiError as error:
        refused = error.status_code or 0
    return {"live": heard, "close": closed, "file": shown(file), "refused": refused}


def main() -> None:
    """See the head of the file."""
    mode, url, key, raw, wav = sys.argv[1:]
    found = run_sync(url, key, raw, wav) if mode == "sync" else asyncio.run(run_async(url, key, raw, wav))
    print(json.dumps(found))


main()
