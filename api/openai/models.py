"""Model names: those that workers serve, and those that clients of other services have built in."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter

from shared.errors import BadParameter, ModelUnavailable, NoCapacity, UnknownModel
from shared.models.catalogue import repository
from shared.redis.presence import Presence

_OPENAI: Final = (
    "whisper-1",
    "gpt-transcribe",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-transcribe-diarize",
    "gpt-realtime-whisper",
    "gpt-live-transcribe",
)
DEFAULT_ALIASES: Final[Mapping[str, str]] = dict.fromkeys(_OPENAI, "")
"""Names that stand for whatever the workers serve: clients send them unless told otherwise."""

_DATE: Final = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_PREFIXES: Final = ("openai/whisper-", "whisper-")
_CREATED: Final = 1_663_804_800
"""When Whisper was published: what clients want here is a number."""
_RETRY_S: Final = 5.0


def parse_aliases(text: str) -> dict[str, str]:
    """`STENO_MODEL_ALIASES` on top of the defaults: `alias=model` with commas between, `alias` alone for
    whatever is served, `-alias` to take a default away. Raises `BadParameter`."""
    aliases = dict(DEFAULT_ALIASES)
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, model = (part.strip() for part in entry.partition("="))
        if name.startswith("-") and not model:
            aliases.pop(name[1:], None)
        elif not name or name.startswith("-") or any(char.isspace() for char in name + model):
            raise BadParameter("STENO_MODEL_ALIASES must be alias=model, with commas between; or -alias")
        else:
            aliases[name] = model
    return aliases


def resolve(name: str, aliases: Mapping[str, str], served: Sequence[str]) -> str:
    """The served model that `name` stands for; empty for whichever. Raises `UnknownModel`."""
    if not name:
        return ""
    for candidate in dict.fromkeys((name, *(name.removeprefix(p) for p in _PREFIXES))):
        for model in served:
            if model == candidate or _is_same(model, candidate):
                return model
    alias = name if name in aliases else _DATE.sub("", name)
    if alias in aliases:
        model = aliases[alias]
        if model in ("", *served):
            return model
    shown = ", ".join(sorted({*served})) or "none"
    raise UnknownModel(f"The model {name[:100]!r} does not exist here; served: {shown}")


class Models:
    """The names that are known now."""

    def __init__(self, aliases: Mapping[str, str], presence: Presence) -> None:
        self._aliases = aliases
        self._presence = presence

    async def served(self) -> list[str]:
        """The models of the living workers. Raises `NoCapacity` when there is none."""
        served = sorted({worker.model for worker in await self._presence.workers()})
        if not served:
            raise NoCapacity("no worker is up; try again in a moment", retry_after_s=_RETRY_S)
        return served

    async def find(self, name: str) -> str:
        """See `resolve`; also raises `NoCapacity`."""
        return resolve(name, self._aliases, await self.served())

    async def names(self) -> list[str]:
        """All names that can be asked for."""
        served = await self.served()
        known = [name for name, model in self._aliases.items() if model in ("", *served)]
        return list(dict.fromkeys((*served, *known)))


def models_router(models: Models) -> APIRouter:
    """`GET /v1/models`, and one of them."""
    router = APIRouter(prefix="/v1/models", tags=["openai"])

    @router.get("")
    async def listed() -> dict[str, Any]:
        """All models, and the names that stand for one."""
        return {"object": "list", "data": [_entry(name) for name in await models.names()]}

    @router.get("/{name:path}")
    async def one(name: str) -> dict[str, Any]:
        """A model, by any of its names."""
        await models.find(name)
        return _entry(name)

    return router


def _is_same(model: str, name: str) -> bool:
    """Whether two names are of one hub repository."""
    try:
        return repository(model) == repository(name)
    except ModelUnavailable:
        return False


def _entry(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "steno"}
