"""Live from the microphone: python -m client.examples.live_microphone"""

import asyncio
import sys

from client import Final, LiveSession, Partial, StreamOptions, Unavailable, connect, microphone


async def send(session: LiveSession) -> None:
    try:
        async for chunk in microphone():  # 16 kHz mono pcm16, a tenth of a second at a time, without end
            await session.send(chunk)
    except Unavailable as error:
        print(error, file=sys.stderr)  # it was unplugged, say
    finally:
        await session.end()  # the last finals follow


async def main(url: str = "http://127.0.0.1:8000") -> None:
    async with connect(url, options=StreamOptions(language="en")) as session, asyncio.TaskGroup() as group:
        group.create_task(send(session))
        async for event in session:
            if isinstance(event, Partial):
                print(event.text, end="\r")  # the first event.committed characters will not change
            elif isinstance(event, Final):
                print(event.text)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
