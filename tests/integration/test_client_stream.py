"""A live session of the async client, against a real WebSocket server."""

import asyncio
import json
import socket
import threading

import pytest

from client import (
    BadParameter,
    BadReply,
    BadRequest,
    Closed,
    ConnectionLost,
    EngineFault,
    Event,
    NoCapacity,
    SessionOver,
    StreamOptions,
    TimedOut,
    Unavailable,
    Warning,
    connect,
)
from client.stream import LiveSession
from shared.events import Error
from tests.support.wire import READY, Talk, final, partial, plain_session, speaking

AUDIO = bytes(range(256)) * 25


async def _rest(session: LiveSession) -> list[Event]:
    return [event async for event in session]


async def _send_forever(session: LiveSession) -> None:
    while True:
        await session.send(AUDIO)


def test_a_session_from_its_first_sample_to_closed() -> None:
    """Events come in order with their numbers, the transcript follows them, and iteration ends."""

    async def main(url: str) -> None:
        seen: list[tuple[int, str, str]] = []
        async with connect(url, options=StreamOptions(language="en", words=True)) as session:
            assert session.ready == READY
            await session.send(AUDIO)
            await session.send(AUDIO)
            await session.end()
            async for event in session:
                seen.append((session.last_seq, event.type, session.transcript.text))
        assert seen == [
            (1, "ready", ""),
            (2, "partial", "one"),
            (3, "partial", "one tow"),
            (4, "final", "one two."),
            (5, "closed", "one two."),
        ]

    with speaking(plain_session) as server:
        asyncio.run(main(server.url))
        talk = server.last()
    assert talk.path == "/v1/stream"
    assert talk.query == {"language": "en", "words": "true", "acks": "true"}
    assert talk.audio == AUDIO * 2
    assert talk.close_code == 1000


def test_text_messages_are_those_of_the_protocol_and_end_is_sent_once() -> None:
    async def main(url: str) -> None:
        async with connect(url) as session:
            await session.send(AUDIO)
            await session.finalize()
            await session.end()
            await session.end()
            await _rest(session)

    with speaking(plain_session) as server:
        asyncio.run(main(server.url))
        assert server.last().heard == [AUDIO, {"type": "finalize"}, {"type": "end"}]


def test_audio_longer_than_a_message_may_be_is_cut_for_the_server() -> None:
    audio = AUDIO * 30

    async def main(url: str) -> None:
        async with connect(url) as session:
            await session.send(audio)
            await session.end()
            await _rest(session)

    with speaking(plain_session) as server:
        asyncio.run(main(server.url))
        talk = server.last()
    assert talk.audio == audio
    assert max(map(len, talk.heard)) == READY.limits.message_bytes_max


def test_sending_goes_on_while_another_task_reads() -> None:
    """Each chunk is answered before the next one is sent."""

    def script(talk: Talk) -> None:
        talk.say(READY)
        for number in range(20):
            talk.hear()
            talk.say(partial(f"heard {number}"))
        talk.hear_until("end")
        talk.closed()

    async def main(url: str) -> None:
        answered = asyncio.Semaphore(1)

        async def send_all() -> None:
            for _ in range(20):
                await answered.acquire()
                await session.send(AUDIO)
            await answered.acquire()
            await session.end()

        async with connect(url) as session, asyncio.TaskGroup() as tasks:
            tasks.create_task(send_all())
            async for event in session:
                if event.type == "partial":
                    answered.release()
        assert session.transcript.text == "heard 19"

    with speaking(script) as server:
        asyncio.run(main(server.url))


def test_a_refusal_at_the_door_is_raised_by_connect() -> None:
    def script(talk: Talk) -> None:
        talk.say(Error(code="bad_parameter", message="model 'x' is not served here"))
        talk.socket.close(1008)

    async def main(url: str) -> None:
        async with connect(url, options=StreamOptions(model="x")):
            pytest.fail("the session was refused")

    with (
        speaking(script) as server,
        pytest.raises(BadParameter, match="model 'x' is not served here"),
    ):
        asyncio.run(main(server.url))


def test_an_error_while_reading_comes_after_the_events_before_it() -> None:
    def script(talk: Talk) -> None:
        talk.say(READY, final("kept"))
        talk.say(Error(code="no_capacity", message="all workers are busy", retryable=True, retry_after_s=3.0))
        talk.socket.close(1013)

    async def main(url: str) -> None:
        async with connect(url) as session:
            assert [(await anext(session)).type for _ in range(2)] == ["ready", "final"]
            with pytest.raises(NoCapacity, match="all workers are busy") as caught:
                await anext(session)
            assert session.transcript.text == "kept"
            assert caught.value.retryable
            assert caught.value.retry_after_s == 3.0
            with pytest.raises(NoCapacity):  # and it stays so
                await anext(session)

    with speaking(script) as server:
        asyncio.run(main(server.url))


def test_a_sender_learns_why_and_loses_no_event() -> None:
    """The error was said before the close: sending raises it, and what came before it can still be read."""

    def script(talk: Talk) -> None:
        talk.say(READY, final("kept"), Error(code="engine_fault", message="the decoder failed"))
        talk.socket.close(1011)

    async def main(url: str) -> None:
        async with connect(url) as session:
            with pytest.raises(EngineFault, match="the decoder failed"):
                await _send_forever(session)
            assert (await anext(session)).type == "ready"
            assert await anext(session) == final("kept")
            with pytest.raises(EngineFault):
                await anext(session)

    with speaking(script) as server:
        asyncio.run(main(server.url))


