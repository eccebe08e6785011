"""File jobs over HTTP: thin routes around `JobDesk`, which blocks and is called in threads."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, cast

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData, UploadFile
from starlette.types import Message, Receive

from api.job_desk import JobDesk
from api.params import check_against_workers, flag
from shared.codec import to_map
from shared.errors import BadParameter, TooLarge
from shared.events import SessionConfig
from shared.formats import FORMATS, format_named
from shared.jobs import JobOptions, JobRecord
from shared.redis.presence import Presence

_FORM_BYTES: Final = 64 * 1024
"""What a form may hold beside the file: fields, boundaries, part headers."""
_TEXT_FIELDS: Final = ("language", "task", "model", "prompt", "hotwords")
_FIELDS: Final = (*_TEXT_FIELDS, "words")
_FORM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        **{name: {"type": "string"} for name in _TEXT_FIELDS},
        "words": {"type": "boolean"},
    },
}


def job_router(desk: JobDesk, presence: Presence, *, upload_bytes_max: int) -> APIRouter:
    """Routes under `/v1/jobs`."""
    router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

    @router.post(
        "",
        status_code=202,
        openapi_extra={"requestBody": {"content": {"multipart/form-data": {"schema": _FORM_SCHEMA}}}},
    )
    async def submit(request: Request) -> dict[str, Any]:
        """Queue a file for transcription."""
        _check_length(request, upload_bytes_max)
        limited = Request(request.scope, _limited(request.receive, upload_bytes_max + _FORM_BYTES))
        async with limited.form(max_files=1, max_fields=len(_FIELDS), max_part_size=_FORM_BYTES) as form:
            upload, options = _read_form(form)
            if (upload.size or 0) > upload_bytes_max:
                raise _too_large(upload_bytes_max)
            wanted = SessionConfig(language=options.language, task=options.task, model=options.model)
            check_against_workers(wanted, await presence.workers())
            return _body(await run_sync(desk.submit, upload.file, options))

    @router.get("/{job_id}")
    async def status(job_id: str) -> dict[str, Any]:
        """How far a job is."""
        return _body(await run_sync(desk.find, job_id))

    @router.get("/{job_id}/result")
    async def result(
        job_id: str, format: str = Query("json", json_schema_extra={"enum": list(FORMATS)})
    ) -> Response:
        """The transcript of a finished job."""
        chosen = format_named(format)
        text = await run_sync(lambda: chosen.render(desk.result(job_id)))
        return Response(text, media_type=f"{chosen.media_type}; charset=utf-8")

    @router.delete("/{job_id}", responses={204: {"description": "the ended job is deleted"}})
    async def remove(job_id: str) -> Response:
        """Cancel a job, or delete one that has ended."""
        record = await run_sync(partial(desk.remove, job_id))
        return Response(status_code=204) if record is None else JSONResponse(_body(record))

    return router


def _body(record: JobRecord) -> dict[str, Any]:
    return to_map(record)


def _read_form(form: FormData) -> tuple[UploadFile, JobOptions]:
    """The file and the options. Raises `BadParameter`."""
    for name in form:
        if name != "file" and name not in _FIELDS:
            raise BadParameter(f"unknown field {name!r}; known are file, {', '.join(_FIELDS)}")
    upload = form.get("file")
    if not isinstance(upload, UploadFile):
        raise BadParameter("the form must have a file in the field 'file'")
    fields = {name: value for name, value in form.items() if name != "file"}
    if not all(isinstance(value, str) for value in fields.values()):
        raise BadParameter("only the field 'file' may hold a file")
    texts = cast(Mapping[str, str], fields)
    given = {name: texts[name] for name in _TEXT_FIELDS if name in texts}
    return upload, JobOptions(**given, words=flag(texts, "words", default=False))


def _check_length(request: Request, upload_bytes_max: int) -> None:
    """Refuse at once what says itself that it is too large."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > upload_bytes_max + _FORM_BYTES:
        raise _too_large(upload_bytes_max)


def _limited(receive: Receive, bytes_max: int) -> Receive:
    """`receive` that stops reading at a limit, whatever the client said about its length."""
    count = 0

    async def counted() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > bytes_max:
            raise _too_large(bytes_max - _FORM_BYTES)
        return message

    return counted


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"the file is over {bytes_max} bytes, the most that this server takes; send it in pieces")
