"""File jobs over HTTP: thin routes around `JobIntake` and `JobDesk`, which block and are called in
threads."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, cast

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from api.audit import made
from api.auth import tenant_of
from api.job_desk import JobDesk
from api.job_eraser import JobEraser
from api.job_events import events, last_number
from api.job_intake import JobIntake
from api.params import check_job, check_written, flag, temperature
from api.uploads import FILE, FormRules, body_of, read_form, taken_in
from shared.codec import to_map
from shared.errors import BadParameter
from shared.events import NUMERALS, PROFANITY, check_redact
from shared.formats import FORMATS, format_named
from shared.jobs import CHANNELS, QUEUES, STATUSES, JobOptions, JobRecord, check_http_url, check_job_id
from shared.languages import check_languages
from shared.outbound import is_host_allowed
from shared.redis.job_index import Place
from shared.redis.presence import Presence
from shared.subtitles import Layout

_TEXTS: Final = (
    "language",
    "task",
    "model",
    "prompt",
    "hotwords",
    "numerals",
    "profanity",
    "channels",
    "format",
    "priority",
    "webhook_url",
)
_NUMBERS: Final = ("track", "max_line_chars", "max_lines")
_FLAGS: Final = ("words", "tokens", "diarize")
_LISTS: Final = ("languages", "redact")
_KEY: Final = "idempotency_key"
_FIELDS: Final = (*_TEXTS, *_NUMBERS, "temperature", *_FLAGS, *_LISTS, _KEY)
_KEY_CHARS_MAX: Final = 255
_BODY_BYTES_MAX: Final = 64 * 1024
"""Of a request without a file."""
_PAGE_MAX: Final = 200
_CHOICES: Final = {
    "numerals": NUMERALS,
    "profanity": PROFANITY,
    "channels": CHANNELS,
    "format": tuple(FORMATS),
    "priority": tuple(QUEUES),
}
_FIELD_SCHEMAS: Final[dict[str, Any]] = {
    **{name: {"type": "string"} for name in (*_TEXTS, _KEY)},
    **{name: {"type": "string", "enum": list(choices)} for name, choices in _CHOICES.items()},
    **{name: {"type": "integer"} for name in _NUMBERS},
    "temperature": {"type": "number"},
    **{name: {"type": "boolean"} for name in _FLAGS},
    **{name: {"type": "string"} for name in _LISTS},
}
_SUBMIT_SCHEMA: Final[dict[str, Any]] = {
    "requestBody": {
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FILE],
                    "properties": {FILE: {"type": "string", "format": "binary"}, **_FIELD_SCHEMAS},
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["url"],
                    "properties": {"url": {"type": "string"}, **_FIELD_SCHEMAS},
                }
            },
        }
    },
    "responses": {"200": {"description": "the idempotency key stands for this job already"}},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobParts:
    """What the routes are made of."""

    intake: JobIntake
    desk: JobDesk
    eraser: JobEraser
    presence: Presence
    upload_bytes_max: int
    fetch_hosts: tuple[str, ...] = ()


def job_router(parts: JobParts) -> APIRouter:
    """Routes under `/v1/jobs`."""
    desk, intake = parts.desk, parts.intake

    async def check_tenant(request: Request) -> None:
        """Another tenant's job is not there, on whatever route."""
        if job_id := request.path_params.get("job_id"):
            await run_sync(desk.check_tenant, job_id, tenant_of(request))

    router = APIRouter(prefix="/v1/jobs", tags=["jobs"], dependencies=[Depends(check_tenant)])

    @router.post("", status_code=202, openapi_extra=_SUBMIT_SCHEMA)
    async def submit(request: Request, idempotency_key: Annotated[str, Header()] = "") -> JSONResponse:
        """Queue a file for transcription: in a form, or by its address."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        taking = _fetched if kind == "application/json" else _uploaded
        record, is_new = await taking(parts, request, idempotency_key)
        made(request, record.id)
        return JSONResponse(_body(record), 202 if is_new else 200)

    @router.get("")
    async def listed(
        request: Request,
        status: Annotated[str, Query(json_schema_extra={"enum": list(STATUSES)})] = "",
        limit: Annotated[int, Query(ge=1, le=_PAGE_MAX)] = 50,
        cursor: str = "",
        idempotency_key: str = "",
    ) -> dict[str, Any]:
        """Jobs, newest first. A page with `next_cursor` is not the last."""
        if status and status not in STATUSES:
            raise BadParameter(f"status must be one of {', '.join(STATUSES)}")
        tenant = tenant_of(request)
        if idempotency_key:
            found = await run_sync(partial(intake.find_by_key, idempotency_key, tenant=tenant))
            return {"jobs": [_body(found)] if found and status in ("", found.status) else []}
        below = Place.parse(cursor) if cursor else None
        records, place = await run_sync(
            partial(desk.page, status=status, count=limit, below=below, tenant=tenant)
        )
        more = {} if place is None else {"next_cursor": str(place)}
        return {"jobs": [_body(record) for record in records], **more}

    @router.get("/{job_id}")
    async def status(job_id: str) -> dict[str, Any]:
        """How far a job is."""
        return _body(await run_sync(desk.find, job_id))

    @router.get("/{job_id}/result")
    async def result(
        job_id: str,
        format: Annotated[str, Query(json_schema_extra={"enum": list(FORMATS)})] = "",
        max_line_chars: int | None = None,
        max_lines: int | None = None,
    ) -> Response:
        """The transcript of a finished job, as the job asked for it unless the query does otherwise."""
        if format:
            format_named(format)
        transcript, options = await run_sync(desk.result, job_id)
        chosen = format_named(format or options.format)
        layout = Layout(
            options.max_line_chars if max_line_chars is None else max_line_chars,
            options.max_lines if max_lines is None else max_lines,
        )
        text = await run_sync(chosen.render, transcript, layout)
        return Response(text, media_type=f"{chosen.media_type}; charset=utf-8")

    @router.get("/{job_id}/events")
    async def follow(job_id: str, last_event_id: Annotated[str, Header()] = "") -> StreamingResponse:
        """Progress, finished segments and the end, as server-sent events."""
        number = last_number(last_event_id)
        await run_sync(desk.find, job_id)
        return StreamingResponse(
            events(desk, job_id, number),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    @router.delete("/{job_id}", responses={204: {"description": "the ended job is deleted"}})
    async def remove(job_id: str, erase: bool = False) -> Response:
        """Cancel a job, or delete one that has ended. With `erase`: leave nothing of it behind, whatever its
        state."""
        record = await run_sync(parts.eraser.erase if erase else desk.remove, job_id)
        return Response(status_code=204) if record is None else JSONResponse(_body(record))

    @router.post("/{job_id}/retry", status_code=202)
    async def retry(job_id: str) -> dict[str, Any]:
        """Queue a failed job again."""
        return _body(await run_sync(desk.retry, job_id))

    @router.get("/{job_id}/deliveries")
    async def deliveries(job_id: str) -> dict[str, Any]:
        """The job's webhooks, with every attempt."""
        rows = await run_sync(desk.webhook_log.of, check_job_id(job_id))
        if not rows:
            await run_sync(desk.find, job_id)
        return {"deliveries": [to_map(row) for row in rows]}

    @router.post("/{job_id}/deliveries/{delivery_id}/redeliver", status_code=202)
    async def redeliver(job_id: str, delivery_id: str) -> dict[str, Any]:
        """Send a webhook again."""
        return to_map(await run_sync(desk.redeliver, job_id, delivery_id))

    return router


