"""The parts of file jobs as a test puts them together: the edge's routes, the jobs worker as a process, and a
device worker that answers each window with a canned text."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from api import faults
from api.deepgram.files import Files
from api.job_desk import DeskParts, JobDesk
from api.job_eraser import JobEraser
from api.jobs import JobParts, job_router
from api.webhook_sender import SenderParts, WebhookSender
from shared.events import Word
from shared.redis.connection import AsyncRedis, SyncRedis, connect, connect_sync
from shared.redis.keys import Keys
from shared.redis.presence import Presence
from shared.redis.windows import Window, WindowResult, WindowSource
from shared.storage import JobStorage
from shared.tasks import end_tasks
from shared.webhooks import check_secret
from tests.support.quota import intake

KEYS = Keys(1)
TTL_S = 3600
UPLOAD_BYTES_MAX = 8_000_000
WAIT_S = 60.0
WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def canned(window: Window) -> WindowResult:
    """One segment that names its window and what it was asked for."""
    text = f"window {window.number}"
    words = (
        Word(text="window", start=0.0, end=0.2, probability=0.9),
        Word(text=str(window.number), start=0.2, end=0.3, probability=0.9),
    )
    return WindowResult(number=window.number, language="en", text=text, words=words)


@dataclass
class Decoder:
    """A device worker without a device. Hears windows into `heard`; `answer` may return None to leave one
    unanswered. Ends once `stopping`: a read that is cut off may take a window along."""

    client: AsyncRedis
    answer: Callable[[Window], WindowResult | None] = canned
    heard: list[Window] = field(default_factory=list[Window])
    stopping: bool = False

    async def run(self) -> None:
        """Take and answer windows."""
        source = WindowSource(self.client, KEYS, consumer="decoder")
        await source.ensure_groups()
        while not self.stopping:
            claims = await source.next_windows(0, 1, block_ms=1, urgent=True)
            claims = claims or await source.next_windows(0, 1, block_ms=100)
            for claim in claims:
                if await source.cancelled([claim.window.job]):
                    await source.settle(claim, None)
                    continue
                self.heard.append(claim.window)
                if (result := self.answer(claim.window)) is not None:
                    await source.settle(claim, result)


@contextlib.asynccontextmanager
async def decoding(
    redis_url: str, answer: Callable[[Window], WindowResult | None] = canned
) -> AsyncGenerator[Decoder]:
    """A device worker in this loop."""
    client = connect(redis_url)
    decoder = Decoder(client, answer)
    task = asyncio.create_task(decoder.run(), name="decoder")
    try:
        yield decoder
    finally:
        decoder.stopping = True
        await task
        await client.aclose()


@dataclass
class Edge:
    """The routes of file jobs, and what lies behind them."""

    http: httpx.AsyncClient
    desk: JobDesk
    storage: JobStorage
    redis: SyncRedis
    redis_url: str
    data_dir: Path
    settings: dict[str, str] = field(default_factory=dict[str, str])
    """What the jobs worker is told beside what it needs."""

    async def submit(self, path: Path, **fields: str) -> str:
        """Queue a file. Returns the job's id."""
        answer = await self.post(await asyncio.to_thread(path.read_bytes), **fields)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    async def post(self, data: bytes, **fields: str) -> httpx.Response:
        """Upload bytes."""
        return await self.http.post("/v1/jobs", files={"file": ("talk.bin", data)}, data=fields)

    async def job(self, job: str) -> dict[str, Any]:
        """How far the job is."""
        answer = await self.http.get(f"/v1/jobs/{job}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def until(self, job: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the job is as `reached` says."""
        async with asyncio.timeout(WAIT_S):
            while not reached(now := await self.job(job)):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
            return now

    @contextlib.asynccontextmanager
    async def worker(self, *arguments: str) -> AsyncGenerator[asyncio.subprocess.Process]:
        """A jobs worker as a process; killed at the end if it has not ended."""
        settings = {"STENO_REDIS_URL": self.redis_url, "STENO_DATA_DIR": str(self.data_dir)}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "worker.jobs",
            *arguments,
            env=os.environ | settings | {"STENO_JOB_TTL_S": str(TTL_S)} | self.settings,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def work(self) -> str:
        """Run all queued jobs to their end. Returns the worker's log."""
        async with self.worker("--burst") as process:
            log = (await process.communicate())[1].decode()
            assert process.returncode == 0, log
            return log


@contextlib.asynccontextmanager
async def edge(
    redis_url: str,
    data_dir: Path,
    *,
    timeout_s: int = 300,
    bytes_max: int = 0,
    waiting_max: int = 20_000,
    webhooks: bool = False,
    webhook_private: bool = True,
    fetch_hosts: tuple[str, ...] = (),
    storage_url: str = "",
    settings: dict[str, str] | None = None,
) -> AsyncGenerator[Edge]:
    """The routes in this loop, on a real Redis; with `webhooks` their sender too."""
    redis, client = connect_sync(redis_url), connect(redis_url)
    storage = JobStorage(storage_url or f"file://{data_dir}/jobs", bytes_max=bytes_max)
    parts = DeskParts(
        client=redis,
        windows=redis,
        keys=KEYS,
        storage=storage,
        ttl_s=TTL_S,
        timeout_s=timeout_s,
        waiting_max=waiting_max,
        webhooks=webhooks,
    )
    desk = JobDesk(parts)
    app = FastAPI()
    faults.install(app)
    routes = JobParts(
        intake=intake(parts, desk),
        eraser=JobEraser(parts, desk),
        desk=desk,
        presence=Presence(client),
        upload_bytes_max=UPLOAD_BYTES_MAX,
        fetch_hosts=fetch_hosts,
    )
    app.include_router(job_router(routes))
    app.add_api_route("/v1/listen", Files(routes).listen, methods=["POST"], response_model=None)
    sender = WebhookSender(
        SenderParts(
            deliveries=desk.webhook_log,
            find=desk.find,
            key=check_secret(WEBHOOK_SECRET),
            private=webhook_private,
        )
    )
    beside = [asyncio.create_task(sender.run_forever(), name="webhooks")] if webhooks else []
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as http:
        yield Edge(http, desk, storage, redis, redis_url, data_dir, settings or {})
    await end_tasks(beside)
    await client.aclose()
    redis.close()
