"""The bounds of tenants: exact however many ask at once, given back, and other tenants' are theirs."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect as dial
from websockets.exceptions import InvalidStatus

from api.job_quota import JobQuota, Load
from client import connect
from shared.errors import QuotaExceeded
from shared.jobs import META_COUNTED, META_DURATION, META_TENANT
from shared.redis.connection import AsyncRedis, connect_sync
from shared.redis.keys import Keys
from shared.redis.quotas import DAY_AUDIO, MONTH_AUDIO, JobUsage, TenantPlaces, Turnstile
from tests.support.data import DATA_DIR
from tests.support.live import RawSession
from tests.support.quota import allowing, live_bounds
from tests.support.service import Service
from tests.support.sound import pcm16, speech
from worker.jobs.file_job import count_audio

pytestmark = pytest.mark.anyio

ALICE, BOB = "alice-key-0123456", "bob-key-0123456"
CLIENTS, BOUND = 100, 7
DAY_S = 24 * 3600
CLIP = DATA_DIR / "en_years.ogg"


async def test_the_bound_is_exact_with_a_hundred_that_ask_at_once(redis: AsyncRedis) -> None:
    edges = [TenantPlaces(redis, Keys(), held_s=60) for _ in range(4)]
    asked = [edges[i % 4].occupy("acme", f"session-{i}", BOUND) for i in range(CLIENTS)]
    got = await asyncio.gather(*asked, edges[0].occupy("other", "session-0", BOUND))
    assert sum(got[:-1]) == BOUND
    assert got[-1]
    holder = f"session-{got.index(True)}"
    assert await edges[1].occupy("acme", holder, BOUND), "who has a place keeps it"
    assert not await edges[1].occupy("acme", "another", BOUND)
    await edges[2].vacate("acme", holder)
    assert await edges[1].occupy("acme", "another", BOUND)
    assert not await edges[1].occupy("acme", holder, BOUND)
    assert 0 < await redis.ttl(Keys().tenant_sessions("acme")) <= 60


async def test_places_of_an_edge_that_died_end(redis: AsyncRedis) -> None:
    places = TenantPlaces(redis, Keys(), held_s=600)
    name = Keys().tenant_sessions("acme")
    assert await places.occupy("acme", "dead", 1)
    assert not await places.occupy("acme", "new", 1)
    seconds, _ = await redis.time()
    await redis.zadd(name, {"dead": seconds - 1})
    assert await places.occupy("acme", "new", 1)
    assert await redis.zrange(name, 0, -1) == [b"new"]


async def test_of_a_hundred_requests_at_once_exactly_the_bound_passes(redis: AsyncRedis) -> None:
    edges = [Turnstile(redis, Keys(), period_s=DAY_S) for _ in range(4)]
    asked = [edges[i % 4].ask("acme", BOUND) for i in range(CLIENTS)]
    got = await asyncio.gather(*asked, edges[0].ask("other", BOUND))
    assert sum(passage.is_free for passage in got[:-1]) == BOUND
    assert sorted(passage.left for passage in got[:-1] if passage.is_free) == list(range(BOUND))
    assert got[-1].is_free
    refused = next(passage for passage in got if not passage.is_free)
    assert 0 < refused.retry_after_s <= DAY_S / BOUND
    assert DAY_S * (BOUND - 1) / BOUND < refused.reset_s <= DAY_S
    assert 0 < await redis.ttl(Keys().tenant_rate("acme")) <= DAY_S


async def test_requests_pass_again_evenly(redis: AsyncRedis) -> None:
    """What is due is set back as if time had passed: one step lets one request in."""
    turnstile, name = Turnstile(redis, Keys(), period_s=DAY_S), Keys().tenant_rate("acme")
    assert [(await turnstile.ask("acme", BOUND)).is_free for _ in range(BOUND + 1)] == [True] * BOUND + [
        False
    ]
    for count in (1, 3):
        due = float(await redis.get(name) or 0) - count * DAY_S * 1e6 / BOUND
        await redis.set(name, due, ex=DAY_S)
        assert [(await turnstile.ask("acme", BOUND)).is_free for _ in range(count + 1)] == [True] * count + [
            False
        ]
    await redis.set(name, 1e18, ex=DAY_S)  # from before the clock was set back
    assert (await turnstile.ask("acme", BOUND)).is_free


async def test_a_hundred_sessions_have_the_audio_of_the_bound_and_not_a_sample_more(
    redis: AsyncRedis,
) -> None:
    """Each asks for 0.7 s at a time until it gets no more; what a slice was too long is given back."""
    quota, *_ = live_bounds(redis, audio_minutes_per_day=3, audio_minutes_per_month=2)

    async def speak(number: int) -> int:
        meter = quota.meter("acme")
        try:
            async with meter.running(is_new=True):
                heard = 0
                while heard < number * 16_000 and (may := await meter.reach(heard + 11_200)) > heard:
                    heard = may
                return heard
        except QuotaExceeded:
            return 0

    heard = await asyncio.gather(*(speak(number) for number in range(CLIENTS)))
    assert sum(heard) <= 120 * 16_000
    rest = 0
    for _ in range(10):
        rest += await speak(CLIENTS)
    assert sum(heard) + rest == 120 * 16_000
    with pytest.raises(QuotaExceeded, match="month") as refused:
        async with quota.meter("acme").running(is_new=True):
            pytest.fail("nothing is left")
    assert refused.value.retry_after_s
    assert (await quota.usage.read("acme"))[MONTH_AUDIO] == 120_000


async def test_a_new_day_begins_with_nothing_used(redis: AsyncRedis) -> None:
    quota, *_ = live_bounds(redis, audio_minutes_per_day=1)
    async with quota.meter("acme").running(is_new=True):
        pass
    name = Keys().tenant_usage("acme")
    await redis.hset(name, mapping={"day": "2020-01-01", "month": "2020-01", "day:audio_ms": 60_000})
    assert await quota.usage.read("acme") == {}
    async with quota.meter("acme").running(is_new=True):
        assert (await quota.usage.read("acme"))[DAY_AUDIO] == 10_000
    # An edge whose clock is a day behind counts in the day that has begun elsewhere.
    await redis.hset(name, mapping={"day": "2999-01-01", "day:audio_ms": 60_000})
    with pytest.raises(QuotaExceeded, match="day"):
        async with quota.meter("acme").running(is_new=True):
            pytest.fail("nothing is left")


async def test_a_hundred_jobs_at_once_are_taken_up_to_the_bound(redis: AsyncRedis, redis_url: str) -> None:
    over: set[str] = set()
    client = connect_sync(redis_url)
    tenants = allowing(jobs=BOUND, jobs_per_day=2 * BOUND, stored_bytes=1000, bytes_per_day=1500)
    quota = JobQuota(tenants, JobUsage(client, Keys(), held_s=60), lambda jobs: over.intersection(jobs))

    def take(job: str, size_bytes: int) -> str:
        try:
            quota.take("acme", job, Load(size_bytes=size_bytes, audio_s=1.0))
        except QuotaExceeded as refused:
            return refused.message
        return ""

    try:
        answers = await asyncio.gather(*(asyncio.to_thread(take, f"a{i}", 10) for i in range(CLIENTS)))
        assert answers.count("") == BOUND
        with pytest.raises(QuotaExceeded, match="7 jobs that wait or run"):
            quota.check("acme")
        over.update(f"a{i}" for i in range(CLIENTS))  # they end, in other processes
        quota.check("acme")
        assert "1000 bytes of uploads that wait" in take("large", 1001)
        assert not take("b0", 1000)
        over.add("b0")
        assert "1500 bytes of uploads" in take("b1", 500)
        quota.give_back("acme", "b0", Load(size_bytes=1000, audio_s=1.0))
        assert [take(f"c{i}", 1) for i in range(BOUND)] == [""] * BOUND
        over.update(f"c{i}" for i in range(BOUND))
        assert "14 jobs on one day" in take("d", 1)
        with pytest.raises(QuotaExceeded, match="14 jobs on one day"):
            quota.check("acme")
    finally:
        client.close()


async def test_a_file_is_counted_as_long_as_it_was(redis: AsyncRedis, redis_url: str) -> None:
    client = connect_sync(redis_url)
    try:
        usage = JobUsage(client, Keys(), held_s=60)
        count_audio({META_TENANT: "acme", META_COUNTED: 2.0, META_DURATION: 61.5}, usage)
        count_audio({META_TENANT: "free", META_DURATION: 61.5}, usage)
    finally:
        client.close()
    quota, *_ = live_bounds(redis, audio_minutes_per_day=1)
    assert (await quota.usage.read("acme"))[DAY_AUDIO] == 59_500
    assert await quota.usage.read("free") == {}


TENANTS = """
[default]
requests_per_minute = 1000

