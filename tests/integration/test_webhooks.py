"""The receiver of a webhook is told of a job's end: signed, again when it did not take it, never twice by
accident, and never inside the server's own network."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client import JobOptions, Jobs
from tests.support.file_jobs import WEBHOOK_SECRET, Edge, edge
from tests.support.http_stub import Answer, answering
from tests.support.media import write_media
from tests.support.receiver import is_signed
from tests.support.service import Service

pytestmark = pytest.mark.anyio


@pytest.fixture
async def desk(redis_url: str, data_dir: Path) -> AsyncGenerator[Edge]:
    async with edge(redis_url, data_dir, webhooks=True) as desk:
        yield desk


@pytest.fixture
def silence(tmp_path: Path) -> Path:
    return write_media(tmp_path / "silence.wav", np.zeros(16_000, np.float32))


async def deliveries(desk: Edge, job: str) -> list[dict[str, Any]]:
    return (await desk.http.get(f"/v1/jobs/{job}/deliveries")).json()["deliveries"]


async def until(desk: Edge, job: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while not reached(now := (await deliveries(desk, job))[0]):  # noqa: ASYNC110 - another task's doing
            await asyncio.sleep(0.05)
        return now


async def test_the_end_of_a_job_is_told_once_and_signed(desk: Edge, silence: Path) -> None:
    with answering(lambda _: Answer(204)) as stub:
        job = await desk.submit(silence, webhook_url=f"{stub.url}/hook?x=1")
        assert (await deliveries(desk, job))[0]["state"] == "waiting"
        await desk.work()
        log = await until(desk, job, lambda row: row["state"] == "delivered")
    (asked,) = stub.asked
    assert (asked.method, asked.path) == ("POST", "/hook?x=1")
    assert is_signed(asked, WEBHOOK_SECRET)
    told = json.loads(asked.body)
    assert told["type"] == log["event"] == "job.finished"
    assert told["data"] == await desk.job(job)
    assert asked.headers["webhook-id"] == log["id"]
    (attempt,) = log["attempts"]
    assert attempt["status"] == 204
    assert desk.redis.zcard("steno:webhooks") == 0


@pytest.mark.parametrize("end", ["cancelled", "failed"])
async def test_other_ends_are_told_too(desk: Edge, silence: Path, end: str) -> None:
    with answering(lambda _: Answer(200)) as stub:
        job = await desk.submit(silence, webhook_url=stub.url)
        if end == "cancelled":
            await desk.http.delete(f"/v1/jobs/{job}")
        else:
            desk.storage.drop_input(job)
            await desk.work()
        await until(desk, job, lambda row: row["state"] == "delivered")
    assert json.loads(stub.asked[0].body)["type"] == f"job.{end}"


async def test_a_receiver_that_fails_is_asked_again_with_the_same_id(desk: Edge, silence: Path) -> None:
    answers = iter([500, 302, 204])
    with answering(lambda _: Answer(next(answers), headers={"Location": "http://127.0.0.1:1/"})) as stub:
        job = await desk.submit(silence, webhook_url=stub.url)
        await desk.work()
        for count in (1, 2):
            row = await until(desk, job, lambda row, n=count: len(row["attempts"]) == n)
            assert row["state"] == "pending"
            assert row["attempts"][-1]["error"]
            # Its time comes: the next attempt is due in seconds, then minutes.
            (member,) = desk.redis.zrange("steno:webhooks", 0, -1)
            assert desk.redis.zscore("steno:webhooks", member) > 0
            desk.redis.zadd("steno:webhooks", {member: 0})
        row = await until(desk, job, lambda row: row["state"] == "delivered")
    assert [attempt.get("status") for attempt in row["attempts"]] == [500, 302, 204]
    assert len({asked.headers["webhook-id"] for asked in stub.asked}) == 1
    assert len({asked.body for asked in stub.asked}) == 1


async def test_a_receiver_that_is_gone_for_good_is_left_alone(desk: Edge, silence: Path) -> None:
    with answering(lambda _: Answer(410)) as stub:
        job = await desk.submit(silence, webhook_url=stub.url)
        await desk.work()
        row = await until(desk, job, lambda row: row["state"] == "failed")
        # It is written down first: whoever takes it over then finds that it is done.
        async with asyncio.timeout(60):
            while desk.redis.zcard("steno:webhooks"):  # noqa: ASYNC110 - another task's doing
                await asyncio.sleep(0.02)
    assert [attempt["status"] for attempt in row["attempts"]] == [410]


async def test_a_delivery_is_made_again_on_request(desk: Edge, silence: Path) -> None:
    with answering(lambda _: Answer(200)) as stub:
        job = await desk.submit(silence, webhook_url=stub.url)
        early = await deliveries(desk, job)
        path = f"/v1/jobs/{job}/deliveries/{early[0]['id']}/redeliver"
        refused = await desk.http.post(path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
        await desk.work()
        await until(desk, job, lambda row: row["state"] == "delivered")
        assert (await desk.http.post(path)).status_code == 202
        await until(desk, job, lambda row: len(row["attempts"]) == 2)
    assert len(stub.asked) == 2
    assert (await desk.http.post(f"/v1/jobs/{job}/deliveries/msg_x/redeliver")).status_code == 404


async def test_a_receiver_that_hangs_holds_nobody_else_back(desk: Edge, silence: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf, answering(lambda _: Answer(200)) as stub:
        hung = await desk.submit(silence, webhook_url=f"http://127.0.0.1:{deaf.getsockname()[1]}/")
        await desk.work()
        quick = await desk.submit(silence, webhook_url=stub.url)
        await desk.work()
        await until(desk, quick, lambda row: row["state"] == "delivered")
        assert (await deliveries(desk, hung))[0]["state"] == "pending"


async def test_what_a_sender_that_died_had_taken_is_sent_by_another(
    redis_url: str, data_dir: Path, silence: Path
) -> None:
    """Its lease ends, and the delivery is due again."""
    with answering(lambda _: Answer(200)) as stub:
        async with edge(redis_url, data_dir, webhooks=True) as desk:
            job = await desk.submit(silence, webhook_url=stub.url)
            taken = desk.desk.webhook_log.take(1e12, lease_s=-1e12, count=10)
            assert [name for name, _ in taken] == [job]
            await desk.work()
            await until(desk, job, lambda row: row["state"] == "delivered")
    assert len(stub.asked) == 1


async def test_private_addresses_are_refused_by_default(
    redis_url: str, data_dir: Path, silence: Path
) -> None:
    with answering(lambda _: Answer(200)) as stub:
        async with edge(redis_url, data_dir, webhooks=True, webhook_private=False) as desk:
            job = await desk.submit(silence, webhook_url=stub.url)
            await desk.work()
            row = await until(desk, job, lambda row: bool(row["attempts"]))
    assert "not public" in row["attempts"][0]["error"]
    assert stub.asked == []


async def test_without_a_secret_no_webhook_is_taken(redis_url: str, data_dir: Path, silence: Path) -> None:
    data = await asyncio.to_thread(silence.read_bytes)
    async with edge(redis_url, data_dir) as desk:
        answer = await desk.post(data, webhook_url="https://example.com/")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_parameter")
        assert "STENO_WEBHOOK_SECRET" in answer.json()["error"]["message"]
        assert not list(desk.data_dir.glob("jobs/*"))


@pytest.mark.slow
async def test_a_webhook_survives_the_death_of_every_process_but_redis(tmp_path: Path, silence: Path) -> None:
    """Killed while it waits for the job's end; those that come after them send it."""
    told = {"webhook_secret": WEBHOOK_SECRET, "webhook_private": "1"}
    with (
        answering(lambda _: Answer(200)) as stub,
        Service.running(tmp_path, engine="scripted", modules=("api",), **told) as service,
    ):
        async with Jobs(service.url) as jobs:
            job = await jobs.submit(silence, JobOptions(webhook_url=stub.url))
            service.end("api", signal.SIGKILL)
            service.start("worker.jobs")
            service.start("worker")
            service.start("api")
            service.wait_until_ready()
            await jobs.wait(job.id)
            async with asyncio.timeout(90):
                while (await jobs.deliveries(job.id))[0].state != "delivered":  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
    assert json.loads(stub.asked[0].body)["data"]["id"] == job.id
    assert is_signed(stub.asked[0], WEBHOOK_SECRET)


async def test_a_job_without_webhooks_has_no_deliveries(desk: Edge, silence: Path) -> None:
    assert await deliveries(desk, await desk.submit(silence)) == []
    assert (await desk.http.get(f"/v1/jobs/{'0' * 32}/deliveries")).status_code == 404
