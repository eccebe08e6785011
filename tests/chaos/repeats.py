"""Audio that reaches Redis a second time, or out of order, in the name of the connection that owns the
session: what an edge would do whose commands were repeated or overtook each other on the way."""

import random
from typing import Final

from shared.errors import MustResume, NotFound, TakenOver
from shared.redis.connection import connect
from shared.redis.keys import Keys
from shared.redis.replies import stream_entries
from shared.redis.sessions import SessionLog

_ENTRIES: Final = 8
_FAR_SAMPLES: Final = 16_000 * 3600
"""So far ahead that the session's own audio does not arrive there meanwhile."""


async def repeat_appends(url: str, draw: random.Random) -> tuple[int, list[str]]:
    """Append the newest audio of every open session again, in a drawn order, and audio from far ahead.
    Returns how much was appended again, and what Redis did not refuse."""
    client = connect(url)
    log = SessionLog(client, Keys(), resume_s=20.0)
    repeated, wrong = 0, list[str]()
    try:
        for key in [key.decode() async for key in client.scan_iter(match="steno:*:s:*:audio")]:
            session = key.split(":")[3]
            connection = int(await client.hget(Keys().session(session).state, "connection") or 0)
            entries = stream_entries([[key, await client.xrevrange(key, count=_ENTRIES)]])
            chunks = [(int(i.split(b"-")[0]), fields[b"d"]) for i, fields in entries if b"d" in fields]
            draw.shuffle(chunks)
            try:
                for end, pcm16 in chunks:
                    repeated += 1
                    if await log.append(session, end - len(pcm16) // 2, pcm16, connection=connection):
                        wrong.append(f"{session}: audio up to {end} was taken twice")
                if chunks:
                    await log.append(session, chunks[0][0] + _FAR_SAMPLES, b"\0\0", connection=connection)
                    wrong.append(f"{session}: audio was taken behind a gap")
            except (NotFound, TakenOver, MustResume):
                continue
    finally:
        await client.aclose()
    return repeated, wrong
