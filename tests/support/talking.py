"""People whose every word is known speak to a service, and what its workers hold meanwhile."""

import asyncio
from collections.abc import Sequence

from shared.redis.keys import GROUP, Keys
from tests.support.live import RawSession, raw_session
from tests.support.marked import Talk
from tests.support.redis_client import client_of
from tests.support.service import Service

_CHUNK_BYTES = 3200
_CHUNK_S = 0.1
_WAIT_S_MAX = 60.0


async def say(
    session: RawSession,
    said: Talk,
    *,
    pace: float,
    pause_bytes: int = 0,
    rest: asyncio.Event | None = None,
) -> None:
    """Say all of it in a session that is open, at `pace` times the speed of speech, and hear it to its end;
    with `rest`, nothing behind the first `pause_bytes` before it is set."""
    hearing = asyncio.create_task(session.until_closed())
    for start in range(0, len(said.pcm16), _CHUNK_BYTES):
        if rest and start >= pause_bytes:
            await rest.wait()
        await session.socket.send(said.pcm16[start : start + _CHUNK_BYTES])
        await asyncio.sleep(_CHUNK_S / pace)
    await session.say("end")
    await hearing


async def speak(
    service: Service, said: Talk, *, pace: float, pause_bytes: int = 0, rest: asyncio.Event | None = None
) -> RawSession:
    """A session of its own for `say`."""
    async with raw_session(service.ws_url) as session:
        await say(session, said, pace=pace, pause_bytes=pause_bytes, rest=rest)
    return session


async def until_held(service: Service, sessions: int) -> dict[str, int]:
    """Wait until so many sessions are held by workers; returns how many by each."""
    async with client_of(service.redis_url) as client, asyncio.timeout(_WAIT_S_MAX):
        while True:
            held = await client.xpending(Keys().queue(0), GROUP)
            if held["pending"] == sessions:
                return {row["name"].decode(): row["pending"] for row in held["consumers"]}
            await asyncio.sleep(0.02)


def check(sessions: Sequence[RawSession], talks: Sequence[Talk]) -> None:
    """Every word once, in order, in its own session; numbers of events rise, those of utterances have no
    gap."""
    for session, said in zip(sessions, talks, strict=True):
        assert session.messages[-1]["type"] == "closed", session.messages[-1]
        assert session.transcript.split() == list(said.words)
        assert [m["seq"] for m in session.messages] == sorted({m["seq"] for m in session.messages})
        assert [m["utterance"] for m in session.of("final")] == list(range(len(session.of("final"))))