def test_reader_and_sender_get_the_same_reason() -> None:
    def script(talk: Talk) -> None:
        talk.say(READY)
        talk.hear()
        talk.say(Error(code="unavailable", message="the service is stopping", retryable=True))
        talk.socket.close(1013)

    async def main(url: str) -> None:
        async with connect(url) as session:
            ends = await asyncio.gather(_send_forever(session), _rest(session), return_exceptions=True)
            assert [type(end) for end in ends] == [Unavailable, Unavailable]

    with speaking(script) as server:
        asyncio.run(main(server.url))


def test_a_connection_that_breaks_off_is_not_the_end() -> None:
    def script(talk: Talk) -> None:
        talk.say(READY, partial("half a sen"))
        talk.socket.socket.shutdown(socket.SHUT_RDWR)

    async def main(url: str) -> None:
        async with connect(url) as session:
            with pytest.raises(ConnectionLost) as caught:
                await _rest(session)
            assert caught.value.retryable
            assert session.transcript.text == "half a sen"

    with speaking(script) as server:
        asyncio.run(main(server.url))


@pytest.mark.parametrize(
    ("code", "cls"), [(1000, ConnectionLost), (1008, BadRequest), (1011, ConnectionLost), (1013, NoCapacity)]
)
def test_a_close_without_closed_is_an_error(code: int, cls: type[Exception]) -> None:
    def script(talk: Talk) -> None:
        talk.say(READY)
        talk.socket.close(code)

    async def main(url: str) -> None:
        async with connect(url) as session:
            with pytest.raises(cls, match=str(code)):
                await _rest(session)

    with speaking(script) as server:
        asyncio.run(main(server.url))


def test_a_session_that_the_server_ends_takes_no_more_audio() -> None:
    """At the session's limit: not a failure, so what was heard is read to its normal end."""

    def script(talk: Talk) -> None:
        talk.say(READY)
        talk.hear()
        talk.say(final("long"))
        talk.closed(reason="limit")

    async def main(url: str) -> None:
        async with connect(url) as session:
            with pytest.raises(SessionOver):
                await _send_forever(session)
            events = await _rest(session)
            assert isinstance(events[-1], Closed)
            assert events[-1].reason == "limit"

    with speaking(script) as server:
        asyncio.run(main(server.url))


def test_audio_after_end_is_refused_at_once() -> None:
    async def main(url: str) -> None:
        async with connect(url) as session:
            await session.send(AUDIO)
            await session.end()
            with pytest.raises(SessionOver):
                await session.send(AUDIO)
            assert (await _rest(session))[-1].type == "closed"

    with speaking(plain_session) as server:
        asyncio.run(main(server.url))


def test_cancelling_a_read_loses_no_event() -> None:
    said = threading.Event()

    def script(talk: Talk) -> None:
        talk.say(READY)
        said.wait(30)
        talk.say(final("whole"))
        talk.hear_until("end")
        talk.closed()

    async def main(url: str) -> None:
        async with connect(url) as session:
            await anext(session)
            reading = asyncio.ensure_future(anext(session))
            await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
            said.set()
            await session.end()
            assert [event.type for event in await _rest(session)] == ["final", "closed"]

    with speaking(script) as server:
        asyncio.run(main(server.url))


def test_leaving_early_ends_the_session_at_the_server() -> None:
    """So that no worker waits for a client that is not coming back."""

    def script(talk: Talk) -> None:
        talk.say(READY)
        talk.hear_until("end")

    async def main(url: str) -> None:
        async with connect(url) as session:
            await session.send(AUDIO)
            raise KeyError

    with speaking(script) as server:
        with pytest.raises(KeyError):
            asyncio.run(main(server.url))
        assert server.last().heard == [AUDIO, {"type": "end"}]


def test_a_message_of_a_newer_server_is_passed_over() -> None:
    def script(talk: Talk) -> None:
        talk.say(READY)
        talk.socket.send(json.dumps({"type": "applause", "seq": 2}))
        talk.say(Warning(code="slow", message="partials come slower"))
        talk.hear_until("end")
        talk.closed()

    async def main(url: str) -> None:
        async with connect(url) as session:
            await session.end()
            assert [event.type for event in await _rest(session)] == ["ready", "warning", "closed"]

    with speaking(script) as server:
        asyncio.run(main(server.url))


@pytest.mark.parametrize("first", ['{"type": "closed"}', "hello", json.dumps({"type": "x"})])
def test_another_websocket_server_is_named_as_such(first: str) -> None:
    async def main(url: str) -> None:
        async with connect(url):
            pytest.fail("not a Steno server")

    with (
        speaking(lambda talk: talk.socket.send(first)) as server,
        pytest.raises(BadReply, match="Steno server"),
    ):
        asyncio.run(main(server.url))


def test_nobody_listening_is_said_with_the_address() -> None:
    async def main(url: str) -> None:
        async with connect(url, options=StreamOptions(prompt="a private matter")):
            pytest.fail("nobody listens")

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ConnectionLost, match=url) as caught:
            asyncio.run(main(url))
    assert "private" not in str(caught.value)


def test_a_server_that_says_nothing_is_not_waited_for_forever() -> None:
    async def main(url: str) -> None:
        async with connect(url, open_s=0.2):
            pytest.fail("nothing was said")

    with speaking(lambda talk: talk.hear_until("end")) as server, pytest.raises(TimedOut, match=r"0\.2 s"):
        asyncio.run(main(server.url))