async def _uploaded(parts: JobParts, request: Request, key: str) -> tuple[JobRecord, bool]:
    """A job whose file is in the form."""
    async with taken_in(parts.intake, tenant=tenant_of(request)) as upload:
        form = await read_form(
            request,
            FormRules(known=_FIELDS, bytes_max=parts.upload_bytes_max),
            partial(run_sync, upload.write),
        )
        if form.file_name is None:
            raise BadParameter(f"the form must have a file in the field {FILE!r}")
        key = _key(form.fields.pop(_KEY, ""), key)
        options = _options(form.fields)
        await _check(parts, options)
    return await run_sync(
        partial(parts.intake.submit, upload, options, name=form.file_name, key=key, tenant=tenant_of(request))
    )


async def _fetched(parts: JobParts, request: Request, key: str) -> tuple[JobRecord, bool]:
    """A job whose file is to be fetched."""
    fields = await _document(request)
    if not parts.fetch_hosts:
        raise BadParameter(
            "files are not fetched here: the operator allows no hosts; send the file in a form"
        )
    url = check_http_url("url", fields.pop("url", ""))
    if not is_host_allowed(url, parts.fetch_hosts):
        raise BadParameter("url names a host that the operator does not allow")
    key = _key(fields.pop(_KEY, ""), key)
    options = _options(fields)
    await _check(parts, options)
    return await run_sync(
        partial(parts.intake.submit_address, url, options, key=key, tenant=tenant_of(request))
    )


async def _document(request: Request) -> dict[str, str]:
    """The fields of a JSON body, as a form would have them."""
    body = bytearray()
    async for chunk in body_of(request):
        body += chunk
        if len(body) > _BODY_BYTES_MAX:
            raise BadParameter(f"the request is over {_BODY_BYTES_MAX} bytes")
    found: Any = None
    with suppress(ValueError, RecursionError):
        found = json.loads(body)
    if not isinstance(found, dict):
        raise BadParameter("the request must be a JSON object with 'url'")
    fields: dict[str, str] = {}
    for name, value in cast(dict[str, Any], found).items():
        if name not in (*_FIELDS, "url"):
            raise BadParameter(f"unknown field {name!r}; known are url, {', '.join(_FIELDS)}")
        if not isinstance(value, str | int | float | bool):
            raise BadParameter(f"{name} must be a string, a number or a boolean")
        fields[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return fields


def _options(fields: Mapping[str, str]) -> JobOptions:
    """Raises `BadParameter`."""
    given: dict[str, Any] = {name: fields[name] for name in _TEXTS if name in fields}
    for name in _NUMBERS:
        if (text := fields.get(name)) is not None:
            if not (text.isascii() and text.isdigit() and len(text) < 7):
                raise BadParameter(f"{name} must be a whole number")
            given[name] = int(text)
    given["temperature"] = temperature(fields)
    if "languages" in fields:
        given["languages"] = check_languages(fields["languages"])
    given["redact"] = check_redact(fields.get("redact", ""))
    given |= {name: flag(fields, name, default=False) for name in _FLAGS}
    return JobOptions(**given)


async def _check(parts: JobParts, options: JobOptions) -> None:
    check_written(options)
    check_job(options, await parts.presence.workers())


def _key(field: str, header: str) -> str:
    """The idempotency key, in a field or in the header of that name. Raises `BadParameter`."""
    if field and header and field != header:
        raise BadParameter(f"{_KEY} and the header Idempotency-Key are not the same")
    key = field or header
    if len(key) > _KEY_CHARS_MAX:
        raise BadParameter(f"{_KEY} must be at most {_KEY_CHARS_MAX} characters")
    return key


def _body(record: JobRecord) -> dict[str, Any]:
    return to_map(record)
