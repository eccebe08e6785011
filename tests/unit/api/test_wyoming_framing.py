"""Wyoming's frames: ours against the package's, cut anywhere, and what is no frame."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wyoming.event import Event, async_read_event, async_write_event

from api.wyoming.framing import (
    DATA_BYTES_MAX,
    LINE_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
    Deframer,
    WyomingEvent,
    to_bytes,
)
from shared.errors import BadMessage

pytestmark = pytest.mark.anyio

EVENTS = [
    WyomingEvent("describe"),
    WyomingEvent("ping", {"text": "ä\n€"}),
    WyomingEvent("audio-chunk", {"rate": 16000, "width": 2, "channels": 1}, b"\n{}\n" * 9),
]


def read(data: bytes) -> list[WyomingEvent]:
    return list(Deframer().push(data))


def test_what_is_written_is_read() -> None:
    assert read(b"".join(map(to_bytes, EVENTS))) == EVENTS


@given(st.lists(st.integers(0, 400), max_size=6).map(sorted))
def test_where_bytes_are_cut_does_not_matter(cuts: list[int]) -> None:
    data = b"".join(map(to_bytes, EVENTS))
    deframer, events = Deframer(), list[WyomingEvent]()
    for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        events += deframer.push(data[begin:end])
    assert events == EVENTS


async def test_the_package_reads_what_is_written_here() -> None:
    for event in EVENTS:
        reader = asyncio.StreamReader()
        reader.feed_data(to_bytes(event))
        theirs = await async_read_event(reader)
        assert theirs is not None
        assert (theirs.type, theirs.data, theirs.payload or b"") == (event.type, event.data, event.payload)


async def test_what_the_package_writes_is_read_here() -> None:
    for event in EVENTS:
        writer = Written()
        await async_write_event(Event(event.type, dict(event.data), event.payload or None), writer)  # type: ignore[arg-type]
        assert read(bytes(writer.data)) == [event]


def test_data_in_the_line_is_merged_with_data_behind_it() -> None:
    """Trap 33: old peers put it there."""
    inline = b'{"type":"audio-start","data":{"rate":22050,"width":2,"channels":1}}\n'
    assert read(inline) == [WyomingEvent("audio-start", {"rate": 22050, "width": 2, "channels": 1})]
    both = b'{"type":"x","data":{"a":1,"b":1},"data_length":7}\n{"b":2}'
    assert read(both) == [WyomingEvent("x", {"a": 1, "b": 2})]


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1\r",
        b"[]",
        b"{}",
        b'{"type":5}',
        b'{"type":"x","data":[1]}',
        b'{"type":"x","data_length":-1}',
        b'{"type":"x","data_length":"7"}',
        b'{"type":"x","payload_length":true}',
        b'{"type":"x","payload_length":1.5}',
        json.dumps({"type": "x", "data_length": DATA_BYTES_MAX + 1}).encode(),
        json.dumps({"type": "x", "payload_length": PAYLOAD_BYTES_MAX + 1}).encode(),
        b"\xff\xfe",
        b"[" * 50_000,
    ],
)
def test_what_is_no_frame_is_refused(line: bytes) -> None:
    with pytest.raises(BadMessage):
        read(line + b"\n")


def test_bad_data_behind_a_good_line_is_refused() -> None:
    for data in (b"[1]", b"\xff\xff\xff"):
        with pytest.raises(BadMessage):
            read(b'{"type":"x","data_length":3}\n' + data)


def test_an_endless_line_is_refused_before_it_ends() -> None:
    with pytest.raises(BadMessage):
        read(b" " * (LINE_BYTES_MAX + 1))


class Written:
    """What `async_write_event` needs of a stream."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writelines(self, lines: tuple[bytes, ...]) -> None:
        self.data += b"".join(lines)

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        pass
