"""The SDK gets over what breaks: the caller sees every final once and in order, and is told."""

import asyncio
import random
import signal
import threading
from collections.abc import Callable

import pytest

from client import (
    ConnectionChange,
    Event,
    Final,
    Resume,
    ResumeFailed,
    StreamOptions,
    TakenOver,
    connect,
    sync,
)
from client.stream import LiveSession
from shared.events import Ack, Error, Ready, Resumed
from tests.integration.test_live_stream import encoded
from tests.support.line import Line, line_to
from tests.support.service import Service
from tests.support.speech import spoken
from tests.support.wire import READY, Talk, final, partial, speaking

TALK = spoken("en_quilter", "en_wizard", "en_quilter")
QUICK = Resume(delay_s=0.01, delay_s_max=0.05)


async def talk_through(
    line: Line,
    audio: bytes,
    *,
    options: StreamOptions | None = None,
    disturb: Callable[[int], None] = lambda _chunk: None,
    changes: list[ConnectionChange] | None = None,
) -> tuple[LiveSession, list[Event]]:
    """A whole session; `disturb` is called before each of twenty pieces is sent."""
    seen = changes if changes is not None else []
    async with connect(line.url, options=options, resume=QUICK, on_connection=seen.append) as session:

        async def send() -> None:
            step = len(audio) // 20 + 1
            for number in range(20):
                disturb(number)
                await session.send(audio[number * step : (number + 1) * step])
                await asyncio.sleep(0.02)
            await session.end()

        sending = asyncio.create_task(send())
        events = [event async for event in session]
        await sending
    return session, events


def finals(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Final)]


