"""What a client's name of a model means here. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from api.openai.models import DEFAULT_ALIASES, resolve
from shared.redis.presence import WorkerPresence

DEFAULT_MODEL: Final = "whisper-1"
"""What a client is taken to mean that names none."""
_CONVERSING: Final = ("gpt-realtime", "gpt-4o-realtime", "gpt-4o-mini-realtime")
"""Models of a conversation, which some clients have to name to connect."""


def served_model(name: str, aliases: Mapping[str, str], workers: Sequence[WorkerPresence]) -> str:
    """The workers' model that a name stands for, empty for whatever they serve. While no worker is up, a name
    is not doubted: one may be on its way. Raises `UnknownModel`."""
    if not workers:
        return aliases.get(name, name)
    return resolve(name, aliases, [worker.model for worker in workers])


def transcription_model(named: str) -> str:
    """What transcribes, for a client that connects with this `model`."""
    conversing = named.startswith(_CONVERSING) and not named.startswith(tuple(DEFAULT_ALIASES))
    return DEFAULT_MODEL if conversing or not named else named
