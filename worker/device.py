"""The device: between the event loop, where sessions ask, and the threads, where the engine decodes. No
policy of its own."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from shared.errors import EngineFault
from worker.core.decode import DecodeRequest, DecodeResult, EngineInfo
from worker.core.scheduler import Plan, Scheduler
from worker.core.waiting import Job
from worker.engine.api import Engine
from worker.quality import Quality

log = logging.getLogger(__name__)

BATCH_S = 0.6
"""Longest that a batch should take: a final that comes meanwhile waits for it."""
Answer = DecodeResult | EngineFault | None
"""A result; a fault; None when the job was replaced or withdrawn."""
OnDone = Callable[[Answer], None]


class Device:
    """Runs what the scheduler decides on the engine's threads. Used from one event loop."""

    def __init__(
        self, engine: Engine, *, quality: Quality | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._quality = quality or Quality()
        self._clock = clock
        info = engine.info
        self._scheduler = Scheduler(slots=info.parallel, batch_max=info.batch_max, batch_s=BATCH_S)
        self._threads = ThreadPoolExecutor(info.parallel, thread_name_prefix="decode")
        self._callbacks: dict[Job, OnDone] = {}
        self._newest: dict[Job, Callable[[], DecodeRequest | None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    @property
    def info(self) -> EngineInfo:
        """The engine's capabilities."""
        return self._engine.info

    def oldest_unserved_s(self) -> float:
        """Age of the live decode that waits longest; 0 when none waits."""
        since = self._scheduler.oldest_since()
        return 0.0 if since is None else self._clock() - since

    def load(self) -> float:
        """Part of the device that the present sessions want; above 1 it does not keep up."""
        return self._scheduler.load(self._clock())

    def offer(
        self,
        key: str,
        ticket: int,
        request: DecodeRequest,
        on_done: OnDone,
        newest: Callable[[], DecodeRequest | None] = lambda: None,
        *,
        lag_s: float = 0.0,
        tenant: str = "",
    ) -> None:
        """Ask for a decode. `on_done` is called once, in the event loop; so is `newest` when the decode
        starts, and may give a request that takes this one's place. `lag_s`: see `Decode`."""
        job = Job(key, ticket, request, self._clock(), lag_s, tenant)
        self._callbacks[job] = on_done
        self._newest[job] = newest
        replaced = self._scheduler.offer(job)
        if replaced is not None:
            self._answer(replaced, None)
        self._start_what_fits()

    async def decode(self, key: str, request: DecodeRequest) -> DecodeResult:
        """Ask and wait: for windows of files. Raises `EngineFault`; cancelling withdraws the window if it
        still waits."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def done(answer: Answer) -> None:
            if not future.done():
                future.set_result(answer)

        self.offer(key, 0, request, done)
        try:
            answer = await future
        except asyncio.CancelledError:
            self.withdraw(key)
            raise
        if isinstance(answer, DecodeResult):
            return answer
        raise answer or EngineFault("the window was withdrawn")

    def withdraw(self, key: str) -> None:
        """Forget what waits for a session or file; what runs, runs to its end unheard."""
        for job in self._scheduler.withdraw(key):
            self._answer(job, None)

    async def close(self) -> None:
        """Wait for what runs, then give the engine back."""
        if self._running:
            await asyncio.wait(self._running)
        self._threads.shutdown()
        self._engine.close()

    def _start_what_fits(self) -> None:
        while plan := self._scheduler.schedule(self._clock()):
            task = asyncio.create_task(self._run(plan), name=f"decode-{plan.kind.name.lower()}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _run(self, plan: Plan) -> None:
        kind = plan.kind.name.lower()
        started = self._clock()
        answers: list[Answer]
        took_s = None
        try:
            requests = [replace(self._newest[job]() or job.request, beam=plan.beam) for job in plan.jobs]
            loop = asyncio.get_running_loop()
            results = await loop.run_in_executor(self._threads, self._engine.decode, requests)
            took_s = self._clock() - started
            self._quality.batch(plan, started, took_s, results)
            cost_s = took_s / len(results)
            answers = [
                replace(result, cost_s=cost_s, waited_s=started - job.since)
                for job, result in zip(plan.jobs, results, strict=True)
            ]
        except EngineFault as fault:
            log.error("decode of %d %s failed: %s", len(plan.jobs), kind, fault)
            answers = [fault] * len(plan.jobs)
        finally:
            self._scheduler.complete(plan, took_s)
        for job, answer in zip(plan.jobs, answers, strict=True):
            self._answer(job, answer)
        self._start_what_fits()

    def _answer(self, job: Job, answer: Answer) -> None:
        on_done = self._callbacks.pop(job, None)
        self._newest.pop(job, None)
        if on_done is not None:
            on_done(answer)
