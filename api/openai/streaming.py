"""`stream=true`: the text of a file as server-sent events, each piece as soon as it is decoded."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any, Final

from anyio import CancelScope
from anyio.to_thread import run_sync
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.faults import Fault, fault_of
from api.job_desk import JobDesk
from api.openai.asked import Asked
from api.openai.errors import error_body
from api.openai.replies import delta_of, diarized_segments, logprobs, segment_id, token_usage
from api.sync_jobs import problem_of
from shared.jobs import FINISHED, JobRecord
from shared.redis.connection import ConnectionLost
from shared.transcript import Segment, Token, Transcript, join

_LOOK_S: Final = 0.1
_LOOK_S_MAX: Final = 0.5
_SILENCE_S: Final = 10.0
"""A comment is sent when nothing else was for this long, so that proxies keep the connection."""
HEADERS: Final = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class EventStream(StreamingResponse):
    """Server-sent events whose source is closed whatever becomes of the client."""

    def __init__(self, events: AsyncGenerator[str], headers: dict[str, str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers=HEADERS | headers)
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await self._events.aclose()


async def events(desk: JobDesk, job_id: str, asked: Asked) -> AsyncGenerator[str]:
    """The events of a job, up to its last; the job goes then, and also when this is left early."""
    said = _Said(asked)
    clock = asyncio.get_running_loop().time
    look_s, spoke_s = _LOOK_S, clock()
    try:
        while True:
            record, segments = await run_sync(desk.follow, job_id, said.count)
            lines = [line for segment in segments for line in said.take(segment)]
            if record is None or record.is_over:
                if asked.format == "diarized_json" and record and record.status == FINISHED:
                    # Who speaks is known once the whole file was heard.
                    transcript, _ = await run_sync(desk.result, job_id)
                    lines += said.segments(transcript)
                yield "".join(lines) + said.end(record)
                return
            if lines or clock() - spoke_s > _SILENCE_S:
                spoke_s = clock()
                yield "".join(lines) or ": decoding\n\n"
            await asyncio.sleep(look_s)
            look_s = min(_LOOK_S_MAX, look_s * 1.1)
    except ConnectionLost:
        yield _error(Fault(status=503, code="broker_lost", message="Redis can't be reached", retryable=True))
    finally:
        with CancelScope(shield=True):
            await run_sync(desk.forget, job_id)


class _Said:
    """What was sent so far."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._text = ""
        self._tokens: list[Token] = []
        self.count = 0
        """Segments."""

    def take(self, segment: Segment) -> list[str]:
        """The events that say a segment."""
        self.count += 1
        text = delta_of(self._text, segment)
        self._text = join(self._text, segment.text)
        self._tokens += segment.tokens
        delta: dict[str, Any] = {"type": "transcript.text.delta", "delta": text}
        if self._asked.logprobs:
            delta["logprobs"] = logprobs(segment.tokens)
        if self._asked.format == "diarized_json":
            delta["segment_id"] = segment_id(self.count)
        return [_event(delta)]

    def segments(self, transcript: Transcript) -> list[str]:
        """The events that say who speaks."""
        return [_event(row) for row in diarized_segments(transcript)]

    def end(self, record: JobRecord | None) -> str:
        """The last event."""
        if record is None or record.status != FINISHED:
            if record and record.error:
                return _error(fault_of(problem_of(record.error)))
            return _error(Fault(status=500, code="internal", message="the job is gone"))
        done: dict[str, Any] = {
            "type": "transcript.text.done",
            "text": self._text,
            "usage": token_usage(record.duration or 0.0, len(self._tokens)),
        }
        if self._asked.logprobs:
            done["logprobs"] = logprobs(tuple(self._tokens))
        return _event(done)


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False, allow_nan=False)}\n\n"


def _error(fault: Fault) -> str:
    return _event(error_body(fault))
