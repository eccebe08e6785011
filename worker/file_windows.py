"""Windows of files on one worker: as many as the device can use at once are claimed, decoded together, and
their results posted. What is held is renewed, and given up when its job was cancelled."""

import asyncio
import contextlib
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, NoReturn

from shared.audio.pcm import pcm16_to_float
from shared.errors import EngineFault
from shared.redis.connection import ConnectionLost, through_outages
from shared.redis.windows import ATTEMPTS_MAX, WINDOW_LEASE_MS, WindowClaim, WindowResult, WindowSource
from shared.traces import Traces, now_ns, session_place
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.core.filters import Drop, believed
from worker.core.holes import spoken
from worker.device import Answer, Device, WindowRequest
from worker.metrics import WINDOWS
from worker.tracing import trace_decode
from worker.whole_windows import Withdrawn, result_of, whole

log = logging.getLogger(__name__)

_BLOCK_MS: Final = 250
_LOOK_S: Final = 0.5
"""How often it is looked whether jobs were cancelled."""
_RENEW_LOOKS: Final = round(WINDOW_LEASE_MS / 1000 / 4 / _LOOK_S)
_COUNT_LOOKS: Final = 2
"""How often, in looks, the workers are counted while there are windows of files."""
_FILTERS: Final = frozenset({Drop.SILENCE, Drop.LOOP, Drop.DURATION, Drop.PHRASE})
"""Not those that take a text only because it is doubtful: a window is long."""


class FileWindows:
    """What one worker has of files. Cancel the takers, then `drain` or `hand_over`. `count_workers` says how
    many there are, this one included."""

    def __init__(
        self,
        source: WindowSource,
        device: Device,
        count_workers: Callable[[], Awaitable[int]] | None = None,
        traces: Traces | None = None,
    ) -> None:
        self._source = source
        self._count_workers = count_workers
        self._traces = traces
        self._workers = 1
        self._device = device
        self._tasks: dict[asyncio.Task[None], WindowClaim] = {}
        self._held: Counter[bool] = Counter()
        """Windows that are not decoded yet: urgent ones, and others."""
        self._decoded = asyncio.Event()

    async def take_forever(self, shard: int, *, urgent: bool = False) -> NoReturn:
        """Claim windows of a shard, as many as the device can use. Urgent ones are claimed beside the others:
        else they would wait for these to be decoded."""
        while True:
            room = self._device.windows_wanted() - self._held[urgent]
            if room <= 0:
                self._decoded.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._decoded.wait(), _LOOK_S)
                continue
            claims = await through_outages(
                lambda room=room: self._source.next_windows(
                    shard, room, block_ms=_BLOCK_MS, urgent=urgent, workers=self._workers
                )
            )
            if claims:
                await self._start(claims)

    async def look_after_forever(self) -> NoReturn:
        """Renew what is held, and withdraw from the device what was cancelled."""
        while True:
            for look in range(_RENEW_LOOKS):
                await asyncio.sleep(_LOOK_S)
                held = list(self._tasks.values())
                with contextlib.suppress(*ConnectionLost):
                    if held and look == 0:
                        await self._source.renew(held)
                    if held and look % _COUNT_LOOKS == 0 and self._count_workers:
                        self._workers = await self._count_workers()
                    cancelled = await self._source.cancelled({claim.window.job for claim in held})
                    for claim in held:
                        if claim.window.job in cancelled:
                            self._device.withdraw(_key(claim))

    async def drain(self) -> None:
        """Wait until every window was decoded."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def hand_over(self) -> None:
        """Give all back: other workers go on at once."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _start(self, claims: Sequence[WindowClaim]) -> None:
        jobs = {claim.window.job for claim in claims}
        cancelled = await through_outages(lambda: self._source.cancelled(jobs))
        wanted: list[WindowClaim] = []
        for claim in claims:
            if claim.window.job in cancelled:
                WINDOWS.labels("cancelled").inc()
                await self._settle(claim, None)
            elif claim.attempts > ATTEMPTS_MAX:
                WINDOWS.labels("failed").inc()
                await self._settle(claim, _failed(claim, "it broke its worker again and again"))
            else:
                wanted.append(claim)
        requests = [replace(_request(claim), alone=claim.attempts > 1) for claim in wanted]
        for claim, answer in zip(wanted, self._device.ask(requests), strict=True):
            self._held[claim.urgent] += 1
            task = asyncio.create_task(self._work(claim, answer), name=f"window-{claim.entry}")
            self._tasks[task] = claim
            task.add_done_callback(self._tasks.pop)

    async def _work(self, claim: WindowClaim, answer: asyncio.Future[Answer]) -> None:
        try:
            try:
                result = await self._result(claim, answer)
            finally:
                self._held[claim.urgent] -= 1
                self._decoded.set()
            await self._settle(claim, result)
        except asyncio.CancelledError:
            self._device.withdraw(_key(claim))
            await self._release(claim)
            raise
        except EngineFault:
            await self._release(claim)  # another attempt is made, here or elsewhere

    async def _settle(self, claim: WindowClaim, result: WindowResult | None) -> None:
        await through_outages(lambda: self._source.settle(claim, result))

    async def _release(self, claim: WindowClaim) -> None:
        with contextlib.suppress(*ConnectionLost):
            await self._source.release(claim)

    async def _result(self, claim: WindowClaim, answer: asyncio.Future[Answer]) -> WindowResult | None:
        """None for a job that was cancelled. Raises `EngineFault` when the window is to be tried again."""
        window = claim.window
        try:
            first = await result_of(answer)
            self._trace(claim, first)
            heard = await whole(self._device, _request(claim), first, window.speech)
        except Withdrawn:
            WINDOWS.labels("cancelled").inc()
            return None
        except EngineFault as fault:
            if claim.attempts < ATTEMPTS_MAX:
                raise
            WINDOWS.labels("failed").inc()
            return _failed(claim, str(fault))
        WINDOWS.labels("decoded").inc()
        heard, _ = believed(heard, Kind.FILE, spoken(window.speech, 0.0, math.inf), _FILTERS)
        return WindowResult(
            number=window.number,
            language=heard.language,
            text=heard.text,
            words=heard.words,
            tokens=heard.tokens,
            avg_logprob=heard.avg_logprob,
            no_speech_prob=heard.no_speech_prob,
            compression_ratio=heard.compression_ratio,
            temperature=heard.temperature,
        )

    def _trace(self, claim: WindowClaim, result: DecodeResult) -> None:
        """Record the decode; those of a window's parts are not."""
        window = claim.window
        if self._traces is None or window.trace is None:
            return
        about = {"steno.job": window.job, "steno.window": window.number}
        trace_decode(self._traces, session_place(window.trace), Kind.FILE, result, now_ns(), about)


def _key(claim: WindowClaim) -> str:
    return f"{claim.window.job}/{claim.window.number}/{claim.entry}"


def _failed(claim: WindowClaim, reason: str) -> WindowResult:
    return WindowResult(number=claim.window.number, language="", error=reason)


def _request(claim: WindowClaim) -> WindowRequest:
    window = claim.window
    request = DecodeRequest(
        kind=Kind.FILE,
        audio=pcm16_to_float(window.pcm16),
        language="" if window.language == "auto" else window.language,
        task=window.task,
        prompt=window.prompt,
        hotwords=window.hotwords,
        words=True,
        tokens=window.tokens,
        temperature=window.temperature,
        languages=window.languages,
        no_digits=window.no_digits,
    )
    return WindowRequest(_key(claim), request, tenant=window.tenant, urgent=claim.urgent)
