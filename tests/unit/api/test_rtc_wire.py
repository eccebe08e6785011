"""A peer's wire: what waits, what is dropped, and what a session that never began is answered with."""

import asyncio

import pytest

pytest.importorskip("aiortc")

from api.conversation import Gone
from api.dialect import Abandon, Close, Open, Resume, Send
from api.rtc.dialect import NEVER_CAME, RtcDialect
from api.rtc.wire import AUDIO_S_MAX, WISHES_MAX, PeerWire
from shared.audio.convert import CANONICAL
from shared.events import Closed, Error, Limits, Ready, SessionConfig

pytestmark = pytest.mark.anyio
LIMITS = Limits(message_bytes_max=1, session_s_max=1.0, resume_s=1.0)
SECOND = b"\1\0" * 16_000


class FakePeer:
    """Only whether it is there."""

    def __init__(self) -> None:
        self.is_gone = False
        self.is_open = asyncio.Event()
        self.sent: list[str] = []

    async def send(self, text: str) -> None:
        self.sent.append(text)


async def test_audio_that_waits_comes_as_one_and_a_wish_behind_what_was_before_it() -> None:
    wire = PeerWire()
    wire.put_audio(b"ab")
    wire.put_audio(b"cd")
    assert wire.put_wish("wish")
    wire.put_audio(b"ef")  # was on its way when the wish came
    assert await wire.receive() == b"abcdef"
    async with asyncio.timeout(5):
        assert await wire.receive() == "wish"


async def test_audio_without_room_becomes_silence_when_there_is() -> None:
    wire = PeerWire()
    for _ in range(round(AUDIO_S_MAX) + 3):
        wire.put_audio(SECOND)
    kept = await wire.receive()
    assert kept == SECOND * round(AUDIO_S_MAX)
    wire.put_audio(SECOND)
    assert await wire.receive() == bytes(3 * len(SECOND)) + SECOND


async def test_wishes_have_a_bound_and_none_is_left_when_it_stops() -> None:
    wire = PeerWire()
    assert all(wire.put_wish("x") for _ in range(WISHES_MAX))
    assert not wire.put_wish("x")
    wire.stop()
    refusal = await wire.opened
    assert refusal is not None
    assert refusal.code == "unavailable"


async def test_a_session_that_could_not_be_opened_is_no_message() -> None:
    wire = PeerWire()
    error = Error(code="no_capacity", message="full", retryable=True, retry_after_s=3.0)
    await wire.send((1, error))
    await wire.close(1013, "no_capacity")
    assert await wire.opened is error


async def test_what_is_said_waits_for_the_peer() -> None:
    wire = PeerWire()
    peer = wire.peer = FakePeer()  # type: ignore[assignment]
    saying = asyncio.create_task(wire.send((3, Ready(session="s", token="t", model="m", limits=LIMITS))))
    assert await wire.opened is None
    assert not peer.sent
    peer.is_open.set()
    wire.changed()
    await saying
    assert '"seq": 3' in peer.sent[0]
    peer.is_gone = True
    wire.changed()
    with pytest.raises(Gone):
        await wire.receive()
    with pytest.raises(Gone):
        await wire.send((4, Ready(session="s", token="t", model="m", limits=LIMITS)))


async def test_who_is_gone_before_the_channel_was_open_never_came() -> None:
    wire = PeerWire()
    peer = wire.peer = FakePeer()  # type: ignore[assignment]
    peer.is_gone = True
    wire.changed()
    assert await wire.receive() is NEVER_CAME


async def test_nobody_is_told_when_nobody_came() -> None:
    wire = PeerWire()
    wire.peer = FakePeer()  # type: ignore[assignment]
    saying = asyncio.create_task(wire.send((1, Ready(session="s", token="t", model="m", limits=LIMITS))))
    await wire.opened
    wire.never_came()
    await saying
    assert await wire.receive() is NEVER_CAME


def test_a_new_session_whose_client_never_came_is_abandoned_and_a_resumed_one_waits() -> None:
    new = RtcDialect(Open(config=SessionConfig()))
    (abandon, close) = new.received(NEVER_CAME)
    assert abandon == Abandon(0)
    assert isinstance(close, Close)
    back = Resume(session="s", token="t", audio=CANONICAL, config=SessionConfig(), after=1)
    assert [type(act) for act in RtcDialect(back).received(NEVER_CAME)] == [Close]


def test_events_are_left_to_the_wire() -> None:
    dialect = RtcDialect(Open(config=SessionConfig()))
    closed = Closed(reason="end", duration=1.0, utterances=1)
    assert dialect.said(0, 7, closed) == [Send((7, closed)), Close(1000)]
    taken = Error(code="taken_over", message="")
    assert dialect.said(0, 8, taken) == [Close(4001, "taken_over")]
