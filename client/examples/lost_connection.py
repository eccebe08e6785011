"""What a program hears of connections that break: python -m client.examples.lost_connection talk.flac"""

import asyncio
import sys

from client import ConnectionChange, Final, LiveSession, Resume, ResumeFailed, connect, media_file


def tell(change: ConnectionChange) -> None:
    if change.is_up:
        print(f"back after {change.down_s:.1f} s and {change.attempts} attempts; nothing was lost")
    else:
        print(f"lost: {change.reason}")


async def send(session: LiveSession, path: str) -> None:
    async for chunk in media_file(path):
        await session.send(chunk)  # goes on while there is no connection, up to Resume.buffer_s of audio
    await session.end()


async def main(path: str, url: str = "http://127.0.0.1:8000") -> None:
    patience = Resume(limit_s=60.0, buffer_s=120.0)
    try:
        async with connect(url, resume=patience, on_connection=tell) as session, asyncio.TaskGroup() as group:
            group.create_task(send(session, path))
            async for event in session:  # every final once and in order, whatever breaks
                if isinstance(event, Final):
                    print(event.text)
    except* ResumeFailed as failed:
        print(f"given up: {failed.exceptions[0]}; what was printed stays valid")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
