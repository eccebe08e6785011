"""The worker, put together: engine, device, intake, presence; and the order in which it stops.

Stop order: claim nothing more, give sessions back at their endpoints, after `drain_s` also in mid-utterance,
while leases still hold; wait for what the device runs, leave the set of workers, disconnect. Sessions that
are given back go on elsewhere from their covered sample.
"""

import asyncio
import contextlib
import logging
import math
import os
import random
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn

import psutil

from shared.errors import DeviceFault
from shared.redis.connection import AsyncRedis, ConnectionLost
from shared.redis.keys import Keys
from shared.redis.leases import LeaseBook
from shared.redis.presence import HEARTBEAT_S, Presence, WorkerPresence
from shared.redis.system import Telling
from shared.redis.windows import WindowSource
from shared.settings import Settings
from shared.system import LOOK_S
from shared.tasks import end_tasks
from shared.traces import Traces
from worker.canary import Canary
from worker.core.effects import SessionOptions
from worker.device import Device
from worker.engine.api import Engine
from worker.engine.silero import SileroVad
from worker.event_log import EventLog
from worker.file_windows import FileWindows
from worker.health import Vitals
from worker.intake import Intake, IntakeParts
from worker.quality import Quality
from worker.rules import LibraryRules
from worker.session_runner import RunnerParts
from worker.telling import Reporter

log = logging.getLogger(__name__)

_RECYCLE_LOOK_S: Final = 1.0


