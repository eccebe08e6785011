"""More jobs at once than the server takes: what it takes it does, the rest it refuses. Nothing is lost."""

import asyncio
import os
from collections import Counter
from pathlib import Path

import httpx
import pytest
from rq.job import Job

import worker.jobs.__main__ as job_worker
from shared.redis.connection import connect_sync
from shared.settings import Settings
from shared.storage import JobStorage
from tests.support.file_jobs import KEYS, TTL_S, decoding, edge
from tests.support.media import tone, write_media

pytestmark = pytest.mark.anyio

AT_ONCE = 32
"""Requests on their way together. As many may pass the bound at the same moment."""


@pytest.mark.parametrize(
    ("posted", "waiting_max"),
    [
        pytest.param(60, 20, marks=pytest.mark.slow),
        pytest.param(2000, 400, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
async def test_tiny_jobs_beyond_the_bound_are_refused_and_the_others_done(
    redis_url: str, data_dir: Path, tmp_path: Path, posted: int, waiting_max: int
) -> None:
    data = write_media(tmp_path / "a.wav", tone(0.2)).read_bytes()
    async with edge(redis_url, data_dir, waiting_max=waiting_max) as desk:
        turn = asyncio.Semaphore(AT_ONCE)

        async def post() -> httpx.Response:
            async with turn:
                return await desk.post(data)

        answers = await asyncio.gather(*(post() for _ in range(posted)))
        assert {answer.status_code for answer in answers} == {202, 503}
        taken = {answer.json()["id"] for answer in answers if answer.status_code == 202}
        assert waiting_max <= len(taken) <= waiting_max + AT_ONCE
        for answer in answers:
            if answer.status_code == 503:
                assert answer.json()["error"]["code"] == "no_capacity"
                assert int(answer.headers["retry-after"]) > 0
        assert set(os.listdir(data_dir / "jobs")) == taken  # noqa: PTH208
        async with decoding(redis_url), desk.worker("--burst") as one, desk.worker("--burst") as two:
            await asyncio.gather(one.communicate(), two.communicate())
        listed: list[tuple[str, str]] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": "50"} | ({"cursor": cursor} if cursor else {})
            page = (await desk.http.get("/v1/jobs", params=query)).json()
            listed += [(job["id"], job["status"]) for job in page["jobs"]]
            cursor = page.get("next_cursor")
        assert {job for job, _ in listed} == taken
        assert Counter(status for _, status in listed) == {"finished": len(taken)}
        # Now there is room again.
        assert (await desk.post(data)).status_code == 202


def test_unless_told_otherwise_an_abandoned_job_is_found_within_half_a_minute(
    redis_url: str, data_dir: Path
) -> None:
    client = connect_sync(redis_url)
    storage, silence_s = JobStorage(f"file://{data_dir}/jobs"), Settings().job_silence_s
    worker = job_worker.JobsWorker(client, client, storage, KEYS, TTL_S, silence_s=silence_s)
    job = Job.create(print, connection=client, serializer="json")
    assert worker.get_heartbeat_ttl(job) + worker.maintenance_interval <= 30
    client.close()


def test_a_worker_that_dies_while_it_looks_for_abandoned_jobs_keeps_others_from_it_for_a_minute(
    redis_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RQ's own lock would last for a quarter of an hour."""

    def die(*_: object) -> None:
        raise SystemExit

    client = connect_sync(redis_url)
    storage = JobStorage(f"file://{data_dir}/jobs")
    worker = job_worker.JobsWorker(client, client, storage, KEYS, TTL_S, silence_s=20)
    monkeypatch.setattr(job_worker, "clean_registries", die)
    with pytest.raises(SystemExit):
        worker.clean_registries()
    (lock,) = client.scan_iter("rq:clean_registries:*")
    assert 0 < client.ttl(lock) <= 60
    client.flushall()
    client.close()
