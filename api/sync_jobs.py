"""A file job as one request: the client waits for its transcript, and whoever hangs up cancels it."""

import asyncio
from typing import Final

from anyio import CancelScope
from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect, Request

from api.job_desk import JobDesk
from shared import errors
from shared.errors import StenoError
from shared.jobs import JobProblem, JobRecord
from shared.transcript import Transcript

_LOOK_S: Final = 0.05
"""How often a job is looked at, at first; later less often, in proportion to how long it takes."""
_LOOK_S_MAX: Final = 0.5
_LOOK_SHARE: Final = 0.02


async def transcript_of(desk: JobDesk, job_id: str, request: Request) -> tuple[JobRecord, Transcript]:
    """The ended job and its transcript, once it is there. The job goes then: nobody else knows its id.

    Raises the error that the job failed with, and `ClientDisconnect` when the client hung up; the request
    must have been read to its end. The job is cancelled when this is left early.
    """
    try:
        record = await _ended(desk, job_id, request)
        transcript, _ = await run_sync(desk.result, job_id)
        return record, transcript
    finally:
        with CancelScope(shield=True):
            await run_sync(desk.forget, job_id)


async def _ended(desk: JobDesk, job_id: str, request: Request) -> JobRecord:
    clock = asyncio.get_running_loop().time
    begun_s = clock()
    while True:
        record = await run_sync(desk.find, job_id)
        if record.error is not None:
            raise problem_of(record.error)
        if record.is_over:
            return record
        if await request.is_disconnected():
            raise ClientDisconnect
        await asyncio.sleep(look_s(clock() - begun_s))


def look_s(waited_s: float) -> float:
    """Seconds to the next look at a job that was waited for so long already."""
    return min(_LOOK_S_MAX, max(_LOOK_S, _LOOK_SHARE * waited_s))


def problem_of(problem: JobProblem) -> StenoError:
    """The error that a job failed with, of its own class where that is known."""
    kinds: dict[str, type[StenoError]] = {
        kind.code: kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, StenoError)
    }
    return kinds.get(problem.code, StenoError)(problem.message)
