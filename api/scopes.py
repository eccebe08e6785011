"""What a key may be used for. Pure.

A key has all scopes unless its entry names some; a token has what its maker asked for, and no more than its
key. What is not listed here is for keys with all of them: a new path is closed until somebody says who
may use it.
"""

from collections.abc import Collection
from typing import Final

from shared.errors import Forbidden

LIVE: Final = "live"
"""Live sessions, and what opens them."""
FILES: Final = "files"
"""File jobs: make, look at, cancel and delete them."""
READ: Final = "read"
"""Look at jobs and results, and at what the service does; make nothing, change nothing."""
SCOPES: Final = (LIVE, FILES, READ)

REALTIME: Final = "realtime"
"""Of the short-lived keys of OpenAI's protocol, which open its socket only."""

SOCKET: Final = "WS"
"""The method of a WebSocket."""

_ANY: Final = frozenset(SCOPES)
_LOOKING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_RULES: Final[tuple[tuple[str, frozenset[str], frozenset[str]], ...]] = (
    # path and all below it; scopes that may look, scopes that may do the rest: one of them is enough
    ("/v1/realtime", frozenset({LIVE, REALTIME}), frozenset({LIVE})),
    ("/v1/stream", frozenset({LIVE}), frozenset({LIVE})),
    ("/stream", frozenset({LIVE}), frozenset({LIVE})),
    ("/v1/rtc", frozenset({LIVE}), frozenset({LIVE})),
    ("/v1/sessions", frozenset({LIVE}), frozenset({LIVE})),
    ("/v1/listen", frozenset({LIVE}), frozenset({FILES})),
    ("/v1/audio", frozenset({FILES}), frozenset({FILES})),
    ("/asr", frozenset({FILES}), frozenset({FILES})),
    ("/detect-language", frozenset({FILES}), frozenset({FILES})),
    ("/v1/jobs", frozenset({FILES, READ}), frozenset({FILES})),
    ("/v1/tokens", _ANY, _ANY),
    ("/v1/models", _ANY, _ANY),
    ("/v1/system", _ANY, _ANY),
    ("/v1/usage", _ANY, _ANY),
    ("/v1/audit", frozenset({READ}), frozenset({READ})),
)


def needed(method: str, path: str) -> frozenset[str] | None:
    """The scopes of which one is enough; None where all are needed. `SOCKET` counts as looking."""
    for prefix, looking, doing in _RULES:
        if path == prefix or path.startswith(f"{prefix}/"):
            return looking if method in _LOOKING or method == SOCKET else doing
    return None


def check_scope(has: Collection[str], method: str, path: str) -> None:
    """Raises `Forbidden` for a key that is not for this."""
    wanted = needed(method, path)
    if wanted.isdisjoint(has) if wanted is not None else not _ANY.issubset(has):
        names = " or ".join(sorted((wanted or _ANY) - {REALTIME}))
        raise Forbidden(f"this key is not for that: it needs the scope {names}")
