"""`WS /v1/realtime`: lets connections in, and ends them when they have lasted long enough."""

import asyncio
import json
import math
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from fastapi import WebSocket
from starlette.datastructures import QueryParams

from api.auth import chosen_subprotocol, client_secret_of, tenant_of
from api.conversation import LAST_WORD_S, Gone, broker_lost, converse
from api.faults import close_code_of, error_type, status_of
from api.metrics import REFUSED
from api.openai_realtime.config import PCM_RATE, initial, updated
from api.openai_realtime.dialect import EXPIRED, Expired, Message, Opening, RealtimeDialect
from api.openai_realtime.names import served_model, transcription_model
from api.openai_realtime.refusals import denied
from api.openai_realtime.shapes import Frames, error_object
from api.session_desk import SessionDesk
from api.socket_limits import LARGEST_BYTES
from api.wires import WebSocketWire
from shared.errors import StenoError
from shared.redis.connection import ConnectionLost
from shared.redis.presence import WorkerPresence

_BETA_HEADER: Final = "realtime=v1"
_BETA_SUBPROTOCOL: Final = "openai-beta.realtime-v1"


class RealtimeDoor:
    """Serves connections. One lasts `session_s_max` at the longest."""

    def __init__(self, desk: SessionDesk, aliases: Mapping[str, str], *, session_s_max: float) -> None:
        self._desk = desk
        self._aliases = aliases
        self._session_s_max = session_s_max

    async def listen(self, socket: WebSocket) -> None:
        """Serve one connection."""
        offered: list[str] = socket.scope.get("subprotocols") or []
        try:
            await self._desk.check_room()
            workers = await self._desk.workers()
            dialect = RealtimeDialect(self._opening(socket, offered, workers))
        except StenoError as error:
            await _deny(socket, offered, error)
        except ConnectionLost:
            await _deny(socket, offered, broker_lost())
        else:
            await socket.accept(chosen_subprotocol(offered))
            wire = _Lasting(socket, self._session_s_max)
            await converse(wire, dialect, self._desk)

    def _opening(
        self, socket: WebSocket, offered: Sequence[str], workers: Sequence[WorkerPresence]
    ) -> Opening:
        query = socket.query_params
        config = initial(transcription_model(query.get("model", "")), rate=_rate(query))
        if secret := client_secret_of(socket):
            config = updated(config, secret.session)
        return Opening(
            session=uuid.uuid4().hex[:24],
            config=config,
            expires_at=math.floor(time.time() + self._session_s_max),
            is_beta=is_beta(socket.headers.get("openai-beta", ""), offered),
            for_transcription=query.get("intent") == "transcription",
            tenant=tenant_of(socket),
            workers=workers,
            names=lambda name: served_model(name, self._aliases, workers),
        )


def is_beta(header: str, offered: Sequence[str]) -> bool:
    """Whether a client asks for the shapes of the beta."""
    return _BETA_HEADER in header.replace(" ", "").split(",") or _BETA_SUBPROTOCOL in offered


class _Lasting:
    """A socket that says `EXPIRED` when its time is over."""

    def __init__(self, socket: WebSocket, lasts_s: float) -> None:
        self._wire = WebSocketWire(socket, message_bytes_max=LARGEST_BYTES)
        self._ends_at = asyncio.get_running_loop().time() + lasts_s

    async def receive(self) -> Message | Expired:
        """The next message. Raises `Gone`."""
        try:
            async with asyncio.timeout_at(self._ends_at):
                return await self._wire.receive()
        except TimeoutError:
            return EXPIRED

    async def send(self, frame: Message) -> None:
        """Write a frame. Raises `Gone`."""
        await self._wire.send(frame)

    async def close(self, code: int, reason: str) -> None:
        """Close it. Raises `Gone`."""
        await self._wire.close(code, reason)


def _rate(query: QueryParams) -> int:
    """`sample_rate` of the address: what pcm16 is for clients that can't say so otherwise. Raises
    `Refused`."""
    given = query.get("sample_rate", str(PCM_RATE))
    rate = int(given) if given.isascii() and given.isdigit() and len(given) < 7 else 0
    return updated(initial(""), {"audio": {"input": {"format": {"type": "audio/pcm", "rate": rate}}}}).rate


async def _deny(socket: WebSocket, offered: Sequence[str], error: StenoError) -> None:
    """Programs read the answer to their upgrade; a browser hides it from the page, and gets an event."""
    REFUSED.labels(error.code).inc()
    if "origin" not in socket.headers:
        await socket.send_denial_response(denied(error))
        return
    await socket.accept(chosen_subprotocol(offered))
    told = error_object(error_type(status_of(error)), error.code, error.message)
    wire = WebSocketWire(socket, message_bytes_max=LARGEST_BYTES)
    try:
        async with asyncio.timeout(LAST_WORD_S):
            await wire.send(json.dumps(Frames(uuid.uuid4().hex[:24]).make("error", error=told)))
            await wire.close(close_code_of(error), error.code)
    except (Gone, TimeoutError):
        return
