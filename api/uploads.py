"""A form with a file, read as it comes: fields into a map, the file to whoever writes it. Nothing of the file
is kept here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from shared.errors import BadParameter, BadRequest, TooLarge

FILE: Final = "file"
"""The field that holds the file."""
_FIELD_BYTES_MAX: Final = 64 * 1024
"""Of all fields together, and of the headers of one part."""
_PIECE_BYTES: Final = 1024**2
"""What is written at once."""


@dataclass(slots=True)
class Form:
    """What a form held beside the file's bytes."""

    fields: dict[str, str] = field(default_factory=dict[str, str])
    file_name: str | None = None
    """None when there was no file."""


async def read_form(
    request: Request,
    *,
    known: tuple[str, ...],
    write: Callable[[bytes], Awaitable[None]],
    bytes_max: int,
) -> Form:
    """Read a `multipart/form-data` request to its end, handing the file's bytes to `write` in pieces.

    Raises `BadParameter` for a field that is not known or comes twice, `BadRequest` for what is no form,
    `TooLarge` as soon as the file, or the rest of the form, is over its limit, and what `write` raises.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise BadParameter(f"the request must be a form (multipart/form-data) with a file in {FILE!r}")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > bytes_max + 2 * _FIELD_BYTES_MAX:
        raise _too_large(bytes_max)
    parts = _Parts(known, bytes_max)
    # The parser's types name each callback; a mapping of them is what it takes.
    parser = MultipartParser(options[b"boundary"], parts.callbacks())  # pyright: ignore[reportArgumentType]
    try:
        async for chunk in request.stream():
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


class _Parts:
    """What the parser found. Its callbacks get a buffer and the part of it that counts."""

    def __init__(self, known: tuple[str, ...], bytes_max: int) -> None:
        self.form = Form()
        self.piece = bytearray()
        self.ended = False
        self._known = known
        self._bytes_max = bytes_max
        self._file_bytes = 0
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
        if name == FILE:
            if b"filename" not in options:
                raise BadParameter(f"the field {FILE!r} must be a file, with a file name")
            if self.form.file_name is not None:
                raise BadParameter("the form must have one file only")
            self.form.file_name = options[b"filename"].decode("utf-8", "replace")
        elif b"filename" in options:
            raise BadParameter(f"only the field {FILE!r} may hold a file")
        elif name not in self._known:
            raise BadParameter(f"unknown field {name!r}; known are {FILE}, {', '.join(self._known)}")
        elif name in self.form.fields:
            raise BadParameter(f"the field {name!r} comes twice")
        self._field = name

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._field != FILE:
            self._add(self._text, data[start:end])
            return
        self._file_bytes += end - start
        if self._file_bytes > self._bytes_max:
            raise _too_large(self._bytes_max)
        self.piece += data[start:end]

    def _part_end(self) -> None:
        if self._field is not None and self._field != FILE:
            try:
                self.form.fields[self._field] = self._text.decode()
            except UnicodeDecodeError:
                raise BadParameter(f"{self._field} is not UTF-8") from None

    def _end(self) -> None:
        self.ended = True


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"the file is over {bytes_max} bytes, the most that this server takes; send it in pieces")
