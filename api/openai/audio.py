"""`POST /v1/audio/transcriptions` and `/translations`: an upload, a file job, the answer."""

import base64
import binascii
import json
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from api.audit import made
from api.auth import tenant_of
from api.job_intake import Upload
from api.jobs import JobParts
from api.openai import streaming
from api.openai.asked import FIELDS, Asked, parse
from api.openai.errors import REQUEST_ID, request_id
from api.openai.models import Models
from api.openai.replies import reply
from api.params import check_job
from api.sync_jobs import transcript_of
from api.uploads import FILE, FormRules, body_of, read_form, taken_in
from shared.errors import BadAudio, BadParameter, TooLarge
from shared.jobs import INTERACTIVE, NORMAL, JobRecord

INTERACTIVE_BYTES_MAX: Final = 32 * 1024**2
"""Larger files wait their turn: short ones are not to wait for them."""
_DOCUMENT_BYTES_MAX: Final = 96 * 1024**2
"""Of a JSON request, which has to be held in memory."""
_PIECE_BYTES: Final = 1024**2


@dataclass(frozen=True, slots=True)
class _Taken:
    """What came with a request beside the audio."""

    asked: Asked
    name: str


class Audio:
    """Takes requests, one file each."""

    def __init__(self, parts: JobParts, models: Models) -> None:
        self._parts = parts
        self._models = models

    async def answer(self, request: Request, task: str) -> Response:
        """The transcript, or a stream of it."""
        headers = {REQUEST_ID: request_id()}
        record, asked = await self._submitted(request, task)
        if asked.stream:
            return streaming.EventStream(
                streaming.events(self._parts.desk, record.id, asked), headers=headers
            )
        _, transcript = await transcript_of(self._parts.desk, record.id, request)
        answer = reply(transcript, asked)
        answer.headers.update(headers)
        return answer

    async def _submitted(self, request: Request, task: str) -> tuple[JobRecord, Asked]:
        intake = self._parts.intake
        await self._models.served()  # before the upload: nobody would decode it
        async with taken_in(intake, tenant=tenant_of(request)) as upload:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            reading = _document if kind == "application/json" else _form
            taken = await reading(request, upload, self._parts.upload_bytes_max, task)
            if not upload.size_bytes:
                raise BadAudio("file is empty: there is no audio in it")
            model = await self._models.find(taken.asked.model)
            priority = INTERACTIVE if upload.size_bytes <= INTERACTIVE_BYTES_MAX else NORMAL
            options = taken.asked.options(model, priority=priority)
            check_job(options, await self._parts.presence.workers())
        submit = partial(intake.submit, upload, options, name=taken.name, tenant=tenant_of(request))
        record, _ = await run_sync(submit)
        made(request, record.id)
        return record, taken.asked


def audio_router(parts: JobParts, models: Models) -> APIRouter:
    """The routes under `/v1/audio`."""
    router = APIRouter(prefix="/v1/audio", tags=["openai"])
    audio = Audio(parts, models)

    @router.post("/transcriptions")
    async def transcriptions(request: Request) -> Response:
        """Write down what is said in a file."""
        return await audio.answer(request, "transcribe")

    @router.post("/translations")
    async def translations(request: Request) -> Response:
        """Write down in English what is said in a file."""
        return await audio.answer(request, "translate")

    return router


async def _form(request: Request, upload: Upload, bytes_max: int, task: str) -> _Taken:
    rules = FormRules(known=FIELDS, bytes_max=bytes_max, strict=False)
    form = await read_form(request, rules, partial(run_sync, upload.write))
    if form.file_name is None:
        raise BadParameter(f"{FILE} is missing: the form must have the audio in it", param=FILE)
    return _Taken(parse(form.items, task), form.file_name)


async def _document(request: Request, upload: Upload, bytes_max: int, task: str) -> _Taken:
    """A request as JSON, with the audio in base64."""
    body = bytearray()
    async for chunk in body_of(request):
        body += chunk
        if len(body) > _DOCUMENT_BYTES_MAX:
            raise TooLarge(f"a JSON request may have {_DOCUMENT_BYTES_MAX} bytes; send the file in a form")
    items, data, kind = await run_sync(_read_document, body)
    if len(data) > bytes_max:
        raise TooLarge(f"the file is over {bytes_max} bytes, the most that this server takes")
    for start in range(0, len(data), _PIECE_BYTES):
        await run_sync(upload.write, data[start : start + _PIECE_BYTES])
    return _Taken(parse(items, task), f"audio.{kind}" if kind.isalnum() else "audio")


def _read_document(body: bytearray) -> tuple[list[tuple[str, str]], bytes, str]:
    """The fields, the audio and what it is said to be."""
    found: Any = None
    with suppress(ValueError, RecursionError):
        found = json.loads(body)
    if not isinstance(found, dict):
        raise BadParameter("the request must be a form, or a JSON object with 'input_audio'")
    fields = cast(dict[str, Any], found)
    given: Any = fields.get("input_audio")
    audio = cast(dict[str, Any], given) if isinstance(given, dict) else {}
    text = audio.get("data")
    if not isinstance(text, str):
        raise BadParameter("input_audio.data must be the audio in base64", param="input_audio")
    try:
        data = base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
    except (binascii.Error, ValueError):
        raise BadParameter("input_audio.data is not base64", param="input_audio") from None
    items: list[tuple[str, str]] = []
    for name, value in fields.items():
        if name in FIELDS:
            values = cast(list[Any], value) if isinstance(value, list) else [value]
            items += [(name, _text(item)) for item in values if item is not None]
    return items, data, str(audio.get("format") or "")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
