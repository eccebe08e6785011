"""A job's server-sent events as they are read line by line. Pure but for the reading."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from client.errors import BadReply
from shared.codec import CodecError, from_map
from shared.jobs import JobRecord
from shared.transcript import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """How far a job is that has not ended."""

    status: str
    progress: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobGone:
    """The job was deleted while it was followed."""

    id: str


JobEvent = JobProgress | Segment | JobRecord | JobGone
"""Progress, a finished segment, or the job as it ended; the last two end the events."""

_KINDS: dict[str, type[JobProgress] | type[Segment]] = {"progress": JobProgress, "segment": Segment}


async def events_in(lines: AsyncIterator[str]) -> AsyncGenerator[tuple[int, JobEvent]]:
    """Each event with its number, 0 where it has none. Raises `BadReply`."""
    fields: dict[str, str] = {}
    async for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        if "data" in fields:
            yield _event(fields)
        fields = {}


def _event(fields: dict[str, str]) -> tuple[int, JobEvent]:
    try:
        data = json.loads(fields["data"])
        number = int(fields.get("id", "0"))
        if fields.get("event") == "end":
            return number, from_map(JobRecord if "status" in data else JobGone, data)
        return number, from_map(_KINDS[fields.get("event", "")], data)
    except (CodecError, ValueError, KeyError):
        raise BadReply("the server's event can't be read; is this a Steno server?") from None
