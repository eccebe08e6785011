"""Lua scripts by name.

One transition is one script: it checks the fence, changes the state, announces it and trims, all or
nothing. Each `lua/*.lua` begins with a comment that says what KEYS and ARGV are; `_common.lua` is put in
front of each.
"""

import functools
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final, cast

from redis.exceptions import NoScriptError, ResponseError

from shared.errors import MustResume, NotFound, StenoError, Superseded, TakenOver
from shared.redis.cluster import AsyncCluster
from shared.redis.connection import AsyncRedis, SyncRedis

_REFUSALS: Final[Mapping[str, type[StenoError]]] = {
    "SUPERSEDED": Superseded,
    "NOSESSION": NotFound,
    "TAKENOVER": TakenOver,
    "GAP": MustResume,
}


@functools.cache
def source(name: str, *, sharded: bool = False) -> str:
    """The text of a script. `sharded`: announcements stay with the nodes of their slot, as in a cluster."""
    folder = resources.files("shared.redis") / "lua"
    parts = (folder / "_common.lua").read_text() + (folder / f"{name}.lua").read_text()
    return f"local PUBLISH = '{'SPUBLISH' if sharded else 'PUBLISH'}'\n" + parts


@functools.cache
def _digest(name: str, *, sharded: bool) -> str:
    # The name that Redis gives to a script; no secret depends on it.
    return hashlib.sha1(source(name, sharded=sharded).encode(), usedforsecurity=False).hexdigest()


class Scripts:
    """Runs scripts on one client, by hash, sending a script whole when the server has not got it."""

    def __init__(self, client: AsyncRedis) -> None:
        self._client = client
        self.sharded = isinstance(client, AsyncCluster)
        """Whether the client speaks to a cluster."""

    def sha(self, name: str) -> str:
        """The hash by which the server knows a script, once it has it."""
        return _digest(name, sharded=self.sharded)

    async def run(self, name: str, keys: list[str], args: list[Any]) -> Any:
        """Run script `name`. Raises what the script refuses with: `Superseded`, `NotFound`,
        `TakenOver` or `MustResume`."""
        given = (len(keys), *keys, *args)
        try:
            try:
                return await cast(Any, self._client.evalsha(_digest(name, sharded=self.sharded), *given))
            except NoScriptError:
                return await cast(Any, self._client.eval(source(name, sharded=self.sharded), *given))
        except ResponseError as error:
            raise refusal(error) from None


class SyncScripts:
    """The same without an event loop, for scripts that neither refuse nor announce anything."""

    def __init__(self, client: SyncRedis) -> None:
        self._client = client

    def run(self, name: str, keys: list[str], args: list[Any]) -> Any:
        """Run script `name`."""
        given = (len(keys), *keys, *args)
        try:
            return self._client.evalsha(_digest(name, sharded=False), *given)
        except NoScriptError:
            return self._client.eval(source(name), *given)


def refusal(error: ResponseError) -> Exception:
    """What a script refused with, as our error; another error as it is."""
    words = str(error).split()
    cls = _REFUSALS.get(words[0]) if words else None
    return cls(str(error)) if cls else error
