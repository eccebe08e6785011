"""Sessions on a virtual clock: the real session machines, scheduler and engine, without sockets, Redis and
waiting.

A decode starts when the scheduler says so and its answer comes after the time that a table says
(`bench.cost_table`), so latencies are those of a machine with nothing else to do, and hardly change when
several experiments run side by side. What the service adds, some milliseconds a message, is not in them.
"""

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bench.cost_table import BEAM_FINAL, cost_table
from bench.dataset import Program
from bench.latency import Arrival
from shared.audio.pcm import SAMPLE_RATE
from shared.events import SessionConfig
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.core.effects import Alone, Close, Decode, Dropped, Effect, Emit, SessionOptions, Vad
from worker.core.scheduler import Plan, Scheduler
from worker.core.session import Session
from worker.core.waiting import Job
from worker.device import BATCH_S
from worker.engine.api import Engine
from worker.engine.silero import SileroVad

CHUNK_SAMPLES = SAMPLE_RATE // 10
STAGGER_S = 0.37
_NO_AUDIO = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class Timed:
    """One decode, and when it was asked for, began and was answered, in seconds."""

    asked_s: float
    began_s: float
    answered_s: float
    audio_s: float
    """What it heard, which its request holds no longer."""
    request: DecodeRequest
    result: DecodeResult


