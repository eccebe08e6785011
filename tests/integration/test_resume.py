"""Sessions outlive their connections: on the wire, as any client sees it."""

import asyncio
import contextlib
import signal
from collections.abc import Generator

import pytest
from websockets.exceptions import ConnectionClosed

from shared.redis.keys import Keys
from tests.conftest import leaked_keys
from tests.integration.test_live_stream import encoded
from tests.support.live import Message, RawSession, raw_session, transcribe
from tests.support.redis_client import client_of
from tests.support.service import Service, scrape
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio

TALK = spoken("en_quilter", "en_wizard", "en_quilter")
HALF = len(TALK) // 4 * 2
RESUMED = "steno_edge_sessions_resumed_total"
TAKEN_OVER = "steno_edge_connections_taken_over_total"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service with a second edge, which tests may kill."""
    with Service.running(
        tmp_path_factory.mktemp("resume"), engine="scripted", modules=("api", "worker"), resume_s="4"
    ) as running:
        yield running
        assert leaked_keys(running.redis_url) == []


def resumed(ready: Message, after: int, **more: str) -> dict[str, str]:
    """The query that resumes the session that `ready` announced."""
    return {"session": ready["session"], "token": ready["token"], "after": str(after), **more}


async def until_kept(own: Service, session: RawSession, name: str, value: int) -> None:
    """Wait until the edge has put what was sent where a worker finds it."""
    key = Keys().session(session.of("ready")[0]["session"]).state
    async with client_of(own.redis_url) as client, asyncio.timeout(60):
        while int(await client.hget(key, name) or 0) < value:  # noqa: ASYNC110 - another process puts it
            await asyncio.sleep(0.02)


async def broken(session: RawSession, audio: bytes, own: Service | None = None) -> dict[str, str]:
    """Send audio, hear a final, lose the connection; with `own`, its service, when all that was sent has
    arrived. Returns the query that resumes."""
    await session.audio(audio)
    await session.until("final")
    if own is not None:
        await until_kept(own, session, "received", len(audio) // 2)
    session.socket.transport.abort()
    return resumed(session.of("ready")[0], session.messages[-1]["seq"])


async def rest(session: RawSession, audio: bytes, frame_bytes: int = 2) -> None:
    """Send what the server lacks, and receive to the end."""
    ready = await session.until("ready")
    await session.audio(audio[ready["resumed"]["sample"] * frame_bytes :])
    await session.say("end")
    assert await session.until_closed() == (1000, "")


def joined(*parts: RawSession) -> list[Message]:
    """All messages of a session but its partials and what belongs to a connection."""
    messages = [message for part in parts for message in part.messages]
    return [m for m in messages if m["type"] not in ("ready", "partial", "ack", "warning")]


async def undisturbed(own: Service) -> dict[str, list[Message]]:
    return by_type(joined(await transcribe(own.ws_url, TALK)))


def by_type(messages: list[Message]) -> dict[str, list[Message]]:
    """Messages without their numbers. How those of different types lie between each other depends on when
    decodes end."""
    sorts: dict[str, list[Message]] = {}
    for message in messages:
        sorts.setdefault(message["type"], []).append({k: v for k, v in message.items() if k != "seq"})
    return sorts


async def test_every_event_comes_once_over_two_connections(own: Service) -> None:
    async with raw_session(own.ws_url) as first:
        query = await broken(first, TALK[:HALF], own)
    async with raw_session(own.ws_url, **query) as second:
        await rest(second, TALK)
    assert by_type(joined(first, second)) == await undisturbed(own)
    numbers = [m["seq"] for m in joined(first, second)]
    assert numbers == sorted(set(numbers))
    ready = second.messages[0]
    assert (ready["seq"], ready["session"], ready["token"]) == (
        int(query["after"]),
        query["session"],
        query["token"],
    )
    assert ready["resumed"] == {"sample": HALF // 2, "finalized": 0, "ended": False}


@pytest.mark.parametrize(("encoding", "sample_rate"), [("pcm16", 44100), ("mulaw", 8000), ("float32", 11025)])
async def test_audio_that_is_converted_joins_without_a_seam(
    own: Service, encoding: str, sample_rate: int
) -> None:
    audio = encoded(TALK, encoding, sample_rate, 1)
    frame_bytes = {"pcm16": 2, "mulaw": 1, "float32": 4}[encoding]
    query = {"encoding": encoding, "sample_rate": str(sample_rate)}
    whole = await transcribe(own.ws_url, audio, **query)
    async with raw_session(own.ws_url, **query) as first:
        again = await broken(first, audio[: len(audio) // 2 + 1])
    async with raw_session(own.ws_url, **again) as second:
        await rest(second, audio, frame_bytes)
    assert second.messages[-1]["duration"] == whole.messages[-1]["duration"]
    finals = [(m["utterance"], m["start"], m["end"]) for m in joined(first, second) if m["type"] == "final"]
    assert finals == [(m["utterance"], m["start"], m["end"]) for m in whole.of("final")]


async def test_a_killed_edge_is_followed_by_another(own: Service) -> None:
    edge = await asyncio.to_thread(own.start_edge, "second edge")
    async with raw_session(edge.replace("http", "ws")) as first:
        await first.audio(TALK[:HALF])
        await first.until("final")
        own.end("second edge", signal.SIGKILL)
        assert (await first.until_closed())[0] != 1000
    query = resumed(first.of("ready")[0], first.messages[-1]["seq"])
    async with raw_session(own.ws_url, **query) as second:
        await rest(second, TALK)
    assert by_type(joined(first, second)) == await undisturbed(own)


async def test_a_connection_that_is_still_open_is_closed_and_changes_nothing(own: Service) -> None:
    """Half open: the client came back before the edge noticed that it was gone."""
    counted = {name: scrape(own.port)[name] for name in (RESUMED, TAKEN_OVER)}
    async with raw_session(own.ws_url) as first, asyncio.timeout(60):
        await first.audio(TALK[:HALF])
        await first.until("final")
        query = resumed(first.of("ready")[0], first.messages[-1]["seq"])
        async with raw_session(own.ws_url, **query) as second:
            await second.until("ready")
            assert await first.until_closed() == (4001, "taken_over")
            now = await asyncio.to_thread(scrape, own.port)
            assert {name: now[name] - counted[name] for name in counted} == {RESUMED: 1, TAKEN_OVER: 1}
            await second.audio(TALK[second.messages[0]["resumed"]["sample"] * 2 :])
            await second.say("end")
            assert (await second.until_closed())[0] == 1000
    assert second.messages[-1]["duration"] == pytest.approx(len(TALK) / 32000, abs=0.001)
    finals = [m["utterance"] for m in second.of("final")]
    assert finals == list(range(finals[0], second.messages[-1]["utterances"]))


async def test_of_two_that_resume_at_once_one_has_the_session(own: Service) -> None:
    async with raw_session(own.ws_url) as first:
        query = await broken(first, TALK[:HALF], own)

    async def speak_on() -> int:
        async with raw_session(own.ws_url, **query) as session:
            ready = await session.until("ready")
            with contextlib.suppress(ConnectionClosed):  # the others come meanwhile
                await session.audio(TALK[ready["resumed"]["sample"] * 2 :])
                await session.say("end")
            code, _ = await session.until_closed()
            if code == 1000:
                assert session.messages[-1]["duration"] == pytest.approx(len(TALK) / 32000, abs=0.001)
            return code

    codes = await asyncio.gather(*(speak_on() for _ in range(4)))
    assert sorted(codes) == [1000, 4001, 4001, 4001]


async def test_a_session_that_was_closed_meanwhile_is_replayed_to_its_end(own: Service) -> None:
    whole = await transcribe(own.ws_url, TALK)
    for after in (0, 1, whole.of("final")[0]["seq"]):
        query = resumed(whole.of("ready")[0], after)
        async with raw_session(own.ws_url, **query) as again:
            with contextlib.suppress(ConnectionClosed):  # it may have been replayed already
                await again.audio(b"\0" * 6400)
            assert await again.until_closed() == (1000, "")
        assert again.messages[0]["resumed"]["ended"]
        assert again.messages[1:] == [m for m in joined(whole) if m["seq"] > after]


async def test_one_that_has_everything_of_a_closed_session_gets_its_close(own: Service) -> None:
    whole = await transcribe(own.ws_url, TALK[:64000])
    query = resumed(whole.of("ready")[0], whole.messages[-1]["seq"])
    async with raw_session(own.ws_url, **query) as again:
        assert await again.until_closed() == (1000, "")
    assert [m["type"] for m in again.messages] == ["ready"]


async def test_an_end_that_arrived_is_not_needed_again(own: Service) -> None:
    async with raw_session(own.ws_url) as first:
        await first.audio(TALK)
        await first.say("end")
        await first.until("final")
        await until_kept(own, first, "ended", 1)
        first.socket.transport.abort()
    query = resumed(first.of("ready")[0], first.messages[-1]["seq"])
    async with raw_session(own.ws_url, **query) as second:
        assert await second.until_closed() == (1000, "")
    assert by_type(joined(first, second)) == await undisturbed(own)


async def test_a_finalize_is_counted_so_that_it_is_said_once(own: Service) -> None:
    async with raw_session(own.ws_url, acks="true") as first:
        await first.audio(TALK[: 32000 * 2])
        await first.say("finalize")
        await first.until("final")
        await first.until("ack")
        first.socket.transport.abort()
    assert first.of("ack")[-1]["seq"] <= first.messages[-1]["seq"]
    async with raw_session(
        own.ws_url, **resumed(first.of("ready")[0], first.of("final")[-1]["seq"])
    ) as second:
        ready = await second.until("ready")
        assert ready["resumed"] == {"sample": 32000, "finalized": 1, "ended": False}
        await second.audio(TALK[32000 * 2 : 32000 * 4])
        await second.say("finalize")
        assert (await second.until("final"))["utterance"] == 1
        await second.say("end")
        assert (await second.until_closed())[0] == 1000
    assert second.of("speech_end")[0]["reason"] == "finalize"


async def test_a_session_without_a_client_is_finalised_and_can_be_read(own: Service) -> None:
    async with raw_session(own.ws_url) as first:
        query = await broken(first, TALK[:HALF], own)
    async with asyncio.timeout(60):
        while True:
            async with raw_session(own.ws_url, **query) as second:
                ready = await second.until("ready")
                if ready["resumed"]["ended"]:
                    assert await second.until_closed() == (1000, "")
                    break
                second.socket.transport.abort()
            await asyncio.sleep(6)
    assert second.messages[-1]["reason"] == "abandoned"
    assert second.messages[-1]["duration"] == pytest.approx(HALF / 32000, abs=0.001)


async def test_a_wrong_token_and_an_unknown_session_look_the_same(own: Service) -> None:
    async with raw_session(own.ws_url) as session:
        ready = await session.until("ready")
        answers = []
        for change in ({"token": "wrong"}, {"session": "0" * 32}, {"session": "../x"}, {"token": "é"}):
            async with raw_session(own.ws_url, **(resumed(ready, 1) | change)) as other:
                answers.append((await other.until_closed(), other.messages))
        assert all(answer == answers[0] for answer in answers)
        assert answers[0][0] == (1008, "not_found")
        assert answers[0][1][0]["code"] == "not_found"
        await session.say("end")  # and the session did not notice
        assert await session.until_closed() == (1000, "")


@pytest.mark.parametrize(
    "change", [{"after": "999"}, {"language": "de"}, {"sample_rate": "8000"}, {"after": "x"}]
)
async def test_a_query_that_contradicts_the_session_is_refused_and_harmless(
    own: Service, change: dict[str, str]
) -> None:
    async with raw_session(own.ws_url, language="en") as session:
        ready = await session.until("ready")
        async with raw_session(own.ws_url, **(resumed(ready, 1) | change)) as other:
            assert (await other.until_closed())[0] == 1008
        assert next(iter(change)) in other.messages[-1]["message"]
        await session.say("end")
        assert await session.until_closed() == (1000, "")
