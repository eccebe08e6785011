"""What a connection of the native protocol asks for, by its query, whatever carries it."""

from dataclasses import replace

from starlette.requests import HTTPConnection

from api.auth import tenant_of
from api.dialect import Open, Resume
from api.params import parse_stream_params
from api.resuming import check_against_session, parse_resume
from api.session_desk import SessionDesk
from shared.errors import NotFound


async def opening_of(connection: HTTPConnection, desk: SessionDesk, *, is_admitted: bool) -> Open | Resume:
    """Raises `BadParameter` and `NotFound`; a session that is to be resumed is then as it was. `is_admitted`:
    whether it was asked before if there is room."""
    query = connection.query_params
    if (asked := parse_resume(query)) is None:
        params = parse_stream_params(query)
        return Open(
            config=replace(params.config, tenant=tenant_of(connection)),
            audio=params.audio,
            acks=params.acks,
            is_admitted=is_admitted,
            is_resumable=True,
        )
    kept = await desk.look(asked.session, asked.token)
    if kept.config.tenant != tenant_of(connection):
        raise NotFound("no such session, or the token is not its")
    params = check_against_session(query, asked, kept)
    return Resume(
        session=asked.session,
        token=asked.token,
        audio=params.audio,
        config=params.config,
        after=asked.after,
        acks=params.acks,
    )