@pytest.mark.anyio
@pytest.mark.parametrize("options", [StreamOptions(), StreamOptions(sample_rate=44100, encoding="float32")])
async def test_a_line_that_is_cut_again_and_again_changes_nothing(
    service: Service, options: StreamOptions
) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    cuts = set(random.Random(seed).sample(range(2, 20), 6))
    audio = TALK if options == StreamOptions() else encoded(TALK, "float32", 44100, 1)
    changes: list[ConnectionChange] = []
    async with line_to(service.url) as line:
        _, whole = await talk_through(line, audio, options=options)
        session, events = await talk_through(
            line,
            audio,
            options=options,
            disturb=lambda number: line.cut() if number in cuts else None,
            changes=changes,
        )
    assert events[-1] == whole[-1]
    assert [e.utterance for e in events if isinstance(e, Final)] == list(range(len(finals(whole))))
    if (
        options == StreamOptions()
    ):  # where audio is converted, the last bit may differ, and the script's words
        assert finals(events) == finals(whole)
        assert session.transcript.text == " ".join(finals(whole))
    assert len([change for change in changes if change.is_up]) >= 1
    assert [change.is_up for change in changes] == [False, True] * (len(changes) // 2)


@pytest.mark.anyio
async def test_finalize_is_heard_though_the_line_breaks(service: Service) -> None:
    async with line_to(service.url) as line, connect(line.url, resume=QUICK) as session:
        await session.send(TALK[: 32000 * 2])
        await asyncio.sleep(0)
        line.cut()
        await session.finalize()
        line.cut()
        async for event in session:
            if isinstance(event, Final):
                break
        assert event.utterance == 0
        await session.end()
        assert [e async for e in session][-1].type == "closed"


@pytest.mark.anyio
async def test_an_edge_that_stops_is_followed_by_the_next(service: Service) -> None:
    """The same line, another edge behind it: as with a load balancer."""
    edge = await asyncio.to_thread(service.start_edge, "second edge")
    async with line_to(edge) as line:

        def stop(number: int) -> None:
            if number == 10:
                line.target = service.url
                service.processes["second edge"].send_signal(signal.SIGKILL)

        _, events = await talk_through(line, TALK, disturb=stop)
        _, whole = await talk_through(line, TALK)
    service.processes.pop("second edge").wait(20)
    assert finals(events) == finals(whole)
    assert line.connections >= 3


def resumed_ready(sample: int = 0, *, ended: bool = False) -> Ready:
    return Ready(
        session=READY.session,
        token=READY.token,
        model=READY.model,
        limits=READY.limits,
        resumed=Resumed(sample=sample, finalized=0, ended=ended),
    )


def test_events_that_come_again_are_given_once_and_audio_from_the_place_that_is_named() -> None:
    heard: list[bytes] = []

    def script(talk: Talk) -> None:
        if "session" not in talk.query:
            talk.say(READY, partial("on"), final("one."))
            talk.hear()
            talk.socket.close(1012)
            return
        assert talk.query == {"session": "s1", "token": "t1", "after": "3", "acks": "true"}
        talk.seq = 2
        talk.say(resumed_ready(2))
        talk.seq = 2
        talk.say(final("one."), final("two.", offset=5, utterance=1))  # one that says too much
        talk.hear_until("end")
        heard.append(talk.audio)
        talk.closed()

    async def main(url: str) -> list[Event]:
        async with connect(url, resume=QUICK) as session:
            await session.send(b"aabbccdd")
            events = [await anext(session) for _ in range(4)]
            await session.end()
            return events + [event async for event in session]

    with speaking(script) as server:
        events = asyncio.run(main(server.url))
    assert finals(events) == ["one.", "two."]
    assert [event.type for event in events] == ["ready", "partial", "final", "final", "closed"]
    assert heard == [b"ccdd"]


def test_a_server_that_no_longer_knows_the_session_ends_it_with_a_typed_error() -> None:
    def script(talk: Talk) -> None:
        if "session" in talk.query:
            talk.say(Error(code="not_found", message="no such session"))
            talk.socket.close(1008)
        else:
            talk.say(READY, final("kept."))
            talk.socket.close(1012)

    async def main(url: str) -> None:
        async with connect(url, resume=QUICK) as session:
            assert [(await anext(session)).type for _ in range(2)] == ["ready", "final"]
            with pytest.raises(ResumeFailed, match=r"1012.*no such session"):
                await anext(session)

    with speaking(script) as server:
        asyncio.run(main(server.url))


def test_a_server_that_stays_away_is_given_up() -> None:
    changes: list[ConnectionChange] = []

    async def main(server_url: str) -> None:
        async with line_to(server_url.replace("ws", "http")) as line:
            giving_up = Resume(limit_s=0.5, delay_s=0.01, delay_s_max=0.05)
            async with connect(line.url, resume=giving_up, on_connection=changes.append) as session:
                line.target = "http://127.0.0.1:9"
                line.cut()
                with pytest.raises(ResumeFailed, match=r"not resumed within 0\.5 s"):
                    [event async for event in session]

    with speaking(lambda talk: (talk.say(READY), talk.hear_until("end"))) as server:
        asyncio.run(main(server.url))
    assert [change.is_up for change in changes] == [False]


def test_without_a_resume_a_lost_connection_is_the_error_itself() -> None:
    def script(talk: Talk) -> None:
        talk.say(READY)
        talk.socket.close(1012)

    async def main(url: str) -> dict[str, str]:
        async with connect(url, resume=Resume(limit_s=0)) as session:
            with pytest.raises(Exception, match="1012") as caught:
                [event async for event in session]
            assert type(caught.value).__name__ == "ConnectionLost"
        return server.last().query

    with speaking(script) as server:
        assert asyncio.run(main(server.url)) == {}


def test_a_session_that_another_connection_has_is_not_fought_over() -> None:
    def script(talk: Talk) -> None:
        talk.say(READY)
        talk.socket.close(4001, "taken_over")

    async def main(url: str) -> None:
        async with connect(url, resume=QUICK) as session:
            with pytest.raises(TakenOver):
                [event async for event in session]

    with speaking(script) as server:
        asyncio.run(main(server.url))
        server.last()
        assert len(server.talks) == 1


def test_a_sender_waits_for_the_server_s_word_at_the_bound() -> None:
    go_on = threading.Event()

    def script(talk: Talk) -> None:
        talk.say(READY)
        go_on.wait(30)
        talk.seq -= 1
        talk.say(Ack(sample=16_000, finalized=0))
        talk.hear_until("end")
        talk.closed()

    async def main(url: str) -> None:
        async with connect(url, resume=Resume(buffer_s=1.0)) as session:
            await session.send(b"\0" * 32000)
            waiting = asyncio.create_task(session.send(b"\0" * 32000))
            done, _ = await asyncio.wait([waiting], timeout=0.1)
            assert not done
            go_on.set()
            await waiting
            await session.end()
            assert [event.type async for event in session] == ["ready", "closed"]

    with speaking(script) as server:
        asyncio.run(main(server.url))


def test_a_server_that_falls_silent_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.keeper._SILENCE_S_MAX", 0.1)

    def script(talk: Talk) -> None:
        if "session" in talk.query:
            talk.say(resumed_ready())
            talk.hear_until("end")
            talk.closed()
        else:
            talk.say(READY)
            talk.seq -= 1
            talk.say(Ack(sample=0, finalized=0))
            talk.hear_until("never")

    async def main(url: str) -> list[str]:
        changes: list[ConnectionChange] = []
        async with connect(url, resume=QUICK, on_connection=changes.append) as session:
            while not changes:  # noqa: ASYNC110 - a callback fills it
                await asyncio.sleep(0.01)
            assert "said nothing" in changes[0].reason
            await session.end()
            return [event.type async for event in session]

    with speaking(script) as server:
        assert asyncio.run(main(server.url)) == ["ready", "closed"]


def test_the_client_without_async_resumes_too() -> None:
    changes: list[ConnectionChange] = []

    def script(talk: Talk) -> None:
        if "session" in talk.query:
            talk.seq = 1
            talk.say(resumed_ready())
            talk.hear_until("end")
            talk.say(final("all of it."))
            talk.closed()
        else:
            talk.say(READY)
            talk.socket.close(1012)

    with (
        speaking(script) as server,
        sync.connect(server.url, resume=QUICK, on_connection=changes.append) as session,
    ):
        session.send(b"\0" * 640)
        session.end()
        assert finals(list(session)) == ["all of it."]
    assert [change.is_up for change in changes] == [False, True]
