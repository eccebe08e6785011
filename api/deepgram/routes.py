"""The routes of Deepgram's protocol: `/v1/listen`, a WebSocket for live audio and POST for files."""

import time
from collections.abc import Sequence

from anyio import CapacityLimiter
from fastapi import APIRouter, WebSocket
from fastapi.params import Depends

from api.auth import chosen_subprotocol, tenant_of
from api.conversation import broker_lost, converse
from api.deepgram.decoding import STREAMS_MAX, decoding
from api.deepgram.errors import refusal
from api.deepgram.files import Files
from api.deepgram.live import DeepgramLive
from api.deepgram.query import Asked, model_of, parse
from api.deepgram.shapes import new_request
from api.jobs import JobParts
from api.metrics import REFUSED
from api.params import check_against_workers
from api.session_desk import MESSAGE_BYTES_MAX, SessionDesk
from api.wires import WebSocketWire
from shared.errors import StenoError
from shared.events import SessionConfig
from shared.redis.connection import ConnectionLost


def deepgram_router(desk: SessionDesk, jobs: JobParts, *, about_files: Sequence[Depends] = ()) -> APIRouter:
    """The routes. `about_files` may refuse files."""
    router = APIRouter(tags=["deepgram"])
    router.add_api_websocket_route("/v1/listen", _Live(desk).listen)
    router.add_api_route(
        "/v1/listen", Files(jobs).listen, methods=["POST"], response_model=None, dependencies=about_files
    )
    return router


class _Live:
    """Lets live connections in."""

    def __init__(self, desk: SessionDesk) -> None:
        self._desk = desk
        self._limiter = CapacityLimiter(STREAMS_MAX)

    async def listen(self, socket: WebSocket) -> None:
        """Serve one connection."""
        request = new_request()
        try:
            asked, model = await self._asked(socket)
        except (StenoError, *ConnectionLost) as error:
            known = error if isinstance(error, StenoError) else broker_lost()
            REFUSED.labels(known.code).inc()
            await socket.send_denial_response(refusal(known, request.id))
            return
        headers = [(b"dg-request-id", request.id.encode())]
        if asked.ignored:
            headers.append((b"steno-ignored", ",".join(asked.ignored).encode()))
        await socket.accept(
            subprotocol=chosen_subprotocol(socket.scope.get("subprotocols") or []), headers=headers
        )
        wire = WebSocketWire(socket, message_bytes_max=MESSAGE_BYTES_MAX)
        dialect = DeepgramLive(asked, request, model=model, clock=time.monotonic, tenant=tenant_of(socket))
        if asked.audio is not None:
            await converse(wire, dialect, self._desk)
            return
        async with decoding(wire, asked, self._limiter) as decoded:
            await converse(decoded, dialect, self._desk)

    async def _asked(self, socket: WebSocket) -> tuple[Asked, str]:
        """What the client wants, and the model for it. Raises `BadParameter` and `NoCapacity`."""
        asked = parse(socket.query_params.multi_items(), live=True)
        workers = await self._desk.workers()
        config = asked.config
        check_against_workers(SessionConfig(language=config.language, languages=config.languages), workers)
        await self._desk.check_room()
        return asked, model_of(asked, workers)