[tenant.carol]
requests_per_minute = 3

[tenant.dave]
jobs_per_day = 1

[tenant.erin]
audio_minutes_per_day = 1
"""


@pytest.mark.slow
async def test_tenants_have_what_the_file_says_and_what_it_says_later(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(TENANTS)
    names = ("carol", "dave", "erin")
    keys = ",".join(f"{name}:{name}-key-0123456" for name in names)
    with Service.running(
        tmp_path, engine="scripted", api_keys=keys, tenants_file=str(file), origins=""
    ) as own:
        async with httpx.AsyncClient(base_url=own.url) as http:
            await _asks_too_often(own, http)
            await _has_too_many_jobs(http)
            await _speaks_for_too_long(own)
            file.write_text(TENANTS.replace("jobs_per_day = 1", "jobs_per_day = 2"))
            async with asyncio.timeout(60):
                while True:
                    if (await _submit(http, "/v1/jobs", "file")).status_code == 202:
                        break
                    await asyncio.sleep(0.2)


def _bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}-key-0123456"}


async def _asks_too_often(own: Service, http: httpx.AsyncClient) -> None:
    headers = _bearer("carol")
    answers = [await http.get("/v1/models", headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[-1].headers["ratelimit"].startswith('"requests";r=0;t=')
    assert answers[-1].headers["ratelimit-policy"] == '"requests";q=3;w=60'
    for path, code in (("/v1/jobs", "rate_limited"), ("/v1/models", "rate_limit_exceeded")):
        answer = await http.get(path, headers=headers)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 20
        assert answer.json()["error"]["code"] == code
    for path in ("/v1/stream", "/v1/realtime", "/v1/listen"):
        with pytest.raises(InvalidStatus) as refused:
            await dial(own.ws_url + path, additional_headers=headers)
        assert refused.value.response.status_code == 429


async def _has_too_many_jobs(http: httpx.AsyncClient) -> None:
    assert (await _submit(http, "/v1/jobs", "file")).status_code == 202
    told = (await http.get("/v1/usage", headers=_bearer("dave"))).json()
    assert (told["tenant"], told["bounds"]["jobs_per_day"], told["used"]["day:jobs"]) == ("dave", 1, 1)
    refused = await _submit(http, "/v1/jobs", "file")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota_exceeded")
    assert "1 jobs on one day" in refused.json()["error"]["message"]
    for path, field in (("/v1/audio/transcriptions", "file"), ("/asr", "audio_file")):
        assert (await _submit(http, path, field)).status_code == 429, path
    body = await http.post("/v1/listen", content=CLIP.read_bytes(), headers=_bearer("dave"))
    assert body.status_code == 429


async def _submit(http: httpx.AsyncClient, path: str, field: str) -> httpx.Response:
    files = {field: ("clip.ogg", CLIP.read_bytes())}
    data = {"model": "whisper-1"} if "audio/" in path else {}
    return await http.post(path, files=files, data=data, headers=_bearer("dave"))


async def _speaks_for_too_long(own: Service) -> None:
    """A minute is heard to its end, and not a sample more; then nothing more is."""
    async with dial(f"{own.ws_url}/v1/stream", additional_headers=_bearer("erin")) as socket:
        session = RawSession(socket)
        await session.audio(pcm16(speech(70.0)))
        assert (await session.until_closed())[0] == 1000
        (warning,) = session.of("warning")
        assert warning["code"] == "quota_exceeded"
        assert session.messages[-1]["type"] == "closed"
        assert session.messages[-1]["duration"] == 60.0
    async with dial(f"{own.ws_url}/v1/stream", additional_headers=_bearer("erin")) as socket:
        session = RawSession(socket)
        assert await session.until_closed() == (1013, "quota_exceeded")
        assert session.messages[-1]["retry_after_s"] > 1


async def test_a_tenant_has_so_many_sessions_and_not_one_more(tmp_path: Path) -> None:
    settings = {"api_keys": f"alice:{ALICE},bob:{BOB}", "tenant_sessions_max": "2", "origins": ""}
    with Service.running(tmp_path, engine="scripted", modules=("api", "worker"), **settings) as own:
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(connect(own.ws_url, api_key=ALICE))
            await stack.enter_async_context(connect(own.ws_url, api_key=ALICE))
            with pytest.raises(QuotaExceeded) as refused:
                async with connect(own.ws_url, api_key=ALICE):
                    pytest.fail("one too many")
            assert refused.value.retry_after_s
            headers = {"Authorization": f"Bearer {ALICE}"}
            async with dial(f"{own.ws_url}/v1/stream", additional_headers=headers) as socket:
                assert await RawSession(socket).until_closed() == (1013, "quota_exceeded")
            async with connect(own.ws_url, api_key=BOB) as other:
                await other.end()
                assert [event.type async for event in other][-1] == "closed"
            await first.end()
            assert [event.type async for event in first][-1] == "closed"
            async with asyncio.timeout(60):  # the edge gives the place up behind the last event
                while True:
                    if await _is_let_in(own, ALICE):
                        break
                    await asyncio.sleep(0.05)


async def _is_let_in(service: Service, key: str) -> bool:
    try:
        async with connect(service.ws_url, api_key=key) as session:
            await session.end()
    except QuotaExceeded:
        return False
    return True
