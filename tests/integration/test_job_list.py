"""Jobs are listed, found by their key, tried again, and worked off by priority."""

import asyncio
import datetime as dt
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import psutil
import pytest
from rq.job import Job

from shared.redis.keys import is_permanent
from shared.redis.windows import JOB_KEYS_TTL_S, WindowResult
from tests.support.file_jobs import TTL_S, Edge, canned, decoding, edge
from tests.support.media import tone, write_media

pytestmark = pytest.mark.anyio


@pytest.fixture
async def desk(redis_url: str, data_dir: Path) -> AsyncGenerator[Edge]:
    async with edge(redis_url, data_dir) as desk:
        yield desk


@pytest.fixture
def silence(tmp_path: Path) -> Path:
    return write_media(tmp_path / "silence.wav", np.zeros(16_000, np.float32))


@pytest.fixture
def data(silence: Path) -> bytes:
    return silence.read_bytes()


@pytest.fixture
def other(tmp_path: Path) -> bytes:
    return write_media(tmp_path / "other.wav", tone(0.5)).read_bytes()


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One window of real speech."""
    from tests.support.data import clip

    return write_media(tmp_path_factory.mktemp("speech") / "speech.flac", clip("en_twain").samples())


async def ids(desk: Edge, **query: str) -> tuple[list[str], str]:
    answer = await desk.http.get("/v1/jobs", params=query)
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["jobs"]], answer.json().get("next_cursor", "")


async def test_jobs_are_listed_newest_first_in_pages(desk: Edge, silence: Path) -> None:
    jobs = [await desk.submit(silence) for _ in range(5)]
    assert await ids(desk) == (jobs[::-1], "")
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page, cursor = await ids(desk, limit="2", **({"cursor": cursor} if cursor else {}))
        seen += page
    assert (seen, cursor) == (jobs[::-1], "")


async def test_jobs_that_come_meanwhile_do_not_shift_a_page(desk: Edge, silence: Path) -> None:
    old = [await desk.submit(silence) for _ in range(4)]
    first, cursor = await ids(desk, limit="2")
    await desk.submit(silence)
    second, _ = await ids(desk, limit="2", cursor=cursor)
    assert first + second == old[::-1]


async def test_jobs_are_listed_by_status_and_deleted_ones_are_gone(desk: Edge, silence: Path) -> None:
    finished, deleted = await desk.submit(silence), await desk.submit(silence)
    await desk.work()
    cancelled, queued = await desk.submit(silence), await desk.submit(silence)
    await desk.http.delete(f"/v1/jobs/{cancelled}")
    await desk.http.delete(f"/v1/jobs/{deleted}")
    assert await ids(desk, status="finished") == ([finished], "")
    assert await ids(desk, status="queued") == ([queued], "")
    assert await ids(desk, status="cancelled") == ([cancelled], "")
    assert await ids(desk, status="failed") == ([], "")
    assert await ids(desk) == ([queued, cancelled, finished], "")
    assert deleted.encode() not in desk.redis.zrange("steno:jobs", 0, -1)


async def test_a_queued_job_that_is_cancelled_keeps_its_name_for_a_time(desk: Edge, silence: Path) -> None:
    """Also when a worker takes it in that moment: what RQ writes then must not outlast the record."""
    jobs = [await desk.submit(silence) for _ in range(2)]
    taken = Job.fetch(jobs[1], connection=desk.redis, serializer="json")
    for job in jobs:
        await desk.http.delete(f"/v1/jobs/{job}")
    with desk.redis.pipeline() as pipe:
        taken.heartbeat(dt.datetime.now(dt.UTC), 60, pipeline=pipe)
        taken.prepare_for_execution("a worker", pipeline=pipe)
        pipe.execute()
    rows = (await desk.http.get("/v1/jobs")).json()["jobs"]
    assert [(row["id"], row["status"], row["name"]) for row in rows] == [
        (job, "cancelled", "talk.bin") for job in reversed(jobs)
    ]
    for job in jobs:
        assert 0 < desk.redis.ttl(f"rq:job:{job}") <= TTL_S
    assert desk.redis.llen("rq:queue:steno-files") == 0


async def test_what_nobody_will_ask_for_is_not_listed(desk: Edge, silence: Path) -> None:
    finished = await desk.submit(silence)
    await desk.work()
    for job in (finished, await desk.submit(silence), finished, "0" * 32):
        await asyncio.to_thread(desk.desk.forget, job)
    assert await ids(desk) == ([], "")
    assert desk.redis.zcard("steno:jobs") == 0
    assert not [key for key in desk.redis.scan_iter("rq:job:*") if desk.redis.ttl(key) == -1]
    assert not list(desk.data_dir.glob("jobs/*"))


async def test_a_job_that_waits_is_not_forgotten_as_one_that_has_ended(desk: Edge, silence: Path) -> None:
    job = await desk.submit(silence)
    assert desk.redis.ttl(f"rq:job:{job}") > 100 * TTL_S
    await desk.work()
    assert 0 < desk.redis.ttl(f"rq:job:{job}") <= TTL_S


async def test_nothing_of_an_ended_job_outlasts_its_time(desk: Edge, silence: Path, speech: Path) -> None:
    """Finished, failed and cancelled ones; more than a sweep looks at together."""
    async with decoding(desk.redis_url):
        finished = await desk.submit(speech, idempotency_key="k")
        failed = await desk.submit(silence)
        desk.storage.drop_input(failed)
        await desk.work()
        await desk.http.delete(f"/v1/jobs/{await desk.submit(silence)}")
    assert (await desk.job(finished))["status"] == "finished"
    left = {name.decode(): desk.redis.ttl(name) for name in desk.redis.scan_iter("*")}
    assert all(0 < ttl <= JOB_KEYS_TTL_S or is_permanent(name) for name, ttl in left.items()), left
    # The time passes: what has one goes by itself, what RQ lists is due, files are old.
    for name, ttl in left.items():
        if ttl > 0:
            desk.redis.delete(name)
        elif name.startswith(("rq:finished:", "rq:failed:", "rq:canceled:")):
            desk.redis.zadd(name, dict.fromkeys(desk.redis.zrange(name, 0, -1), 1.0))
    desk.redis.zadd("steno:jobs", {f"{n:032x}": 1.0 for n in range(300)})
    for path in desk.data_dir.rglob("*"):
        os.utime(path, (1e9, 1e9))
    await desk.work()
    assert not list(desk.data_dir.glob("jobs/*"))
    assert desk.redis.zcard("steno:jobs") == 0
    assert not [
        *desk.redis.scan_iter("rq:job:*"),
        *desk.redis.scan_iter("rq:f*"),
        *desk.redis.scan_iter("steno:*:j:*"),
    ]


@pytest.mark.parametrize(
    "query", [{"status": "done"}, {"limit": "0"}, {"limit": "9999"}, {"cursor": "x"}, {"cursor": "1-../x"}]
)
async def test_a_wrong_question_about_the_list_is_named(desk: Edge, query: dict[str, str]) -> None:
    answer = await desk.http.get("/v1/jobs", params=query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_parameter")
    assert next(iter(query)) in answer.json()["error"]["message"]


async def test_the_same_file_with_one_key_is_one_job(desk: Edge, data: bytes) -> None:
    first, second = [await desk.post(data, idempotency_key="k", language="en") for _ in range(2)]
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json()["id"] == second.json()["id"]
    assert await ids(desk, idempotency_key="k") == ([first.json()["id"]], "")
    assert await ids(desk, idempotency_key="other") == ([], "")
    assert len(list(desk.data_dir.glob("jobs/*"))) == 1
    by_header = await desk.http.post(
        "/v1/jobs",
        files={"file": ("a", data)},
        data={"language": "en"},
        headers={"Idempotency-Key": "k"},
    )
    assert (by_header.status_code, by_header.json()["id"]) == (200, first.json()["id"])


async def test_a_key_with_another_file_or_other_options_is_refused(
    desk: Edge, data: bytes, other: bytes
) -> None:
    await desk.post(data, idempotency_key="k")
    for answer in (
        await desk.post(data, idempotency_key="k", words="true"),
        await desk.post(other, idempotency_key="k"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_key_reused")
    assert len(list(desk.data_dir.glob("jobs/*"))) == 1


async def test_many_at_once_with_one_key_are_one_job(desk: Edge, data: bytes) -> None:
    answers = await asyncio.gather(*(desk.post(data, idempotency_key="k") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [202]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(list(desk.data_dir.glob("jobs/*"))) == 1


async def test_a_key_is_free_once_its_job_is_cancelled_or_deleted(desk: Edge, data: bytes) -> None:
    first = (await desk.post(data, idempotency_key="k")).json()["id"]
    await desk.http.delete(f"/v1/jobs/{first}")
    second = await desk.post(data, idempotency_key="k", words="true")
    assert second.status_code == 202
    assert second.json()["id"] != first
    await desk.work()
    await desk.http.delete(f"/v1/jobs/{second.json()['id']}")
    assert (await desk.post(data, idempotency_key="k")).status_code == 202


async def test_a_failed_job_is_tried_again_without_what_is_done(desk: Edge, speech: Path) -> None:
    async with decoding(
        desk.redis_url, lambda w: WindowResult(number=w.number, language="", error="no memory")
    ):
        job = await desk.submit(speech)
        await desk.work()
    assert (await desk.job(job))["status"] == "failed"
    again = await desk.http.post(f"/v1/jobs/{job}/retry")
    assert (again.status_code, again.json()["status"]) == (202, "queued")
    assert "error" not in again.json()
    refused = await desk.http.post(f"/v1/jobs/{job}/retry")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    async with decoding(desk.redis_url):
        await desk.work()
    assert (await desk.job(job))["status"] == "finished"


async def test_a_poison_file_fails_after_three_tries(desk: Edge, speech: Path) -> None:
    """Each time its process dies, as a decoder that crashes would make it."""
    killed: set[int] = set()
    async with decoding(desk.redis_url, lambda _window: None), desk.worker() as worker:
        job = await desk.submit(speech)
        parent = psutil.Process(worker.pid)
        async with asyncio.timeout(60):
            while (await desk.job(job))["status"] != "failed":
                for child in parent.children():
                    if child.pid not in killed and (await desk.job(job))["status"] == "running":
                        killed.add(child.pid)
                        child.kill()
                await asyncio.sleep(0.05)
    record = await desk.job(job)
    assert len(killed) == 3
    assert record["error"]["code"] == "internal"
    assert "died" in record["error"]["message"]


async def test_interactive_jobs_begin_before_others(desk: Edge, speech: Path) -> None:
    async with decoding(desk.redis_url) as decoder:
        order = [await desk.submit(speech, priority=name) for name in ("low", "normal", "interactive")]
        await desk.work()
    heard = list(dict.fromkeys(window.job for window in decoder.heard))
    assert heard == order[::-1]
    assert (await desk.job(order[0]))["priority"] == "low"


async def test_an_interactive_job_waits_for_no_long_file(desk: Edge, speech: Path) -> None:
    """A job worker of its own takes it while the other one is busy."""
    async with (
        decoding(desk.redis_url, lambda window: None if window.job == long else canned(window)) as decoder,
        desk.worker("--interactive"),
    ):
        long = await desk.submit(speech)
        normal = await desk.submit(speech)
        async with desk.worker():
            await desk.until(long, lambda _job: bool(decoder.heard))
            short = await desk.submit(speech, priority="interactive")
            await desk.until(short, lambda job: job["status"] == "finished")
            assert [(await desk.job(job))["status"] for job in (long, normal)] == ["running", "queued"]
    desk.redis.flushall()


async def test_channels_are_speakers_when_split(desk: Edge, tmp_path: Path) -> None:
    from tests.support.data import clip

    one, two = clip("en_twain").samples(), clip("en_demo").samples()
    gap = np.zeros(len(one), np.float32)
    left = np.concatenate([one, np.zeros(len(two), np.float32)])
    right = np.concatenate([gap, two])
    path = write_media(tmp_path / "call.wav", np.stack([left, right]))
    async with decoding(desk.redis_url) as decoder:
        job = await desk.submit(path, channels="split", words="true")
        await desk.work()
    document = (await desk.http.get(f"/v1/jobs/{job}/result")).json()
    assert [row["speaker"] for row in document["segments"]] == ["S1"] + ["S2"] * (len(decoder.heard) - 1)
    assert [row["channel"] for row in document["segments"]][:2] == [0, 1]
    starts = [row["start"] for row in document["segments"]]
    assert starts == sorted(starts)
    assert document["segments"][1]["start"] >= len(one) / 16_000 - 1
    text = (await desk.http.get(f"/v1/jobs/{job}/result", params={"format": "txt"})).text
    assert [line[:4] for line in text.splitlines()] == ["S1: ", "S2: "]
    assert (await desk.job(job))["duration"] == pytest.approx(len(left) / 16_000, abs=0.01)


@pytest.mark.slow
async def test_the_job_of_a_worker_that_was_killed_goes_on_at_another(desk: Edge, speech: Path) -> None:
    """Killed with the job's process, as by a machine that goes down: nobody hands the job over."""
    desk.settings["STENO_JOB_SILENCE_S"] = "4"
    async with decoding(desk.redis_url, lambda _window: None) as deaf:
        job = await desk.submit(speech)
        async with desk.worker() as first:
            await desk.until(job, lambda _job: bool(deaf.heard))
            children = psutil.Process(first.pid).children()
            first.kill()
            for child in children:
                child.kill()
            await first.wait()
    desk.redis.delete("steno:{00}:windows")
    async with decoding(desk.redis_url, canned), desk.worker():
        await desk.until(job, lambda job: job["status"] == "finished")


async def test_a_queued_job_says_how_many_begin_before_it(desk: Edge, silence: Path) -> None:
    jobs = [await desk.submit(silence) for _ in range(2)]
    low = await desk.submit(silence, priority="low")
    assert [await position(desk, job) for job in (*jobs, low)] == [0, 1, 2]
    urgent = await desk.submit(silence, priority="interactive")
    assert [await position(desk, job) for job in (urgent, *jobs, low)] == [0, 1, 2, 3]
    assert (await desk.http.delete(f"/v1/jobs/{jobs[0]}")).status_code == 200
    assert [await position(desk, job) for job in (urgent, jobs[1], low)] == [0, 1, 2]


async def position(desk: Edge, job: str) -> int:
    return (await desk.http.get(f"/v1/jobs/{job}")).json()["position"]
