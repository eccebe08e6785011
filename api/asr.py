"""whisper-asr-webservice's two routes, for subtitle tools such as Bazarr."""

import struct
from functools import partial
from typing import Annotated, Final

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from api.audit import made
from api.auth import tenant_of
from api.faults import Fault
from api.job_intake import Upload
from api.jobs import JobParts
from api.openai.asked import language_code
from api.params import check_job
from api.sync_jobs import transcript_of
from api.uploads import FormRules, read_form, taken_in
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE
from shared.errors import BadAudio, BadParameter
from shared.formats import format_named
from shared.jobs import INTERACTIVE, NORMAL, TEXT_CHARS_MAX, JobOptions
from shared.languages import LANGUAGES
from shared.transcript import Transcript

_FILE: Final = "audio_file"
_OUTPUTS: Final = ("txt", "vtt", "srt", "tsv", "json")
_DETECT_BYTES: Final = 30 * SAMPLE_RATE * SAMPLE_BYTES
"""Of raw audio, what its language is told from."""


def asr_shape(fault: Fault) -> JSONResponse:
    """An error as those clients show it."""
    return JSONResponse({"detail": fault.message}, fault.status, fault.all_headers)


def asr_router(parts: JobParts) -> APIRouter:
    """The routes. What they are asked beside their parameters here is ignored."""
    router = APIRouter(tags=["asr"])

    @router.post("/asr")
    async def asr(
        request: Request,
        encode: bool = True,
        task: str = "transcribe",
        language: str = "",
        initial_prompt: str = "",
        word_timestamps: bool = False,
        output: Annotated[str, Query(json_schema_extra={"enum": list(_OUTPUTS)})] = "txt",
    ) -> Response:
        """Write down what is said in a file."""
        if output not in _OUTPUTS:
            raise BadParameter(f"output must be one of {', '.join(_OUTPUTS)}")
        options = JobOptions(
            task=task,
            language=language_code(language),
            prompt=initial_prompt[-TEXT_CHARS_MAX:],
            words=word_timestamps,
            priority=NORMAL,  # whole films come here
        )
        transcript = await _transcribed(parts, request, options, raw=not encode)
        chosen = format_named(output)
        text = await run_sync(chosen.render, transcript, options.layout)
        return Response(text, media_type=f"{chosen.media_type}; charset=utf-8")

    @router.post("/detect-language")
    async def detect_language(request: Request, encode: bool = True) -> Response:
        """Say which language is spoken in a file; of raw audio, in its first 30 s."""
        options = JobOptions(priority=INTERACTIVE)
        transcript = await _transcribed(parts, request, options, raw=not encode, raw_bytes_max=_DETECT_BYTES)
        code = transcript.language
        if not code:
            raise BadAudio("no speech was found, so no language")
        return JSONResponse({"detected_language": LANGUAGES[code].lower(), "language_code": code})

    return router


async def _transcribed(
    parts: JobParts, request: Request, options: JobOptions, *, raw: bool, raw_bytes_max: int | None = None
) -> Transcript:
    """The transcript of the file in the form. Raises `ClientDisconnect` when the client hung up."""
    intake = parts.intake
    check_job(options, await parts.presence.workers())
    async with taken_in(intake, tenant=tenant_of(request)) as upload:
        writer = _Writer(upload, raw=raw, raw_bytes_max=raw_bytes_max)
        rules = FormRules(known=(), bytes_max=parts.upload_bytes_max, file=_FILE, strict=False)
        form = await read_form(request, rules, partial(run_sync, writer.write))
        if form.file_name is None:
            raise BadParameter(f"{_FILE} is missing: the form must have the audio in it")
        if not upload.size_bytes:
            raise BadAudio(f"{_FILE} is empty: there is no audio in it")
    submit = partial(intake.submit, upload, options, name=form.file_name, tenant=tenant_of(request))
    record, _ = await run_sync(submit)
    made(request, record.id)
    return (await transcript_of(parts.desk, record.id, request))[1]


class _Writer:
    """Stores the upload. Raw audio, 16 kHz mono pcm16 without a header, gets one."""

    def __init__(self, upload: Upload, *, raw: bool, raw_bytes_max: int | None) -> None:
        self._upload = upload
        self._is_raw = raw
        self._left = raw_bytes_max
        self._is_begun = False

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        if not self._is_begun:
            self._is_begun = True
            self._is_raw = self._is_raw and not data.startswith(b"RIFF")
            if self._is_raw and data:
                self._upload.write(_endless_wave())
        if self._is_raw and self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        self._upload.write(data)


def _endless_wave() -> bytes:
    """The header of a WAVE file that does not say how long it is."""
    unknown = 0xFFFF_FFFF
    rate = SAMPLE_RATE
    header = (b"RIFF", unknown, b"WAVE", b"fmt ", 16, 1, 1, rate, rate * SAMPLE_BYTES, SAMPLE_BYTES, 16)
    return struct.pack("<4sI4s4sIHHIIHH4sI", *header, b"data", unknown)
