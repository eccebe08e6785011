"""Shapes of Redis replies. A stream read is a list of pairs under RESP2 and a map of lists under RESP3;
one function flattens both."""

from typing import Any, cast

Fields = dict[bytes, bytes]
Entry = tuple[bytes, Fields]


def stream_entries(reply: Any) -> list[Entry]:
    """The entries of a read of one stream, oldest first; empty when nothing came."""
    if not reply:
        return []
    per_stream = next(iter(reply.values())) if isinstance(reply, dict) else reply[0][1]
    entries = per_stream[0] if per_stream and isinstance(per_stream[0], list) else per_stream
    return cast(list[Entry], entries)
