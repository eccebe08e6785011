"""The query of a connection that resumes a session. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from api.params import StreamParams, parse_stream_params
from shared.errors import BadParameter
from shared.redis.sessions import Kept

PARAMETERS: Final = ("session", "token", "after")
_CONNECTION_PARAMETERS: Final = ("acks",)
"""Parameters of a connection, not of its session: free to choose again."""


@dataclass(frozen=True, slots=True)
class ResumeAsked:
    """Which session a client comes back to."""

    session: str
    token: str
    after: int
    """Number of the last event that it has."""


def parse_resume(query: Mapping[str, str]) -> ResumeAsked | None:
    """What a connection resumes; None when it opens a session. Raises `BadParameter`."""
    given = [name for name in PARAMETERS if name in query]
    if not given:
        return None
    if len(given) < len(PARAMETERS):
        raise BadParameter("session, token and after go together: they resume a session")
    after = query["after"]
    if not (after.isascii() and after.isdigit() and len(after) < 16):
        raise BadParameter("after must be a whole number")
    return ResumeAsked(query["session"], query["token"], int(after))


def check_against_session(query: Mapping[str, str], asked: ResumeAsked, kept: Kept) -> StreamParams:
    """The session's own parameters. Raises `BadParameter` when the query contradicts them, or asks for events
    behind those that there are: what would be left out would be missed."""
    own = {name: value for name, value in query.items() if name not in PARAMETERS}
    said = parse_stream_params(own)
    audio, config = kept.audio, kept.config
    params = StreamParams(
        sample_rate=audio.sample_rate,
        encoding=audio.encoding,
        channels=audio.channels,
        config=config,
        acks=said.acks,
    )
    for name in own:
        if name not in _CONNECTION_PARAMETERS and _value(said, name) != _value(params, name):
            raise BadParameter(f"{name} is not what the session was opened with; leave it out to resume")
    if asked.after > kept.seq:
        raise BadParameter(f"after is {asked.after}, but the session has only {kept.seq} events")
    return params


def _value(params: StreamParams, name: str) -> object:
    return getattr(params if hasattr(params, name) else params.config, name)
