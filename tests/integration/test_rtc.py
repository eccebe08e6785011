"""WebRTC over real sockets: a peer's session from its offer to its end, refusals, and what is left behind."""

import asyncio
import re
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager

import httpx
import psutil
import pytest

pytest.importorskip("aiortc")

from aiortc import RTCSessionDescription

from bench.rtc_peer import Microphone, RtcSession, rtc_session, use_loopback
from tests.support.data import clip
from tests.support.service import Service, free_port

pytestmark = pytest.mark.anyio

ALICE, BOB, READER = "alice-key-0123456", "bob-key-0123456", "reader-key-0123456"
CAROL = "carol-key-0123456"
TENANTS = """
[tenant.carol]
sessions = 2
"""
PAGE = "http://page"
CONNECT_S = 2.0
TALK = clip("en_quilter").pcm16()[: 32_000 * 2]
WAIT_S_MAX = 30.0


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module", autouse=True)
def _own_address() -> None:
    use_loopback()


@pytest.fixture(scope="module")
def rtc(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    folder = tmp_path_factory.mktemp("rtc")
    (folder / "tenants.toml").write_text(TENANTS)
    settings = {
        "api_keys": f"alice:{ALICE},alice/read:{READER},bob:{BOB},carol:{CAROL}",
        "tenants_file": str(folder / "tenants.toml"),
        "rtc_port": str(free_port()),
        "rtc_connect_s": str(CONNECT_S),
        "rtc_peers_max": "3",
        "resume_s": "2",
    }
    with Service.running(folder, engine="scripted", modules=("api", "worker"), **settings) as running:
        yield running
        assert "Traceback" not in running.log.read_text()


@asynccontextmanager
async def spoken(rtc: Service, key: str = ALICE, **query: str) -> AsyncGenerator[RtcSession]:
    """An open session whose microphone is fast."""
    async with rtc_session(rtc.url + "/v1/rtc", query=query, headers=bearer(key), speed=8) as session:
        yield session


async def measured(rtc: Service) -> dict[str, float]:
    async with httpx.AsyncClient(base_url=rtc.url) as http:
        text = (await http.get("/metrics")).text
    return {name: float(value) for name, value in re.findall(r"^(steno_\S+) (\S+)$", text, re.MULTILINE)}


async def until_measured(rtc: Service, name: str, value: float) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while (await measured(rtc)).get(name, 0.0) != value:  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.05)


def failed_at(stage: str) -> str:
    return f'steno_edge_rtc_failed_total{{stage="{stage}"}}'


async def failed(rtc: Service, stage: str) -> float:
    """Peers that did not get beyond a stage so far."""
    return (await measured(rtc)).get(failed_at(stage), 0.0)


async def post(rtc: Service, content: str | bytes, **more: object) -> httpx.Response:
    headers = {"Content-Type": "application/sdp"} | bearer(ALICE)
    options = {"headers": headers, "content": content} | more
    async with httpx.AsyncClient(base_url=rtc.url, timeout=20) as http:
        return await http.post("/v1/rtc", **options)


async def offered(**channel: object) -> str:
    session = RtcSession(Microphone(), **channel)
    try:
        return await session.offer()
    finally:
        await session.peer.close()