def new_worker_id() -> str:
    """Host, process id, and a part that is unique: two processes that share a consumer name would share their
    leases, and in containers all have the same process id."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True, slots=True)
class WorkerApp:
    """One worker process's parts. `run` until cancelled or `stop` is set."""

    client: AsyncRedis
    engine: Engine
    settings: Settings
    worker: str = field(default_factory=new_worker_id)
    traces: Traces | None = None
    alive: Callable[[Vitals], None] = lambda vitals: None
    """Called once a second by a loop that goes round."""

    async def run(self, stop: asyncio.Event, hurry: asyncio.Event | None = None) -> None:
        """Work until `stop` is set, or it is time to be replaced; then stop in order, and at once when
        `hurry` is set. Raises `DeviceFault` when only a new process can go on."""
        events = EventLog.in_directory(self.settings.event_log, self.worker)
        info = self.engine.info
        about = {"model": info.model, "device": f"{info.device} {info.compute_type}"}
        events.write("worker", worker=self.worker, cpu_s=time.process_time(), **about)
        quality = Quality(events)
        device = Device(self.engine, quality=quality)
        intake, book = self._intake(device, quality)
        keys = Keys(self.settings.shards)
        presence = Presence(self.client)
        source = WindowSource(self.client, keys, consumer=self.worker)
        files = FileWindows(source, device, lambda: _count(presence), self.traces)
        takers = self._takers(intake, files)
        canary = Canary(device, every_s=self.settings.canary_s)
        beat = asyncio.create_task(
            self._beat_forever(presence, device, intake, canary, stop), name="heartbeat"
        )
        reporter = Reporter(Telling(self.client, keys), self.worker, quality.watched, threads=info.parallel)
        tell = asyncio.create_task(_tell_forever(reporter, intake, device), name="tell")
        watch = asyncio.create_task(device.watch_forever(), name="watch")
        look = asyncio.create_task(files.look_after_forever(), name="look-after-windows")
        ends = [
            asyncio.create_task(stop.wait(), name="stop"),
            asyncio.create_task(self._recycle(), name="recycle"),
        ]
        listen = asyncio.create_task(canary.listen_forever(), name="canary")
        pulse = asyncio.create_task(self._pulse_forever(device, canary), name="pulse")
        try:
            done, _ = await asyncio.wait(
                [*ends, beat, tell, watch, look, *takers], return_when=asyncio.FIRST_COMPLETED
            )
            for task in done - {*ends}:
                task.result()  # a helper that ends has failed: the process must not look alive
            stop.set()
            await end_tasks([*ends, *takers])
            await self._drain(intake, files, book, watch, hurry or asyncio.Event())
        except DeviceFault as fault:
            log.error("the device is broken: %s", fault, extra={"sessions": intake.active})
            raise
        finally:
            stop.set()
            await end_tasks([*ends, *takers, watch, listen])
            await intake.hand_over(failed=device.broken_by)
            await files.hand_over()
            await device.close()
            events.close()
            await end_tasks([beat, tell, look, pulse])
            await reporter.leave()
            with contextlib.suppress(*ConnectionLost):
                await book.leave()
                await presence.leave(self.worker)
            log.info("worker stopped", extra={"worker": self.worker})

    async def _drain(
        self,
        intake: Intake,
        files: FileWindows,
        book: LeaseBook,
        watch: asyncio.Task[NoReturn],
        hurry: asyncio.Event,
    ) -> None:
        """Give sessions back at their endpoints, and decode the windows that are here, for `drain_s` at most.
        Raises `DeviceFault`."""
        log.info("worker drains", extra={"worker": self.worker, "sessions": intake.active})
        with contextlib.suppress(*ConnectionLost):
            await book.leave()
        drained = [
            asyncio.create_task(intake.drain(), name="drain"),
            asyncio.create_task(files.drain(), name="drain-files"),
        ]
        all_drained = asyncio.create_task(asyncio.wait(drained), name="drained")
        hurried = asyncio.create_task(hurry.wait(), name="hurry")
        try:
            await asyncio.wait(
                [all_drained, hurried, watch],
                timeout=self.settings.drain_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if watch.done():
                watch.result()
        finally:
            await end_tasks([*drained, all_drained, hurried])

    def _takers(self, intake: Intake, files: FileWindows) -> list[asyncio.Task[NoReturn]]:
        shards = range(self.settings.shards)
        takers = [
            asyncio.create_task(intake.take_sessions_forever(s), name=f"take-sessions-{s}") for s in shards
        ]
        return takers + [
            asyncio.create_task(files.take_forever(s, urgent=urgent), name=f"take-windows-{s}")
            for s in shards
            for urgent in (True, False)
        ]

    async def _recycle(self) -> None:
        """Return when the process is old or large enough to be replaced."""
        process = psutil.Process()
        clock = asyncio.get_running_loop().time
        # Workers that were started together do not end together.
        age_s_max = self.settings.recycle_h * 3600 * random.uniform(0.9, 1.1) or math.inf
        rss_bytes_max = self.settings.recycle_rss_bytes or math.inf
        started = clock()
        while True:
            await asyncio.sleep(_RECYCLE_LOOK_S)
            age_s, rss_bytes = clock() - started, process.memory_info().rss
            if age_s > age_s_max or rss_bytes > rss_bytes_max:
                log.info(
                    "worker ends to be started anew", extra={"age_s": round(age_s), "rss_bytes": rss_bytes}
                )
                return

    def _intake(self, device: Device, quality: Quality) -> tuple[Intake, LeaseBook]:
        keys = Keys(self.settings.shards)
        book = LeaseBook(self.client, keys, consumer=self.worker, lease_s=self.settings.lease_s)
        runner = RunnerParts(
            book=book,
            device=device,
            make_vad=SileroVad,
            options=SessionOptions(session_s_max=self.settings.session_s_max),
            rules=LibraryRules(),
            lease_s=self.settings.lease_s,
            alone_s=self.settings.resume_s,
            quality=quality,
            traces=self.traces,
        )
        return Intake(IntakeParts(book, runner, self.settings.worker_sessions)), book

    async def _pulse_forever(self, device: Device, canary: Canary) -> NoReturn:
        """Apart from the heartbeat, which may wait for Redis."""
        while True:
            self.alive(_vitals(device, canary))
            await asyncio.sleep(HEARTBEAT_S)

    async def _beat_forever(
        self, presence: Presence, device: Device, intake: Intake, canary: Canary, stop: asyncio.Event
    ) -> NoReturn:
        info = device.info
        while True:
            sign = WorkerPresence(
                worker=self.worker,
                model=info.model,
                device=f"{info.device} {info.compute_type}",
                languages=info.languages,
                capacity=self.settings.worker_sessions,
                active=intake.active,
                draining=stop.is_set(),
                oldest_unserved_s=round(device.oldest_unserved_s(), 3),
                decoded_s_ago=_rounded(device.decoded_s_ago()),
                canary_share=canary.heard and canary.heard.share,
                load=round(device.load(), 3),
                load_max=self.settings.worker_load_max,
            )
            with contextlib.suppress(*ConnectionLost):
                await presence.beat(sign)
            await asyncio.sleep(HEARTBEAT_S)


def _vitals(device: Device, canary: Canary) -> Vitals:
    heard = canary.heard
    return {
        "oldest_unserved_s": _rounded(device.oldest_unserved_s()),
        "decoded_s_ago": _rounded(device.decoded_s_ago()),
        "canary_share": heard and _rounded(heard.share),
        "canary_took_s": heard and _rounded(heard.took_s),
        "canary_s_ago": heard and _rounded(canary.s_ago),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


async def _count(presence: Presence) -> int:
    """Workers that take windows of files."""
    return sum(not worker.draining for worker in await presence.workers())


async def _tell_forever(reporter: Reporter, intake: Intake, device: Device) -> NoReturn:
    while True:
        await reporter.tell(intake.told(), running_s=device.running_s())
        await asyncio.sleep(LOOK_S)
