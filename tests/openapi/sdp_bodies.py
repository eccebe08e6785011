"""How schemathesis sends SDP: loaded there (`SCHEMATHESIS_HOOKS`), not by pytest."""

import schemathesis


@schemathesis.serializer("application/sdp")
def sdp(_context: object, value: object) -> bytes:
    """As text, whatever was made up."""
    return str(value).encode(errors="replace")
