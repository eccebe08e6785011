"""Who did what to which session or job, and when: a stream of bounded length. Never text or audio."""

import datetime
from dataclasses import dataclass
from typing import Any, Final, cast

from shared.redis.connection import AsyncRedis
from shared.redis.keys import AUDIT

_LOOKED_AT_MAX: Final = 5000
"""Entries of all tenants that are looked through for one page of one tenant's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing that was done."""

    at: str = ""
    """RFC 3339, UTC."""
    tenant: str
    key: str
    """Id of the API key: the beginning of its SHA-256."""
    action: str
    """`session.open`, or method and path."""
    id: str
    """Of the session or job; empty where there is none."""
    outcome: str
    """HTTP status, or the surface of a session."""


class AuditStream:
    """`length` is how many deeds are kept, about; 0: none."""

    def __init__(self, client: AsyncRedis, *, length: int) -> None:
        self._client = client
        self._length = length

    async def add(self, deed: Deed) -> None:
        """Write it down."""
        if self._length:
            fields: Any = {"t": deed.tenant, "k": deed.key, "a": deed.action, "i": deed.id, "o": deed.outcome}
            await self._client.xadd(AUDIT, fields, maxlen=self._length, approximate=True)

    async def before(
        self, place: str, count: int, *, tenant: str | None
    ) -> tuple[list[tuple[str, Deed]], str]:
        """Up to `count` deeds older than `place`, newest first, of one tenant or of all, with their places;
        and the place to go on from, empty at the end."""
        found: list[tuple[str, Deed]] = []
        looked, at = 0, f"({place}" if place else "+"
        while looked < _LOOKED_AT_MAX:
            rows = cast(Any, await self._client.xrevrange(AUDIT, at, "-", 500))
            for entry, fields in rows:
                name = cast(bytes, entry).decode()
                at, looked = f"({name}", looked + 1
                told = {key.decode(): value.decode() for key, value in fields.items()}
                if tenant in (None, told["t"]):
                    found.append((name, _deed(name, told)))
                    if len(found) == count:
                        return found, name
            if len(rows) < 500:
                return found, ""
        return found, at.removeprefix("(")


def _deed(name: str, told: dict[str, str]) -> Deed:
    at = datetime.datetime.fromtimestamp(int(name.partition("-")[0]) / 1000, datetime.UTC)
    text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Deed(at=text, tenant=told["t"], key=told["k"], action=told["a"], id=told["i"], outcome=told["o"])
