"""The API key that a client sends."""

import os

from shared.errors import BadParameter


def key_headers(api_key: str | None) -> dict[str, str]:
    """The headers that carry the key: the one given, else that in `STENO_API_KEY`; none without a key, or
    with an empty one. Raises `BadParameter` for what can't be in a header."""
    key = os.environ.get("STENO_API_KEY", "") if api_key is None else api_key
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise BadParameter("the API key must be printable ASCII without spaces")
    return {"Authorization": f"Bearer {key}"} if key else {}
