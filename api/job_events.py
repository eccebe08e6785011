"""A job as server-sent events: how far it is, its finished segments as they come, and its end.

The number of a segment is the event's id, so a client that was cut off goes on behind the last one it has
(`Last-Event-ID`), while the job runs and after it has ended.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from typing import Any, Final

from anyio.to_thread import run_sync

from api.job_desk import JobDesk
from api.sync_jobs import look_s
from shared.codec import to_map
from shared.errors import BadParameter
from shared.formats import segment_map
from shared.jobs import JobRecord

_SILENCE_S: Final = 15.0
"""A comment is sent when nothing else was for this long, so that proxies keep the connection."""


def last_number(last_event_id: str | None) -> int:
    """The number of the last segment that a client has. Raises `BadParameter`."""
    text = last_event_id or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadParameter("Last-Event-ID must be the id of an event of this job")
    return int(text)


async def events(desk: JobDesk, job_id: str, number: int) -> AsyncGenerator[str]:
    """The events behind segment `number`, up to the job's end or its disappearance. Look the job up first:
    this raises nothing for one that is not there."""
    shown: Any = None
    begun_s = said_at_s = time.monotonic()
    while True:
        # The job before its segments: all of them are there once it has ended.
        record, segments = await run_sync(desk.follow, job_id, number)
        lines: list[str] = []
        for segment in segments:
            number += 1
            lines.append(_event("segment", segment_map(segment), number))
        if record is None or record.is_over:
            lines.append(_event("end", {"id": job_id} if record is None else to_map(record)))
        elif (now := _progress(record)) != shown:
            shown = now
            lines.append(_event("progress", now))
        elif not lines and time.monotonic() - said_at_s > _SILENCE_S:
            lines.append(": the job goes on\n\n")
        if lines:
            said_at_s = time.monotonic()
            yield "".join(lines)
        if record is None or record.is_over:
            return
        await asyncio.sleep(look_s(time.monotonic() - begun_s))


def _progress(record: JobRecord) -> dict[str, Any]:
    waits = {} if record.position is None else {"position": record.position}
    return {"status": record.status, "progress": record.progress, **waits}


def _event(kind: str, data: dict[str, Any], number: int | None = None) -> str:
    ident = "" if number is None else f"id: {number}\n"
    return f"event: {kind}\n{ident}data: {json.dumps(data, ensure_ascii=False)}\n\n"
