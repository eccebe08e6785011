"""A client at the edge of a stack of containers."""

import asyncio

from client import Final, StreamOptions, connect
from shared.tasks import end_tasks
from tests.images.conftest import KEY


async def speak(url: str, pcm16: bytes, *, pace: float) -> str:
    """Play audio at `pace` times the speed of speech. Returns the finals' text, after a check that each
    utterance has one."""
    finals = list[Final]()
    address = url.replace("http", "ws", 1)
    async with connect(address, api_key=KEY, options=StreamOptions(language="en")) as session:

        async def hear() -> None:
            async for event in session:
                if isinstance(event, Final):
                    finals.append(event)

        hearing = asyncio.create_task(hear())
        try:
            for start_byte in range(0, len(pcm16), 3200):
                await session.send(pcm16[start_byte : start_byte + 3200])
                await asyncio.sleep(0.1 / pace)
            await session.end()
            await hearing
        finally:
            await end_tasks([hearing])
    assert [final.utterance for final in finals] == list(range(len(finals)))
    return " ".join(final.text for final in finals)
