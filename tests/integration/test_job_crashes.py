"""Whatever dies while a file is transcribed: the job ends as it would have, and no finished window is decoded
again."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import numpy as np
import psutil
import pytest

from shared.redis.connection import connect_sync
from shared.redis.embedded import EmbeddedServer
from tests.support.data import clip
from tests.support.file_jobs import Edge, canned, decoding, edge
from tests.support.media import write_media
from tests.support.service import Service

pytestmark = pytest.mark.anyio

STREAM = "steno:{00}:windows"


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three windows and more."""
    parts = [clip("en_demo").samples(), np.zeros(8_000, np.float32), clip("en_twain").samples()]
    return write_media(tmp_path_factory.mktemp("talk") / "talk.flac", np.concatenate(parts * 3))


@pytest.fixture
async def desk(redis_url: str, data_dir: Path) -> AsyncGenerator[Edge]:
    async with edge(redis_url, data_dir) as desk:
        yield desk


@pytest.fixture
def persistent(tmp_path: Path) -> Generator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path / "valkey")
    server.start()
    yield server
    server.stop()


def let_leases_end(desk: Edge) -> None:
    """As if nobody had said anything of the windows in hand for long."""
    for row in desk.redis.xpending_range(STREAM, "workers", "-", "+", 100):
        entry, owner = row["message_id"], row["consumer"]
        desk.redis.xclaim(STREAM, "workers", owner, 0, [entry], idle=3_600_000, justid=True)


async def test_windows_of_a_device_worker_that_was_killed_are_decoded_by_another(
    desk: Edge, talk: Path
) -> None:
    async with desk.worker("--burst") as worker:
        async with decoding(desk.redis_url, lambda w: canned(w) if w.number < 2 else None) as killed:
            job = await desk.submit(talk)
            await desk.until(job, lambda _job: len(killed.heard) > 2)
        let_leases_end(desk)
        async with decoding(desk.redis_url) as other:
            await desk.until(job, lambda job: job["status"] == "finished")
        await worker.communicate()
    assert {window.number for window in other.heard}.isdisjoint({0, 1})
    assert killed.heard[2].number in {window.number for window in other.heard}
    assert len({window.number for window in other.heard}) == len(other.heard)


async def test_redis_restarts_while_a_job_runs(
    persistent: EmbeddedServer, data_dir: Path, talk: Path
) -> None:
    async with edge(persistent.url, data_dir) as desk:
        async with decoding(persistent.url, lambda w: canned(w) if w.number < 2 else None) as before:
            job = await desk.submit(talk)
            worker = desk.worker()
            await worker.__aenter__()
            await desk.until(job, lambda _job: len(before.heard) > 2)
        # Its last second may be lost: what was decided is on disk before it is killed.
        await asyncio.to_thread(time.sleep, 1.1)
        persistent.kill()
        persistent.restart()
        let_leases_end(desk)
        async with decoding(persistent.url) as after:
            await desk.until(job, lambda job: job["status"] == "finished")
        await worker.__aexit__(None, None, None)
    assert {window.number for window in after.heard}.isdisjoint({0, 1})


@pytest.mark.slow
async def test_an_abandoned_job_is_found_by_a_worker_that_is_busy(desk: Edge, talk: Path) -> None:
    """Killed with its process, as by a machine that goes down: nobody hands the job over."""
    desk.settings["STENO_JOB_SILENCE_S"] = "4"
    async with decoding(desk.redis_url, lambda _window: None) as deaf:
        lost = await desk.submit(talk)
        async with desk.worker() as first:
            await desk.until(lost, lambda _job: bool(deaf.heard))
            family = [psutil.Process(first.pid), *psutil.Process(first.pid).children()]
            other = await desk.submit(talk)
            async with desk.worker() as second:
                await desk.until(other, lambda job: job["status"] == "running")
                for process in family:
                    process.kill()
                await first.wait()
                assert (await desk.job(lost))["status"] == "running"
                await desk.until(lost, lambda job: job["status"] == "queued")
                assert (await desk.job(other))["status"] == "running"
                second.kill()
    desk.redis.flushall()


async def test_an_edge_that_is_killed_in_mid_upload_leaves_no_job_and_its_file_is_swept(
    tmp_path: Path,
) -> None:
    with Service.running(tmp_path, engine="scripted", modules=("api",)) as service:
        folder = Path(service.environment["STENO_DATA_DIR"]) / "jobs"
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(
            b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + bytes(2_000_000)
        )
        await writer.drain()
        async with asyncio.timeout(60):
            while not any(path.stat().st_size for path in folder.glob("*/*")):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        service.end("api", signal.SIGKILL)
        writer.close()
        (left,) = folder.glob("*")
        for path in (left, *left.iterdir()):
            os.utime(path, (time.time() - 7200, time.time() - 7200))
        service.start("worker.jobs")
        async with asyncio.timeout(60):
            while left.exists():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        client = connect_sync(service.redis_url)
        assert not list(client.scan_iter("rq:job:*"))
        client.close()
