"""The worker, put together: engine, device, intake, presence; and the order in which it stops.

Stop order: claim nothing more, give sessions back while leases still hold, wait for what the device runs,
leave the set of workers, disconnect. Sessions that are given back go on elsewhere from their covered
sample.
"""

import asyncio
import contextlib
import logging
import socket
import time
import uuid
from dataclasses import dataclass, field

from shared.redis.connection import AsyncRedis, ConnectionLost
from shared.redis.keys import Keys
from shared.redis.leases import LeaseBook
from shared.redis.presence import HEARTBEAT_S, Presence, WorkerPresence
from shared.redis.windows import WindowSource
from shared.settings import Settings
from worker.core.effects import SessionOptions
from worker.device import Device
from worker.engine.api import Engine
from worker.engine.silero import SileroVad
from worker.event_log import EventLog
from worker.intake import Intake, IntakeParts
from worker.quality import Quality
from worker.rules import LibraryRules
from worker.session_runner import RunnerParts

log = logging.getLogger(__name__)


def new_worker_id() -> str:
    """Unique per process: a consumer name that two processes share would share their leases."""
    return f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True, slots=True)
class WorkerApp:
    """One worker process's parts. `run` until cancelled or `stop` is set."""

    client: AsyncRedis
    engine: Engine
    settings: Settings
    worker: str = field(default_factory=new_worker_id)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then stop in order."""
        events = EventLog.in_directory(self.settings.event_log, self.worker)
        info = self.engine.info
        about = {"model": info.model, "device": f"{info.device} {info.compute_type}"}
        events.write("worker", worker=self.worker, cpu_s=time.process_time(), **about)
        quality = Quality(events)
        device = Device(self.engine, quality=quality)
        intake = self._intake(device, quality)
        presence = Presence(self.client)
        shards = range(self.settings.shards)
        takers = [
            asyncio.create_task(intake.take_sessions_forever(s), name=f"take-sessions-{s}") for s in shards
        ]
        takers += [
            asyncio.create_task(intake.take_windows_forever(s), name=f"take-windows-{s}-{n}")
            for s in shards
            for n in range(self.engine.info.parallel)
        ]
        beat = asyncio.create_task(self._beat_forever(presence, device, intake), name="heartbeat")
        stopped = asyncio.create_task(stop.wait(), name="stop")
        try:
            done, _ = await asyncio.wait([stopped, beat, *takers], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()  # a helper that ends has failed: the process must not look alive
        finally:
            stopped.cancel()
            await _cancel(takers)
            await intake.hand_over()
            await device.close()
            events.close()
            await _cancel([beat])
            with contextlib.suppress(*ConnectionLost):
                await presence.leave(self.worker)
            log.info("worker stopped", extra={"worker": self.worker})

    def _intake(self, device: Device, quality: Quality) -> Intake:
        keys = Keys(self.settings.shards)
        book = LeaseBook(self.client, keys, consumer=self.worker, lease_s=self.settings.lease_s)
        runner = RunnerParts(
            book=book,
            device=device,
            make_vad=SileroVad,
            options=SessionOptions(session_s_max=self.settings.session_s_max),
            rules=LibraryRules(),
            lease_s=self.settings.lease_s,
            quality=quality,
        )
        windows = WindowSource(self.client, keys, consumer=self.worker)
        return Intake(IntakeParts(book, windows, device, runner, self.settings.worker_sessions))

    async def _beat_forever(self, presence: Presence, device: Device, intake: Intake) -> None:
        info = device.info
        while True:
            sign = WorkerPresence(
                worker=self.worker,
                model=info.model,
                device=f"{info.device} {info.compute_type}",
                languages=info.languages,
                capacity=self.settings.worker_sessions,
                active=intake.active,
                oldest_unserved_s=round(device.oldest_unserved_s(), 3),
                load=round(device.load(), 3),
            )
            with contextlib.suppress(*ConnectionLost):
                await presence.beat(sign)
            await asyncio.sleep(HEARTBEAT_S)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
