"""Every message that travels survives the trip; what is not a message is refused."""

import contextlib
import dataclasses
import typing
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.codec import (
    MESSAGE_BYTES_MAX,
    CodecError,
    event_from_map,
    event_to_map,
    from_map,
    pack,
    pack_event,
    to_map,
    unpack,
    unpack_event,
)
from shared.events import EVENT_TYPES, Event, Final, SessionConfig, Word
from shared.redis.presence import WorkerPresence
from shared.redis.windows import Window, WindowResult
from worker.core.effects import Checkpoint

TRAVELLERS = (SessionConfig, WorkerPresence, Window, WindowResult, Checkpoint)


def messages(cls: type) -> st.SearchStrategy[Any]:
    """Any value of a message class, from its own annotations: a new class or field is tested by itself."""
    hints = typing.get_type_hints(cls)
    return st.builds(cls, **{f.name: _values(hints[f.name]) for f in dataclasses.fields(cls)})


def _values(hint: Any) -> st.SearchStrategy[Any]:
    if dataclasses.is_dataclass(hint):
        return messages(typing.cast(type, hint))
    if typing.get_origin(hint) is tuple:
        return st.lists(_values(typing.get_args(hint)[0]), max_size=3).map(tuple)
    if hint is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if hint is int:
        return st.integers(-(2**31), 2**31)
    if typing.get_origin(hint) in (typing.Union, type(int | str)):
        return st.one_of([st.none() if a is type(None) else _values(a) for a in typing.get_args(hint)])
    return st.from_type(hint)


@pytest.mark.parametrize("cls", EVENT_TYPES, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_every_event_survives_both_codecs(cls: type[Event], data: st.DataObject) -> None:
    event = data.draw(messages(cls))
    assert unpack_event(pack_event(event)) == event
    assert event_from_map(event_to_map(event)) == event
    assert event_to_map(event)["type"] == cls.type


@pytest.mark.parametrize("cls", TRAVELLERS, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_everything_else_that_travels_survives_too(cls: type, data: st.DataObject) -> None:
    message = data.draw(messages(cls))
    assert unpack(cls, pack(message)) == message


def test_event_types_are_distinct() -> None:
    assert len({cls.type for cls in EVENT_TYPES}) == len(EVENT_TYPES)


def test_what_is_none_is_not_sent() -> None:
    final = Final(text="a", utterance=0, start=0.0, end=1.0, committed=1, offset=0)
    assert "words" not in event_to_map(final)


def test_a_field_of_a_newer_version_is_ignored() -> None:
    assert from_map(SessionConfig, {"language": "de", "mood": "good"}) == SessionConfig(language="de")


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"text": "a"},
        {"text": "a", "start": "soon", "end": 1.0, "probability": 1.0},
        {"text": 5, "start": 0.0, "end": 1.0, "probability": 1.0},
        {"text": None, "start": 0.0, "end": 1.0, "probability": 1.0},
    ],
)
def test_what_is_not_a_word_is_refused(data: object) -> None:
    with pytest.raises(CodecError):
        from_map(Word, data)


@pytest.mark.parametrize("data", [{}, {"type": "song"}, {"type": None}, "final", None])
def test_an_unknown_event_is_refused(data: object) -> None:
    with pytest.raises(CodecError):
        event_from_map(data)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_read_but_never_break(data: bytes) -> None:
    with contextlib.suppress(CodecError):
        unpack_event(data)


def test_more_bytes_than_a_message_may_have_are_not_even_read() -> None:
    with pytest.raises(CodecError, match="over"):
        unpack_event(b"\0" * (MESSAGE_BYTES_MAX + 1))


def test_whole_numbers_are_read_as_floats_where_a_float_is_due() -> None:
    word = from_map(Word, {"text": "a", "start": 0, "end": 1, "probability": 1})
    assert isinstance(word.start, float)
    assert to_map(word) == {"text": "a", "start": 0.0, "end": 1.0, "probability": 1.0}
    assert msgpack.unpackb(pack(word)) == to_map(word)
