"""A form with a file, read as it comes: fields into a map, the file to whoever writes it. Nothing of the file
is kept here."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from anyio import CancelScope
from anyio.to_thread import run_sync
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from api.job_intake import JobIntake, Upload
from shared.errors import BadParameter, BadRequest, TooLarge, UploadStalled

FILE: Final = "file"
"""The field that holds the file."""
_FIELD_BYTES_MAX: Final = 64 * 1024
"""Of all fields together, and of the headers of one part."""
_IGNORED_BYTES_MAX: Final = 64 * 1024**2
"""Of fields that are ignored."""
_PIECE_BYTES: Final = 1024**2
"""What is written at once."""
PACE_S: Final = 30.0
PACE_BYTES: Final = 16 * 1024
"""A body must bring so much in that time, or end: who trickles holds a connection for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormRules:
    """Which form is read."""

    known: tuple[str, ...]
    """Fields that count."""
    bytes_max: int
    """Of the file."""
    file: str = FILE
    """The field that holds the file."""
    strict: bool = True
    """Whether an unknown field, a field that comes twice, and a file without a name are errors. Else fields
    that are not known are left out, also when they are large."""


@dataclass(slots=True)
class Form:
    """What a form held beside the file's bytes."""

    fields: dict[str, str] = field(default_factory=dict[str, str])
    """The last value of each field."""
    items: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]], compare=False)
    """All values, in their order."""
    file_name: str | None = None
    """None when there was no file."""


@asynccontextmanager
async def taken_in(intake: JobIntake, *, tenant: str) -> AsyncGenerator[Upload]:
    """An upload to write to. Nothing of it stays behind when what is done with it fails, or the client goes
    away. Raises what `JobIntake.begin` raises."""
    upload = await run_sync(partial(intake.begin, tenant=tenant))
    try:
        yield upload
    except BaseException:  # cancellation too, and the way out of it must not be cut short by another one
        with CancelScope(shield=True):
            await run_sync(intake.abandon, upload)
        raise


async def read_form(request: Request, rules: FormRules, write: Callable[[bytes], Awaitable[None]]) -> Form:
    """Read a `multipart/form-data` request to its end, handing the file's bytes to `write` in pieces.

    Raises `BadParameter` for a field that is not known or comes twice, `BadRequest` for what is no form,
    `TooLarge` as soon as the file, or the rest of the form, is over its limit, `UploadStalled`, and what
    `write` raises.
    """
    bytes_max = rules.bytes_max
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise BadParameter(f"the request must be a form (multipart/form-data) with a file in {rules.file!r}")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > bytes_max + _beside_max(rules):
        raise _too_large(bytes_max)
    parts = _Parts(rules)
    # The parser's types name each callback; a mapping of them is what it takes.
    parser = MultipartParser(options[b"boundary"], parts.callbacks())  # pyright: ignore[reportArgumentType]
    try:
        async for chunk in body_of(request):
            parser.write(chunk)
            if len(parts.piece) >= _PIECE_BYTES:
                await write(parts.take())
        parser.finalize()
    except FormParserError as error:
        raise BadRequest(f"the form can't be read: {error}") from None
    if not parts.ended:
        raise BadRequest("the form can't be read: it is cut off")
    if parts.piece:
        await write(parts.take())
    return parts.form


async def body_of(request: Request) -> AsyncGenerator[bytes]:
    """The request's body as it comes. Raises `UploadStalled` when it comes too slowly, and `ClientDisconnect`
    when the client is gone."""
    stream = request.stream()
    clock = asyncio.get_running_loop().time
    due_s, lacking = clock() + PACE_S, PACE_BYTES
    while True:
        try:
            async with asyncio.timeout_at(due_s):
                chunk = await anext(stream, None)
        except TimeoutError:
            raise UploadStalled(
                f"the upload came too slowly: under {PACE_BYTES} bytes in {PACE_S:g} s"
            ) from None
        if chunk is None:
            return
        yield chunk
        lacking -= len(chunk)
        if lacking <= 0:
            due_s, lacking = clock() + PACE_S, PACE_BYTES


def _beside_max(rules: FormRules) -> int:
    return 2 * _FIELD_BYTES_MAX + (0 if rules.strict else _IGNORED_BYTES_MAX)


class _Parts:
    """What the parser found. Its callbacks get a buffer and the part of it that counts."""

    def __init__(self, rules: FormRules) -> None:
        self.form = Form()
        self.piece = bytearray()
        self.ended = False
        self._rules = rules
        self._file_bytes = 0
        self._ignored_bytes = 0
        self._other_bytes = 0
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._field: str | None = None
        self._text = bytearray()

    def callbacks(self) -> dict[str, Callable[..., None]]:
        """By the parser's names."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def take(self) -> bytes:
        """The bytes of the file that nobody has taken yet."""
        piece, self.piece = bytes(self.piece), bytearray()
        return piece

    def _begin(self) -> None:
        self._field, self._disposition = None, b""
        self._text.clear()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._add(self._header, data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._add(self._value, data[start:end])

    def _add(self, to: bytearray, data: bytes) -> None:
        self._other_bytes += len(data)
        if self._other_bytes > _FIELD_BYTES_MAX:
            raise TooLarge(f"the form holds more than {_FIELD_BYTES_MAX} bytes beside the file")
        to += data

    def _header_end(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        rules, self._field = self._rules, name
        if name == rules.file:
            if rules.strict and b"filename" not in options:
                raise BadParameter(f"the field {name!r} must be a file, with a file name")
            if self.form.file_name is not None:
                raise BadParameter("the form must have one file only")
            self.form.file_name = options.get(b"filename", b"").decode("utf-8", "replace")
        elif not rules.strict:
            if name not in rules.known or b"filename" in options:
                self._field = None
        elif b"filename" in options:
            raise BadParameter(f"only the field {rules.file!r} may hold a file")
        elif name not in rules.known:
            raise BadParameter(f"unknown field {name!r}; known are {rules.file}, {', '.join(rules.known)}")
        elif name in self.form.fields:
            raise BadParameter(f"the field {name!r} comes twice")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._ignored_bytes += end - start
            if self._ignored_bytes > _IGNORED_BYTES_MAX:
                raise TooLarge(f"the form holds more than {_IGNORED_BYTES_MAX} bytes beside the file")
            return
        if self._field != self._rules.file:
            self._add(self._text, data[start:end])
            return
        self._file_bytes += end - start
        if self._file_bytes > self._rules.bytes_max:
            raise _too_large(self._rules.bytes_max)
        self.piece += data[start:end]

    def _part_end(self) -> None:
        name = self._field
        if name is not None and name != self._rules.file:
            try:
                text = self._text.decode()
            except UnicodeDecodeError:
                raise BadParameter(f"{name} is not UTF-8", param=name) from None
            self.form.fields[name] = text
            self.form.items.append((name, text))

    def _end(self) -> None:
        self.ended = True


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"the file is over {bytes_max} bytes, the most that this server takes; send it in pieces")
