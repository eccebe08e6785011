"""What a server does, looked at again and again: workers, sessions, capacity, latency.

async with Watch() as watch:
    system = await watch.look()
    print(system.sessions_total, [worker.busy for worker in system.fleet.workers])
"""

from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from client.calling import Caller, Timeout, parsed
from client.options import DEFAULT_URL
from shared.system import HISTORY_S, Sample, System

_TIMEOUT: Final = Timeout(connect_s=2.0, silence_s=5.0)


class Watch:
    """Looks at one server, and keeps what it has heard of the last hour. An async context manager;
    `client.sync.Watch` is its twin. There is something new once a second (`shared.system.LOOK_S`)."""

    def __init__(self, url: str = DEFAULT_URL, *, api_key: str | None = None) -> None:
        """`api_key` is by default what `STENO_API_KEY` holds; docs/system.md says what which key may see."""
        self._http = Caller(url, api_key, _TIMEOUT)
        self._history: dict[int, Sample] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def look(self) -> System:
        """What the server does now, with the whole last hour. Raises `ConnectionLost` or `TimedOut` when it
        can't be reached, and otherwise what it said; try again after either."""
        query = {"after": max(self._history)} if self._history else {}
        reply = await self._http.request("GET", "/v1/system", params=query)
        system = parsed(System, reply, about="itself")
        if system.fleet is None:
            return system
        self._history |= {sample.at: sample for sample in system.fleet.history}
        begin = system.now - HISTORY_S
        self._history = {at: s for at, s in sorted(self._history.items()) if begin < at <= system.now}
        return replace(system, fleet=replace(system.fleet, history=tuple(self._history.values())))
