"""The last hour as an edge has seen it. What is over does not change, and is worked out once. Pure."""

from collections.abc import Mapping
from typing import Final

from shared.system import HISTORY_S, SLOT_S, Sample
from shared.tally import Counts, merged, sample

_MINUTE_S: Final = 60


class History:
    """Counts by the time at which their stretch begins, and what they say."""

    def __init__(self) -> None:
        self._counts: dict[int, Counts] = {}
        self._samples: dict[int, Sample] = {}
        """Of the stretches that are over."""
        self._over: Counts = {}
        """The sum of those."""

    @property
    def newest(self) -> int:
        """When the last stretch began; 0 before there is one."""
        return max(self._counts, default=0)

    def add(self, fresh: Mapping[int, Counts], now_s: float) -> None:
        """Stretches that were read again, or first."""
        begin = now_s - HISTORY_S
        if any(at > now_s for at in self._counts):  # Redis's clock was set back
            self._counts.clear()
            self._samples.clear()
        self._counts = {at: c for at, c in sorted((self._counts | dict(fresh)).items()) if at > begin}
        over = [at for at in self._counts if at + SLOT_S <= now_s and at != self.newest]
        known = {at: self._samples.get(at) or sample(at, SLOT_S, self._counts[at]) for at in over}
        if known.keys() != self._samples.keys():
            self._over = merged(self._counts[at] for at in over)
        self._samples = known

    def samples(self, now_s: float) -> tuple[Sample, ...]:
        """All stretches, oldest first."""
        return tuple(
            self._samples.get(at) or _over({at: counts}, now_s) for at, counts in self._counts.items()
        )

    def minute(self, now_s: float) -> Sample:
        """The last minute."""
        begin = self.newest - _MINUTE_S
        return _over({at: counts for at, counts in self._counts.items() if at > begin}, now_s)

    def hour(self, now_s: float) -> Sample:
        """All of it."""
        rest = [counts for at, counts in self._counts.items() if at not in self._samples]
        return sample(
            min(self._counts, default=int(now_s)), _span_s(self._counts, now_s), merged([self._over, *rest])
        )


def _over(history: Mapping[int, Counts], now_s: float) -> Sample:
    """One sample of several stretches."""
    at = min(history, default=int(now_s))
    return sample(at, _span_s(history, now_s), merged(history.values()))


def _span_s(history: Mapping[int, Counts], now_s: float) -> int:
    """How long they are together, as far as they have gone by; those in which no worker was there are not."""
    return sum(min(SLOT_S, max(1, round(now_s - begin))) for begin in history)
