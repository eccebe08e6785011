"""A file as if it were spoken now: python -m client.examples.live_file talk.flac"""

import asyncio
import sys

from client import Final, LiveSession, connect, media_file


async def send(session: LiveSession, path: str) -> None:
    async for chunk in media_file(
        path, speed=1.0
    ):  # whatever FFmpeg reads; speed=0 is as fast as it is taken
        await session.send(chunk)
    await session.end()


async def main(path: str, url: str = "http://127.0.0.1:8000") -> None:
    async with connect(url) as session, asyncio.TaskGroup() as group:
        group.create_task(send(session, path))
        async for event in session:
            if isinstance(event, Final):
                print(f"{event.start:7.2f} {event.text}")
        print(session.transcript.text)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
