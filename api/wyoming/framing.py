"""Wyoming's framing: a line of JSON, then as many bytes of JSON and of payload as it says. Pure.

    {"type": "audio-chunk", "data_length": 40, "payload_length": 960}\\n<40 bytes of JSON><960 bytes>

Old peers put `data` into the line itself; both are merged. The `wyoming` package reads the same, but from a
stream and without bounds, so it serves in tests only (ADR 15).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from shared.errors import BadMessage

LINE_BYTES_MAX: Final = 64 * 1024
DATA_BYTES_MAX: Final = 1024 * 1024
PAYLOAD_BYTES_MAX: Final = 4 * 1024 * 1024
VERSION: Final = "1.10.2"
"""Of the protocol, as the package numbers it."""


@dataclass(frozen=True, slots=True)
class WyomingEvent:
    """One event."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    payload: bytes = b""


def to_bytes(event: WyomingEvent) -> bytes:
    """The event as it is on the wire."""
    header: dict[str, Any] = {"type": event.type, "version": VERSION}
    data = json.dumps(event.data).encode() if event.data else b""
    if data:
        header["data_length"] = len(data)
    if event.payload:
        header["payload_length"] = len(event.payload)
    return json.dumps(header).encode() + b"\n" + data + event.payload


@dataclass(frozen=True, slots=True)
class _Header:
    type: str
    data: dict[str, Any]
    data_bytes: int
    payload_bytes: int


class Deframer:
    """Bytes in, events out; where the bytes are cut does not matter."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._header: _Header | None = None

    def push(self, data: bytes) -> Iterator[WyomingEvent]:
        """Take the next bytes and give the events that they complete. Raises `BadMessage`: nothing behind it
        can be understood."""
        self._buffer += data
        while (event := self._next()) is not None:
            yield event

    def _next(self) -> WyomingEvent | None:
        if self._header is None:
            end = self._buffer.find(b"\n", 0, LINE_BYTES_MAX + 1)
            if end < 0 and len(self._buffer) <= LINE_BYTES_MAX:
                return None
            if end < 0:
                raise BadMessage(f"an event's line is longer than {LINE_BYTES_MAX} bytes")
            self._header = _header(bytes(self._buffer[:end]))
            del self._buffer[: end + 1]
        header = self._header
        length = header.data_bytes + header.payload_bytes
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._header = None
        data = _object(body[: header.data_bytes]) if header.data_bytes else {}
        return WyomingEvent(header.type, header.data | data, body[header.data_bytes :])


def _header(line: bytes) -> _Header:
    fields = _object(line)
    kind, data = fields.get("type"), fields.get("data") or {}
    if not isinstance(kind, str) or not isinstance(data, dict):
        raise BadMessage("an event's line has a type, and data that is an object")
    return _Header(
        kind,
        cast(dict[str, Any], data),
        _length(fields, "data_length", DATA_BYTES_MAX),
        _length(fields, "payload_length", PAYLOAD_BYTES_MAX),
    )


def _length(fields: Mapping[str, Any], name: str, bytes_max: int) -> int:
    length = fields.get(name) or 0
    if not isinstance(length, int) or isinstance(length, bool) or not 0 <= length <= bytes_max:
        raise BadMessage(f"{name} must be a whole number up to {bytes_max}")
    return length


def _object(text: bytes) -> dict[str, Any]:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        raise BadMessage("an event's line and data are JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise BadMessage("an event's line and data are JSON objects")
    return cast(dict[str, Any], value)
