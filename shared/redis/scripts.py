"""Lua scripts by name.

One transition is one script: it checks the fence, changes the state, announces it and trims, all or
nothing. Each `lua/*.lua` begins with a comment that says what KEYS and ARGV are; `_common.lua` is put in
front of each.
"""

import functools
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

from redis.exceptions import ResponseError

from shared.errors import MustResume, NotFound, StenoError, Superseded, TakenOver
from shared.redis.connection import AsyncRedis, SyncRedis

_REFUSALS: Final[Mapping[str, type[StenoError]]] = {
    "SUPERSEDED": Superseded,
    "NOSESSION": NotFound,
    "TAKENOVER": TakenOver,
    "GAP": MustResume,
}


@functools.cache
def source(name: str) -> str:
    """The text of a script."""
    folder = resources.files("shared.redis") / "lua"
    return (folder / "_common.lua").read_text() + (folder / f"{name}.lua").read_text()


class Scripts:
    """Runs scripts on one client, by hash, loading a script again when the server has lost it."""

    def __init__(self, client: AsyncRedis) -> None:
        self._client = client

    async def run(self, name: str, keys: list[str], args: list[Any]) -> Any:
        """Run script `name`. Raises what the script refuses with: `Superseded`, `NotFound`,
        `TakenOver` or `MustResume`."""
        script = self._client.register_script(source(name))
        try:
            return await script(keys=keys, args=args)
        except ResponseError as error:
            raise _refusal(error) from None


def run_sync(client: SyncRedis, name: str, keys: list[str], args: list[Any]) -> Any:
    """`Scripts.run` without an event loop."""
    try:
        return client.register_script(source(name))(keys=keys, args=args)
    except ResponseError as error:
        raise _refusal(error) from None


def _refusal(error: ResponseError) -> Exception:
    words = str(error).split()
    refusal = _REFUSALS.get(words[0]) if words else None
    return refusal(str(error)) if refusal else error