async def test_a_session_from_its_offer_to_its_end(rtc: Service) -> None:
    async with spoken(rtc, language="en", acks="true") as session:
        ready = await session.until("ready")
        assert (await measured(rtc))['steno_edge_sessions{surface="rtc"}'] == 1
        session.microphone.put(TALK)
        await session.until("partial")
        await session.microphone.spoken()
        session.say("keepalive")
        session.say("finalize", id="mine")
        assert (await session.until("finalized"))["id"] == "mine"
        assert session.of("final")
        session.say("end")
        closed = await session.until("closed")
        assert (await session.until("disconnect")) == {"type": "disconnect", "code": 1000, "reason": ""}
    numbers = [m["seq"] for m in session.messages if m["type"] not in ("ack", "disconnect")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert closed["duration"] == pytest.approx(2.0, abs=0.06)
    assert session.of("ack")
    assert len(ready["session"]) == 32
    assert re.fullmatch(r"/v1/rtc/[\w-]{24}", session.location.removeprefix(rtc.url))
    await until_measured(rtc, "steno_edge_rtc_peers", 0)


async def test_delete_ends_a_session_as_its_own_end_does(rtc: Service) -> None:
    async with spoken(rtc) as session, httpx.AsyncClient(headers=bearer(ALICE)) as http:
        session.microphone.put(TALK)
        await session.until("speech_start")
        for strange in (bearer(BOB), bearer(READER), {"Authorization": ""}):
            refused = await http.delete(session.location, headers=strange)
            assert refused.status_code in (404, 403, 401)
        assert (await http.delete(session.location)).status_code == 200
        await session.until("final")
        await session.until("closed")
        await session.until("disconnect")
        await until_measured(rtc, "steno_edge_rtc_peers", 0)
        assert (await http.delete(session.location)).status_code == 404


async def test_a_new_peer_goes_on_with_the_session(rtc: Service) -> None:
    async with spoken(rtc) as session:
        ready = await session.until("ready")
        session.microphone.put(TALK)
        await session.until("partial")
        await session.microphone.spoken()
    back = {"session": ready["session"], "token": ready["token"], "after": str(session.messages[-1]["seq"])}
    await until_measured(rtc, "steno_edge_rtc_peers", 0)
    async with spoken(rtc, **back) as resumed:
        told = (await resumed.until("ready"))["resumed"]
        assert told["sample"] == pytest.approx(32_000, abs=2_500)  # what was on its way is lost
        resumed.microphone.put(TALK)
        await resumed.microphone.spoken()
        resumed.say("end")
        closed = await resumed.until("closed")
    assert closed["duration"] == pytest.approx(told["sample"] / 16_000 + 2.0, abs=0.06)
    finals = [m for m in (*session.messages, *resumed.messages) if m["type"] == "final"]
    assert [final["start"] for final in finals] == sorted(final["start"] for final in finals)


async def test_the_newest_peer_has_the_session(rtc: Service) -> None:
    async with spoken(rtc) as session:
        ready = await session.until("ready")
        back = {"session": ready["session"], "token": ready["token"], "after": "1"}
        async with spoken(rtc, **back) as newer:
            assert (await session.until("disconnect"))["code"] == 4001
            newer.say("end")
            await newer.until("closed")


async def test_another_tenants_session_is_not_found(rtc: Service) -> None:
    async with spoken(rtc) as session:
        ready = await session.until("ready")
        query = {"session": ready["session"], "token": ready["token"], "after": "1"}
        answer = await post(
            rtc, await offered(), params=query, headers={"Content-Type": "application/sdp"} | bearer(BOB)
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        session.say("end")
        await session.until("closed")


@pytest.mark.parametrize("message", ["{", '{"type":"shout"}', b"\0\1", '{"type":"finalize","id":7}'])
async def test_an_unknown_message_ends_the_session(rtc: Service, message: str | bytes) -> None:
    async with spoken(rtc) as session:
        session.channel.send(message)
        assert (await session.until("error"))["code"] == "bad_message"
        assert (await session.until("disconnect"))["code"] == 1008
    await until_measured(rtc, "steno_edge_rtc_peers", 0)


async def test_too_much_at_once_is_cut_off(rtc: Service) -> None:
    for flood in (["x" * 20_000], ['{"type":"keepalive"}'] * 200):
        async with spoken(rtc) as session:
            session.peer.sctp._remote_max_message_size = 0  # who keeps no bounds
            for message in flood:
                session.channel.send(message)
            await until_measured(rtc, "steno_edge_rtc_peers", 0)
            assert not session.of("closed")


BAD_QUERIES = [
    ({"colour": "red"}, 400, "bad_parameter"),
    ({"sample_rate": "48000"}, 400, "bad_parameter"),
    ({"encoding": "pcm16"}, 400, "bad_parameter"),
    ({"model": "none"}, 400, "bad_parameter"),
    ({"session": "x"}, 400, "bad_parameter"),
    ({"session": "0" * 32, "token": "x", "after": "0"}, 404, "not_found"),
]


@pytest.mark.parametrize(("query", "status", "code"), BAD_QUERIES)
async def test_a_wrong_query_is_refused(rtc: Service, query: dict[str, str], status: int, code: str) -> None:
    answer = await post(rtc, await offered(), params=query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_a_wrong_offer_is_refused(rtc: Service) -> None:
    offer = await offered()
    silent = offer.replace("opus/48000/2", "speex/16000")
    for content, status, code in [
        (b"", 400, "bad_request"),
        (b"\xff\xfe", 400, "bad_request"),
        (silent, 406, "not_acceptable"),
        ("v=0\r\n" + "a=x\r\n" * 20_000, 413, "too_large"),
    ]:
        answer = await post(rtc, content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    typed = await post(rtc, offer, headers=bearer(ALICE) | {"Content-Type": "application/json"})
    assert (typed.status_code, typed.headers["accept-post"]) == (415, "application/sdp")
    await until_measured(rtc, "steno_edge_rtc_peers", 0)


async def test_who_may_not_is_refused(rtc: Service) -> None:
    offer = await offered()
    sdp = {"Content-Type": "application/sdp"}
    for headers, status in [({}, 401), (bearer("nobody-0123456"), 401), (bearer(READER), 403)]:
        assert (await post(rtc, offer, headers=sdp | headers)).status_code == status
    async with httpx.AsyncClient(base_url=rtc.url, headers=bearer(ALICE)) as http:
        for method in ("GET", "PATCH", "PUT"):
            assert (await http.request(method, "/v1/rtc/some")).status_code == 405
        asked = {"expires_in_s": 60, "origin": PAGE}
        token = (await http.post("/v1/tokens", json=asked)).json()["token"]
    elsewhere = sdp | bearer(token) | {"Origin": "http://elsewhere"}
    assert (await post(rtc, offer, headers=elsewhere)).status_code == 403
    answer = await post(rtc, offer, headers=sdp | bearer(token) | {"Origin": PAGE})
    assert answer.status_code == 201
    assert "Location" in answer.headers["access-control-expose-headers"]
    await until_measured(rtc, "steno_edge_rtc_peers", 0)


async def test_no_more_than_may_be(rtc: Service) -> None:
    offer = await offered()
    sdp = {"Content-Type": "application/sdp"}
    async with spoken(rtc, CAROL), spoken(rtc, CAROL):
        third = await post(rtc, offer, headers=sdp | bearer(CAROL))
        assert (third.status_code, third.json()["error"]["code"]) == (429, "quota_exceeded")
        assert int(third.headers["retry-after"]) > 0
        async with spoken(rtc, BOB) as last:
            many = await post(rtc, offer, headers=sdp | bearer(BOB))
            assert (many.status_code, many.json()["error"]["code"]) == (503, "no_capacity")
            assert int(many.headers["retry-after"]) > 0
            last.say("end")
            await last.until("closed")
    await until_measured(rtc, "steno_edge_rtc_peers", 0)


async def test_who_does_not_come_leaves_nothing(rtc: Service) -> None:
    """No check ever arrives: the session is given up, not kept for a client that can't know its token."""
    before = await failed(rtc, "ice")
    assert (await post(rtc, await offered())).status_code == 201
    assert (await measured(rtc))["steno_edge_rtc_peers"] == 1
    await until_measured(rtc, failed_at("ice"), before + 1)
    await until_measured(rtc, "steno_edge_rtc_peers", 0)
    await until_measured(rtc, 'steno_edge_sessions{surface="rtc"}', 0)


async def test_who_has_another_certificate_than_he_said_is_let_go(rtc: Service) -> None:
    """The path is there, and whoever is at its end is not the one who sent the offer."""
    before = await failed(rtc, "dtls")
    session = RtcSession(Microphone())
    try:
        true = await session.offer()
        false = re.sub(r"(a=fingerprint:sha-256 )\S+", r"\g<1>" + ":".join(["00"] * 32), true)
        # aiortc says it in other digests too, any of which would do.
        false = re.sub(r"a=fingerprint:sha-(384|512) \S+\r\n", "", false)
        assert false != true
        answer = await post(rtc, false)
        assert answer.status_code == 201
        await session.peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        await until_measured(rtc, failed_at("dtls"), before + 1)
        assert session.messages == []
    finally:
        await session.peer.close()
    await until_measured(rtc, "steno_edge_rtc_peers", 0)
    await until_measured(rtc, 'steno_edge_sessions{surface="rtc"}', 0)


@pytest.mark.slow
@pytest.mark.parametrize("channel", [{"label": "other"}, {"ordered": False}, {"maxRetransmits": 1}])
async def test_a_channel_that_is_not_it_is_closed(rtc: Service, channel: dict[str, object]) -> None:
    before = await failed(rtc, "channel")
    session = RtcSession(Microphone(), **channel)
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await session.dial(http, rtc.url + "/v1/rtc", {}, bearer(ALICE))
        assert answer.status_code == 201
        async with asyncio.timeout(WAIT_S_MAX):
            while session.channel.readyState != "closed":  # noqa: ASYNC110 - it says so once only
                await asyncio.sleep(0.05)
        await until_measured(rtc, failed_at("channel"), before + 1)
        assert session.messages == []
    finally:
        await session.peer.close()
    await until_measured(rtc, "steno_edge_rtc_peers", 0)


async def test_an_edge_that_stops_says_so_and_another_goes_on(rtc: Service) -> None:
    port = free_port()
    rtc.start(
        "api", name="leaving", environment={"STENO_PORT": str(port), "STENO_RTC_PORT": str(free_port())}
    )
    rtc.wait_until_ready(worker=False, port=port)
    async with rtc_session(f"http://127.0.0.1:{port}/v1/rtc", headers=bearer(ALICE), speed=8) as session:
        ready = await session.until("ready")
        session.microphone.put(TALK)
        await session.until("speech_start")
        ended = asyncio.create_task(asyncio.to_thread(rtc.end, "leaving", signal.SIGTERM))
        assert await session.until("disconnect") == {"type": "disconnect", "code": 1012, "reason": "restart"}
        assert await ended == 0
    after = str(max(message.get("seq", 0) for message in session.messages))
    async with spoken(rtc, session=ready["session"], token=ready["token"], after=after) as resumed:
        resumed.say("end")
        closed = await resumed.until("closed")
    assert closed["duration"] > 0.3


@pytest.mark.slow
async def test_a_peer_that_is_silently_gone_is_noticed_and_its_session_finalised(rtc: Service) -> None:
    async with spoken(rtc) as session:
        ready = await session.until("ready")
        session.microphone.put(TALK)
        await session.until("partial")
        connection = session.peer.sctp.transport.transport._connection
        for protocol in connection._protocols:
            protocol.transport.abort()
        await until_measured(rtc, "steno_edge_rtc_peers", 0)
        await until_measured(rtc, 'steno_edge_sessions{surface="rtc"}', 0)
    back = {"session": ready["session"], "token": ready["token"], "after": "1"}
    async with asyncio.timeout(60):
        while True:
            await asyncio.sleep(4)  # each look is a connection, which keeps the session that long
            async with rtc_session(rtc.url + "/v1/rtc", query=back, headers=bearer(ALICE)) as late:
                if (await late.until("ready"))["resumed"]["ended"]:
                    assert (await late.until("closed"))["reason"] == "abandoned"
                    break
    assert late.of("final")


@pytest.mark.slow
async def test_nothing_is_left_behind(rtc: Service) -> None:
    edge = psutil.Process(rtc.processes["api"].pid)
    threads = None
    for _ in range(3):
        async with spoken(rtc) as session:
            session.say("end")
            await session.until("closed")
        async with spoken(rtc) as session:
            await session.until("ready")
        assert (await post(rtc, await offered())).status_code == 201
        await until_measured(rtc, "steno_edge_rtc_peers", 0)
        assert len(edge.net_connections("udp")) == 1
        threads = threads or edge.num_threads()
    # One of the loop's own may have been started meanwhile; peers are six more by now.
    assert edge.num_threads() <= threads + 1
