"""The device: between the event loop, where sessions ask, and the threads, where the engine decodes. No
policy of its own."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NoReturn

from shared.errors import DeviceFault, EngineFault
from worker.core.decode import Batch, DecodeRequest, DecodeResult, EngineInfo, Kind
from worker.core.scheduler import Plan, Scheduler
from worker.core.waiting import Job
from worker.engine.apart import decode_apart
from worker.engine.api import Engine
from worker.metrics import ENGINE_FAULTS
from worker.quality import Quality

log = logging.getLogger(__name__)

BATCH_S = 0.6
"""Longest that a batch should take: a final that comes meanwhile waits for it."""
FAULTS_MAX: Final = 3
"""Batches in succession that fail before the device counts as broken."""
_LOOK_S: Final = 0.5
_LOOKED_LATE_S: Final = 2 * _LOOK_S
"""More than this between two looks was no time of this process: it was stopped, or not run."""
HANG_S: Final = 5.0
"""A decode hangs when it takes longer than this and `_HANG_PACE` times what its kind took lately for as much
audio; before anything is known about a kind, `_HANG_PACE_UNKNOWN` seconds for each second of audio. Decoding
again at higher temperatures takes six times as long as once."""
_HANG_PACE: Final = 10.0
_HANG_PACE_UNKNOWN: Final = 4.0
Answer = DecodeResult | EngineFault | None
"""A result; a fault; None when the job was replaced or withdrawn."""
OnDone = Callable[[Answer], None]


@dataclass(frozen=True, slots=True)
class WindowRequest:
    """A window of a file to be decoded. `key` is what it can be withdrawn by; `tenant`, `urgent` and `alone`:
    see `Job`."""

    key: str
    request: DecodeRequest
    tenant: str = ""
    urgent: bool = False
    alone: bool = False


@dataclass(slots=True)
class _Running:
    """A batch on the device. `spent_s` is the time in which this process ran: one that was stopped for a
    while has not decoded meanwhile."""

    plan: Plan
    may_take_s: float
    looked_at: float
    spent_s: float = 0.0


class Device:
    """Runs what the scheduler decides on the engine's threads. Used from one event loop."""

    def __init__(
        self,
        engine: Engine,
        *,
        quality: Quality | None = None,
        clock: Callable[[], float] = time.monotonic,
        look_s: float = _LOOK_S,
    ) -> None:
        """`look_s` is the time between two looks whether a decode hangs."""
        self._engine = engine
        self._look_s = look_s
        self._quality = quality or Quality()
        self._clock = clock
        info = engine.info
        self._scheduler = Scheduler(slots=info.parallel, batch_max=info.batch_max, batch_s=BATCH_S)
        self._threads = ThreadPoolExecutor(info.parallel, thread_name_prefix="decode")
        self._callbacks: dict[Job, OnDone] = {}
        self._newest: dict[Job, Callable[[], DecodeRequest | None]] = {}
        self._running: dict[asyncio.Task[None], _Running] = {}
        self._pace: dict[Kind, float] = {}
        """Longest that a second of audio took lately, by kind."""
        self._decoded_at_s: float | None = None
        self._faults = 0
        self._broken: DeviceFault | None = None
        self._broken_by = frozenset[str]()
        self._broke = asyncio.Event()

    @property
    def info(self) -> EngineInfo:
        """The engine's capabilities."""
        return self._engine.info

    def oldest_unserved_s(self) -> float:
        """Age of the live decode that waits longest; 0 when none waits."""
        since = self._scheduler.oldest_since()
        return 0.0 if since is None else self._clock() - since

    def decoded_s_ago(self) -> float | None:
        """Since the last batch that was decoded; None before the first."""
        return None if self._decoded_at_s is None else self._clock() - self._decoded_at_s

    def running_s(self) -> list[float]:
        """For how long the batches on the device have run."""
        now = self._clock()
        return [run.spent_s + now - run.looked_at for run in self._running.values()]

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
        self._add(job, on_done, newest)
        self._start_what_fits()

    def windows_wanted(self) -> int:
        """Windows of files that the device can use at once, those that it has included."""
        return self._scheduler.windows_wanted(self._clock())

    def ask(self, windows: Sequence[WindowRequest]) -> list[asyncio.Future[Answer]]:
        """Ask for windows of files, which are then decoded together where that is quicker. Answers come in
        the order of the windows."""
        futures: list[asyncio.Future[Answer]] = []
        for window in windows:
            future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            job = Job(
                window.key,
                0,
                window.request,
                self._clock(),
                tenant=window.tenant,
                urgent=window.urgent,
                alone=window.alone,
            )
            self._add(job, partial(_answer, future), lambda: None)
            futures.append(future)
        self._start_what_fits()
        return futures

    def withdraw(self, key: str) -> None:
        """Forget what waits for a session or file; what runs, runs to its end unheard."""
        for job in self._scheduler.withdraw(key):
            self._answer(job, None)

    @property
    def broken_by(self) -> frozenset[str]:
        """Sessions and windows whose decode broke the device; empty while it works."""
        return self._broken_by

    async def watch_forever(self) -> NoReturn:
        """Raises `DeviceFault` when a decode hangs or the device is broken: only a new process mends that."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._broke.wait(), self._look_s)
            if self._broken:
                raise self._broken
            for run in self._running.values():
                now = self._clock()
                run.spent_s += min(now - run.looked_at, _LOOKED_LATE_S)
                run.looked_at = now
                if run.spent_s > run.may_take_s:
                    kind = run.plan.kind.name.lower()
                    ENGINE_FAULTS.inc()
                    fault = DeviceFault(f"a {kind} has been decoded for {run.spent_s:.1f} s: it hangs")
                    self._break(fault, run.plan)

    async def close(self) -> None:
        """Wait for what runs, then give the engine back. A broken device is left as it is: the process has to
        end, and with it the thread that hangs."""
        if self._broken:
            self._threads.shutdown(wait=False, cancel_futures=True)
            return
        if self._running:
            await asyncio.wait(self._running)
        self._threads.shutdown()
        self._engine.close()

    def _add(self, job: Job, on_done: OnDone, newest: Callable[[], DecodeRequest | None]) -> None:
        self._callbacks[job] = on_done
        self._newest[job] = newest
        replaced = self._scheduler.offer(job)
        if replaced is not None:
            self._answer(replaced, None)

    def _start_what_fits(self) -> None:
        while not self._broken and (plan := self._scheduler.schedule(self._clock())):
            task = asyncio.create_task(self._run(plan), name=f"decode-{plan.kind.name.lower()}")
            self._running[task] = _Running(plan, self._may_take_s(plan), self._clock())
            task.add_done_callback(lambda done: self._running.pop(done, None))

    def _may_take_s(self, plan: Plan) -> float:
        pace = self._pace.get(plan.kind)
        factor = _HANG_PACE_UNKNOWN if pace is None else min(_HANG_PACE * pace, _HANG_PACE_UNKNOWN)
        return HANG_S + factor * _audio_s(plan)

    async def _run(self, plan: Plan) -> None:
        started = self._clock()
        answers: list[Answer]
        took_s = None
        try:
            requests = [self._newest[job]() or job.request for job in plan.jobs]
            loop = asyncio.get_running_loop()
            results = await loop.run_in_executor(self._threads, self._decode, plan.kind, requests)
            took_s = self._clock() - started
            answers = self._heard(plan, started, took_s, results)
            self._faults, self._decoded_at_s = 0, self._clock()
            pace = took_s / max(_audio_s(plan), 0.1)
            self._pace[plan.kind] = max(pace, 0.9 * self._pace.get(plan.kind, 0.0))
        except EngineFault as fault:
            answers = [self._failed(plan, fault)] * len(plan.jobs)
        except Exception as error:  # noqa: BLE001 - an engine may raise anything; sessions must hear of it
            answers = [self._failed(plan, EngineFault(f"{type(error).__name__} in the decoder"))] * len(
                plan.jobs
            )
        finally:
            self._scheduler.complete(plan, took_s)
        for job, answer in zip(plan.jobs, answers, strict=True):
            self._answer(job, answer)
        self._start_what_fits()

    def _decode(self, kind: Kind, requests: Sequence[DecodeRequest]) -> Sequence[DecodeResult | EngineFault]:
        """In a thread."""
        return decode_apart(self._engine, requests) if kind is Kind.FILE else self._engine.decode(requests)

    def _heard(
        self, plan: Plan, started: float, took_s: float, results: Sequence[DecodeResult | EngineFault]
    ) -> list[Answer]:
        pairs = list(zip(plan.jobs, results, strict=True))
        decoded = [(job, result) for job, result in pairs if isinstance(result, DecodeResult)]
        ENGINE_FAULTS.inc(len(pairs) - len(decoded))
        if decoded:
            jobs, heard = zip(*decoded, strict=True)
            self._quality.batch(replace(plan, jobs=jobs), started, took_s, heard)
        cost_s = took_s / len(results)
        encode_s = sum(result.encode_s for _, result in decoded)
        batch = Batch(took_s=took_s, encode_s=encode_s, size=len(results))
        return [
            replace(result, cost_s=cost_s, waited_s=started - job.since, batch=batch)
            if isinstance(result, DecodeResult)
            else result
            for job, result in pairs
        ]

    def _failed(self, plan: Plan, fault: EngineFault) -> EngineFault:
        ENGINE_FAULTS.inc()
        log.error("decode of %d %s failed: %s", len(plan.jobs), plan.kind.name.lower(), fault)
        self._faults += 1
        if isinstance(fault, DeviceFault):
            self._break(fault, plan)
        elif self._faults >= FAULTS_MAX:
            self._break(DeviceFault(f"{self._faults} decodes in succession failed, the last: {fault}"), plan)
        return fault

    def _break(self, fault: DeviceFault, plan: Plan) -> None:
        self._broken = fault
        self._broken_by = frozenset(job.key for job in plan.jobs)
        self._broke.set()

    def _answer(self, job: Job, answer: Answer) -> None:
        on_done = self._callbacks.pop(job, None)
        self._newest.pop(job, None)
        if on_done is not None:
            on_done(answer)


def _answer(future: asyncio.Future[Answer], answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)


def _audio_s(plan: Plan) -> float:
    return sum(job.request.duration_s for job in plan.jobs)
