"""Deepgram's `POST /v1/listen`: a file, or the address of one, and its transcript as the answer."""

import hashlib
import json
import logging
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast

from anyio.to_thread import run_sync
from fastapi import Request as HttpRequest
from fastapi import Response
from fastapi.responses import JSONResponse

from api.audit import made
from api.auth import tenant_of
from api.conversation import broker_lost
from api.deepgram.errors import refusal
from api.deepgram.query import Asked, model_of, parse
from api.deepgram.recorded import answer, wave_header
from api.deepgram.shapes import Request, new_request
from api.jobs import JobParts
from api.params import check_job
from api.sync_jobs import transcript_of
from api.uploads import body_of, taken_in
from shared.errors import BadAudio, BadParameter, StenoError, TooLarge
from shared.jobs import JobOptions, JobRecord, check_http_url
from shared.outbound import is_host_allowed
from shared.redis.connection import ConnectionLost

log = logging.getLogger(__name__)

_PIECE_BYTES: Final = 1024**2
"""What is written at once."""
_DOCUMENT_BYTES_MAX: Final = 64 * 1024


class Files:
    """Takes files in, one request each."""

    def __init__(self, parts: JobParts) -> None:
        self._parts = parts

    async def listen(self, http: HttpRequest) -> Response:
        """Transcribe a file."""
        request = new_request()
        try:
            return await self._answer(http, request)
        except StenoError as error:
            if error.blame == "server":
                log.warning("a file for Deepgram's protocol: %s: %s", error.code, error.message)
            return refusal(error, request.id)
        except ConnectionLost:
            return refusal(broker_lost(), request.id)

    async def _answer(self, http: HttpRequest, request: Request) -> Response:
        asked = parse(http.query_params.multi_items(), live=False)
        workers = await self._parts.presence.workers()
        model = model_of(asked, workers)
        options = asked.job(model)
        check_job(options, workers)
        kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            record, sha256 = await self._fetched(http, options), ""
        else:
            record, sha256 = await self._uploaded(http, asked, options)
        made(http, record.id)
        served = model or next((worker.model for worker in workers), "")
        record, transcript = await transcript_of(self._parts.desk, record.id, http)
        document = answer(
            transcript,
            asked,
            replace(request, model=served),
            sha256=sha256 or record.sha256 or "",
            channels=record.channels or 1,
        )
        headers = {"dg-request-id": request.id}
        if asked.ignored:
            headers["steno-ignored"] = ",".join(asked.ignored)
        return JSONResponse(document, headers=headers)

    async def _uploaded(self, http: HttpRequest, asked: Asked, options: JobOptions) -> tuple[JobRecord, str]:
        """A job for the body."""
        intake = self._parts.intake
        async with taken_in(intake, tenant=tenant_of(http)) as upload:
            sha256 = await self._store(http, asked, partial(run_sync, upload.write))
        record, _ = await run_sync(partial(intake.submit, upload, options, tenant=tenant_of(http)))
        return record, sha256

    async def _store(self, http: HttpRequest, asked: Asked, write: Any) -> str:
        """Write the body as it comes, as a file that says what it is. Returns its SHA-256."""
        digest, piece = hashlib.sha256(), bytearray()
        length, is_begun = 0, False
        async for data in body_of(http):
            digest.update(data)
            length += len(data)
            if length > self._parts.upload_bytes_max:
                raise TooLarge(f"the file is over {self._parts.upload_bytes_max} bytes")
            piece += data
            if len(piece) >= _PIECE_BYTES:
                await write(_begin(asked, piece, is_begun))
                piece, is_begun = bytearray(), True
        if not length:
            raise BadAudio("the request has no audio in its body")
        if piece:
            await write(_begin(asked, piece, is_begun))
        return digest.hexdigest()

    async def _fetched(self, http: HttpRequest, options: JobOptions) -> JobRecord:
        """A job for the file at an address."""
        hosts = self._parts.fetch_hosts
        url = check_http_url("url", await _url(http))
        if not hosts:
            raise BadParameter(
                "files are not fetched here: the operator allows no hosts; send the file itself"
            )
        if not is_host_allowed(url, hosts):
            raise BadParameter("url names a host that the operator does not allow")
        record, _ = await run_sync(
            partial(self._parts.intake.submit_address, url, options, tenant=tenant_of(http))
        )
        return record


def _begin(asked: Asked, piece: bytearray, is_begun: bool) -> bytes:
    data = bytes(piece)
    return data if is_begun or asked.audio is None else wave_header(asked.audio, data) + data


async def _url(http: HttpRequest) -> str:
    body = bytearray()
    async for data in body_of(http):
        body += data
        if len(body) > _DOCUMENT_BYTES_MAX:
            raise BadParameter(f"the request is over {_DOCUMENT_BYTES_MAX} bytes")
    found: Any = None
    with suppress(ValueError, RecursionError):
        found = json.loads(body)
    url = cast(dict[str, Any], found).get("url") if isinstance(found, dict) else None
    if not isinstance(url, str):
        raise BadParameter("a JSON request must be an object with 'url'; audio has a type of its own")
    return url