@dataclass(slots=True)
class Played:
    """What came of a run."""

    arrivals: list[list[Arrival]]
    """Per session, on its own clock."""
    decodes: Counter[str] = field(default_factory=Counter[str])
    cpu_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    batches: Counter[str] = field(default_factory=Counter[str])
    """By kind of decode; a final that committed text forced to be decoded again is a kind of its own."""
    dropped: Counter[str] = field(default_factory=Counter[str])
    """Texts that a filter took, by reason."""
    alone: Counter[bool] = field(default_factory=Counter[bool])
    """Finals that were heard once more by themselves, by whether they were believed then."""
    timed: list[Timed] = field(default_factory=list[Timed])


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How audio comes and who looks on."""

    chunk_samples: int = CHUNK_SAMPLES
    speed: float = 1.0
    """Audio comes so many times as fast as it is spoken."""
    make_vad: Callable[[], Vad] = SileroVad
    watch: Callable[[Session], None] = lambda _: None
    """Is shown a session after each chunk that it took."""
    cost: str = "cpu-zen3-base"
    """Which table of bench/costs says what decodes take."""
    draft_cost: str = ""
    """The same for decodes of the model for drafts."""
    service_share: float = 0.0
    """Core seconds that a session takes beside decodes for each second of audio, on the cores that decode."""
    final_beam: int = 0
    """Hypotheses that finals follow; 0: as the engine does it."""


class Stage:
    """The clock, the device and the sessions."""

    def __init__(
        self,
        engine: Engine,
        *,
        slots: int,
        free: bool,
        setting: Setting = Setting(),
    ) -> None:
        self._engine = engine
        self._free = free
        self._table = cost_table(setting.cost)
        self._draft_table = cost_table(setting.draft_cost) if setting.draft_cost else self._table
        self._slots = slots
        self._setting = setting
        self._scheduler = Scheduler(slots=slots, batch_max=engine.info.batch_max, batch_s=BATCH_S)
        self._owners: dict[Job, Callable[[DecodeResult | None], None]] = {}
        self._newest: dict[Job, Callable[[], DecodeRequest | None]] = {}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._now = 0.0
        self.played = Played([])

    def add(self, program: Program, config: SessionConfig, options: SessionOptions, start_s: float) -> None:
        """A session that begins to speak at `start_s`."""
        arrivals: list[Arrival] = []
        self.played.arrivals.append(arrivals)
        key = str(len(self.played.arrivals))
        session = Session(config, self._setting.make_vad(), options=options)
        pcm16 = program.pcm16

        def apply(effects: list[Effect]) -> None:
            for effect in effects:
                if isinstance(effect, Decode):
                    self._offer(key, effect, apply, session)
                elif isinstance(effect, Emit):
                    arrivals.extend(Arrival(self._now - start_s, event) for event in effect.events)
                elif isinstance(effect, Dropped):
                    self.played.dropped[effect.reason] += 1
                elif isinstance(effect, Alone):
                    self.played.alone[effect.is_believed] += 1
                else:
                    assert isinstance(effect, Close)
                    arrivals.append(Arrival(self._now - start_s, effect.event))

        step = self._setting.chunk_samples

        def hear(start: int) -> None:
            chunk = pcm16[2 * start : 2 * (start + step)]
            apply(session.audio(start, chunk))
            self._setting.watch(session)
            self._next(start_s, start + step, len(pcm16) // 2, hear, lambda: apply(session.end()))

        self._next(start_s, 0, len(pcm16) // 2, hear, lambda: None)

    def run(self) -> Played:
        """Until nothing is left to happen."""
        while self._agenda:
            self._now, _, happen = heapq.heappop(self._agenda)
            happen()
            self._start_what_fits()
        return self.played

    def _start_what_fits(self) -> None:
        while plan := self._scheduler.schedule(self._now):
            self._decode(plan)

    def _next(
        self, start_s: float, start: int, end: int, hear: Callable[[int], None], over: Callable[[], None]
    ) -> None:
        came_s = min(start + self._setting.chunk_samples, end) / SAMPLE_RATE / self._setting.speed
        spoken_s = start_s + came_s
        if start < end:
            self._at(spoken_s, lambda: hear(start))
        else:
            over()

    def _at(self, when_s: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (when_s, next(self._numbers), happen))

    def _offer(
        self, key: str, decode: Decode, apply: Callable[[list[Effect]], None], session: Session
    ) -> None:
        job = Job(key, decode.ticket, decode.request, self._now, decode.lag_s)
        self._owners[job] = lambda result: apply(session.decoded(decode.ticket, result))
        self._newest[job] = lambda: session.newest(decode.ticket)
        replaced = self._scheduler.offer(job)
        if replaced is not None:
            self._newest.pop(replaced)
            self._owners.pop(replaced)(None)
        self._start_what_fits()  # as `worker.device` does

    def _decode(self, plan: Plan) -> None:
        request = plan.jobs[0].request
        name = plan.kind.name.lower()
        name = "final again" if plan.kind is Kind.FINAL and request.prefix else name
        started_s = self._now
        newest = (self._newest.pop(job)() or job.request for job in plan.jobs)
        usual = self._setting.final_beam if plan.kind is Kind.FINAL else 0
        requests = [replace(request, beam=request.beam or usual) for request in newest]
        results = self._engine.decode(requests)
        own = 1 if plan.kind is Kind.PARTIAL else BEAM_FINAL
        cost_s = self._cost_s(results, beam=requests[0].beam or own)
        self.played.decodes[name] += len(plan.jobs)
        self.played.batches[name] += 1
        self.played.cpu_s[name] += cost_s
        cost_s = 0.0 if self._free else cost_s * self._stretch()

        def answer() -> None:
            self._scheduler.complete(plan, cost_s)
            for job, request, result in zip(plan.jobs, requests, results, strict=True):
                bare = replace(request, audio=_NO_AUDIO)
                times = (job.since, started_s, self._now)
                self.played.timed.append(Timed(*times, request.duration_s, bare, result))
                self._owners.pop(job)(
                    replace(result, cost_s=cost_s / len(plan.jobs), waited_s=started_s - job.since)
                )

        self._at(self._now + cost_s, answer)

    def _cost_s(self, results: Sequence[DecodeResult], *, beam: int) -> float:
        """Rows of one length are decoded together, by either model."""
        calls: defaultdict[tuple[bool, float], list[tuple[float, int]]] = defaultdict(list)
        for result in results:
            calls[result.draft, result.window_s].append((result.window_s, result.steps))
        tables = {False: self._table, True: self._draft_table}
        return sum(tables[draft].batch_s(rows, beam=beam) for (draft, _), rows in calls.items())

    def _stretch(self) -> float:
        """How much longer decodes take because their cores do the rest of the service's work too."""
        rest = self._setting.service_share * len(self.played.arrivals) / self._slots
        return 1 / max(0.1, 1 - rest)


def play(
    engine: Engine,
    programs: Sequence[Program],
    options: SessionOptions,
    *,
    partials: bool = True,
    slots: int = 2,
    free: bool = False,
    setting: Setting = Setting(),
) -> Played:
    """Play all programs at once. `free`: decodes take no time, so that nothing depends on the machine."""
    stage = Stage(engine, slots=slots, free=free, setting=setting)
    for number, program in enumerate(programs):
        config = SessionConfig(language=program.passages[0].language, partials=partials)
        stage.add(program, config, options, number * STAGGER_S)
    return stage.run()
