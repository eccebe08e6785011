"""When a child that ended is started again. Pure: time is an argument."""

from dataclasses import dataclass
from typing import Final

REFUSED_STATUS: Final = 2
"""Exit status of a process that can't work with the settings it was given; its message says why."""
DONE_STATUS: Final = 0
"""Exit status of a process that ended in order by its own wish: a worker that is to be started anew."""


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Delays double from `first_s` to `max_s`, and begin anew after a run of `steady_s`.

    Until the whole was ready once, a fault is most likely in the settings, and a restart does not mend it:
    the policy gives up after `failures_max`. Later it never does, because what worked once can work again.
    """

    first_s: float = 0.2
    max_s: float = 10.0
    steady_s: float = 10.0
    failures_max: int = 3


class Restarts:
    """The history of one child."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._failures = 0

    def after(self, status: int, *, ran_s: float, was_ready: bool) -> float | None:
        """Seconds to wait before the next start of a child that ended with `status`, or None to give up.

        `was_ready` says whether the whole has been ready since it was started.
        """
        policy = self._policy
        if status == DONE_STATUS and ran_s >= policy.steady_s:
            self._failures = 0
            return 0.0
        self._failures = 1 if ran_s >= policy.steady_s else self._failures + 1
        if not was_ready and (status == REFUSED_STATUS or self._failures >= policy.failures_max):
            return None
        return min(policy.max_s, policy.first_s * 2 ** min(self._failures - 1, 30))
