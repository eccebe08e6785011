"""The native live protocol: `WS /v1/stream`. docs/protocol.md is its reference.

A connection opens a session, or takes one over that another connection began (docs/adr/0005-resume.md). All
that a session is lies in Redis, so that any edge process serves any connection of it.
"""

import asyncio
import contextlib

from fastapi import APIRouter, WebSocket

from api.auth import chosen_subprotocol
from api.conversation import LAST_WORD_S, Gone, broker_lost, converse
from api.faults import close_code_of, response
from api.live_session import as_event
from api.metrics import REFUSED
from api.native import NativeDialect, to_text
from api.opening import opening_of
from api.session_desk import MESSAGE_BYTES_MAX, SessionDesk
from api.wires import WebSocketWire
from shared.errors import NoCapacity, StenoError
from shared.redis.connection import ConnectionLost


def stream_router(desk: SessionDesk) -> APIRouter:
    """The routes of the native live protocol."""
    router = APIRouter()
    door = _Door(desk)
    router.add_api_websocket_route("/v1/stream", door.stream)
    router.add_api_websocket_route("/stream", door.stream)
    return router


class _Door:
    """Lets connections in."""

    def __init__(self, desk: SessionDesk) -> None:
        self._desk = desk

    async def stream(self, socket: WebSocket) -> None:
        """Serve one connection."""
        refusal = await self._refusal(socket)
        if refusal and "origin" not in socket.headers:
            # Programs read the answer to their upgrade; a browser hides it from the page, and gets a message.
            REFUSED.labels(refusal.code).inc()
            await socket.send_denial_response(response(refusal))
            return
        await socket.accept(chosen_subprotocol(socket.scope.get("subprotocols") or []))
        wire = WebSocketWire(socket, message_bytes_max=MESSAGE_BYTES_MAX)
        try:
            if refusal:
                raise refusal
            dialect = NativeDialect(await opening_of(socket, self._desk, is_admitted=True))
        except StenoError as error:
            await _refuse(wire, error)
        except ConnectionLost:
            await _refuse(wire, broker_lost())
        else:
            await converse(wire, dialect, self._desk)

    async def _refusal(self, socket: WebSocket) -> NoCapacity | None:
        """Why a new session would not be served; None when it may be, and for one that is resumed."""
        if "session" in socket.query_params:
            return None
        try:
            await self._desk.check_room()
        except NoCapacity as error:
            return error
        except ConnectionLost:
            return None  # said as a message, like every failure of Redis
        return None


async def _refuse(wire: WebSocketWire, error: StenoError) -> None:
    """Tell the client why it gets no session."""
    REFUSED.labels(error.code).inc()
    with contextlib.suppress(Gone, TimeoutError):
        async with asyncio.timeout(LAST_WORD_S):
            await wire.send(to_text(1, as_event(error)))
            await wire.close(close_code_of(error), error.code)
