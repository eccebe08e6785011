"""What decodes cost here, as measured, and how much of the device the present sessions want. Pure."""

from typing import Final

from worker.core.decode import Kind
from worker.core.waiting import TARGET_S

_LATELY: Final = 8
"""Batches that the measured costs are mostly of."""
_PERIOD_S: Final = 3.0
"""Demand is counted over periods of this length: whoever speaks asks at least once in one
(`SessionOptions.partial_step_s_max`)."""
_PERIODS: Final = 10
"""Periods that the demand is mostly of."""


class Costs:
    """Device seconds of a job by kind: its even share of a batch."""

    def __init__(self) -> None:
        self._job_s: dict[Kind, float] = {}

    def learn(self, kind: Kind, jobs: int, took_s: float) -> None:
        """A batch was done."""
        job_s = took_s / jobs
        before_s = self._job_s.get(kind, job_s)
        self._job_s[kind] = before_s + (job_s - before_s) / _LATELY

    def job_s(self, kind: Kind, unknown: float = 0.0) -> float:
        """What a job took lately; `unknown` before the first."""
        return self._job_s.get(kind, unknown)


class Demand:
    """How many finals a second, and how many sessions that speak, there were lately."""

    def __init__(self) -> None:
        self.finals_per_s = 0.0
        self.speaking = 0.0
        self._begun: float | None = None
        self._finals = 0
        self._speakers: set[str] = set()

    def note(self, now: float, key: str, kind: Kind) -> None:
        """A session asks for a decode."""
        self.advance(now)
        self._finals += kind is Kind.FINAL
        self._speakers.add(key)

    def advance(self, now: float) -> None:
        """Close the periods that are over by now."""
        if self._begun is None:
            self._begun = now
        periods = int((now - self._begun) / _PERIOD_S)
        if periods <= 0:
            return
        self._begun += periods * _PERIOD_S
        self._fold(self._finals / _PERIOD_S, float(len(self._speakers)))
        self._finals = 0
        self._speakers.clear()
        stale = (1 - 1 / _PERIODS) ** (periods - 1)  # the rest were empty
        self.finals_per_s *= stale
        self.speaking *= stale

    def _fold(self, finals_per_s: float, speaking: float) -> None:
        self.finals_per_s += (finals_per_s - self.finals_per_s) / _PERIODS
        self.speaking += (speaking - self.speaking) / _PERIODS


def predicted_load(demand: Demand, costs: Costs, slots: int) -> float:
    """Part of the device that the present sessions want: 1 is all of it.

    It is what their finals cost, and a partial of each session that speaks as often as its deadline asks
    for. Sessions on a busy device ask less often; that is not counted in their favour, so the load exceeds 1
    where the device does not keep up.
    """
    finals = demand.finals_per_s * costs.job_s(Kind.FINAL)
    partials = demand.speaking * costs.job_s(Kind.PARTIAL) / TARGET_S[Kind.PARTIAL]
    return (finals + partials) / slots
