"""Messages to plain maps and bytes, and back. Pure.

One codec for all dataclasses that travel: events, session configurations, windows and their results.
Unknown fields are ignored, so that an old reader takes a new writer's message; unknown types and missing
fields are `CodecError`.
"""

import dataclasses
import functools
import types
import typing
from typing import Any, TypeVar, cast

import msgpack

from shared.events import EVENT_TYPES, Event

T = TypeVar("T")
_EVENTS: dict[str, type[Event]] = {cls.type: cls for cls in EVENT_TYPES}

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""Largest packed message taken from Redis: a window's result with words for 30 s is under 100 kB."""


class CodecError(ValueError):
    """Bytes or a map that are not the message they should be."""


def to_map(message: object) -> dict[str, Any]:
    """The dataclass as plain maps and lists, `None` values left out."""
    return cast(dict[str, Any], _plain(message))


def from_map(cls: type[T], data: object) -> T:
    """Build `cls` from a plain map. Raises `CodecError`."""
    if not isinstance(data, dict):
        raise CodecError(f"{cls.__name__}: expected a map, got {type(data).__name__}")
    fields = cast(dict[str, Any], data)
    try:
        kwargs = {name: _revive(hint, fields[name]) for name, hint in _hints(cls).items() if name in fields}
        return cls(**kwargs)
    except (TypeError, ValueError, AttributeError) as error:
        raise CodecError(f"{cls.__name__}: {error}") from error


def pack(message: object) -> bytes:
    """The dataclass as msgpack."""
    return cast(bytes, msgpack.packb(to_map(message)))


def unpack(cls: type[T], data: bytes) -> T:
    """Build `cls` from msgpack. Raises `CodecError`."""
    return from_map(cls, _load(data))


def event_to_map(event: Event) -> dict[str, Any]:
    """The event as a map with its `type` first."""
    return {"type": event.type, **to_map(event)}


def event_from_map(data: object) -> Event:
    """The event that a map with `type` stands for. Raises `CodecError`."""
    kind = cast(dict[str, Any], data).get("type") if isinstance(data, dict) else None
    cls = _EVENTS.get(str(kind))
    if cls is None:
        raise CodecError(f"unknown message type {kind!r}")
    return from_map(cls, cast(object, data))


def pack_event(event: Event) -> bytes:
    """The event as msgpack, without a number: Redis gives the number when the event is emitted."""
    return cast(bytes, msgpack.packb(event_to_map(event)))


def unpack_event(data: bytes) -> Event:
    """Inverse of `pack_event`. Raises `CodecError`."""
    return event_from_map(_load(data))


def _load(data: bytes) -> object:
    if len(data) > MESSAGE_BYTES_MAX:
        raise CodecError(f"message of {len(data)} bytes is over {MESSAGE_BYTES_MAX}")
    try:
        return msgpack.unpackb(data)
    except (ValueError, msgpack.UnpackException) as error:
        raise CodecError(f"not msgpack: {type(error).__name__}") from error


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        pairs = ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {name: _plain(item) for name, item in pairs if item is not None}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in cast(list[Any], value)]
    return value


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cast(Any, cls))}


def _revive(hint: Any, value: Any) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return _revive(next(arg for arg in args if arg is not types.NoneType), value)
    if origin is tuple:
        return tuple(_revive(args[0], item) for item in value)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return from_map(hint, value)
    if hint is float and isinstance(value, int):
        return float(value)
    if origin is None and isinstance(hint, type) and not isinstance(value, hint):
        raise CodecError(f"expected {hint.__name__}, got {type(value).__name__}")
    return value
