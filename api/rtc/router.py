"""`POST /v1/rtc`: WebRTC as WHIP does it (RFC 9725). The offer is the request, the answer its response, and
`DELETE` on the `Location` of that ends the session. docs/rtc.md is its reference.

Knows nothing of aiortc, which is not there without its extra.
"""

import asyncio
from typing import Final, Protocol

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from api.auth import tenant_of
from api.dialect import Open, Resume
from api.faults import fault_of_event, native_shape
from api.opening import opening_of
from api.rtc.offer import OFFER_BYTES_MAX
from api.session_desk import SessionDesk
from shared.errors import BadParameter, BadRequest, NotFound, TooLarge, UploadStalled
from shared.events import Error

SDP: Final = "application/sdp"
_BODY_S_MAX: Final = 10.0
_NEGOTIATED: Final = ("sample_rate", "encoding", "channels")
_OFF: Final = "WebRTC is off here: set STENO_RTC_PORT; it needs the extra rtc (pip install 'steno[rtc]')"


class Answer(Protocol):
    """An offer's answer, and what its peer is called."""

    @property
    def id(self) -> str: ...
    @property
    def sdp(self) -> str: ...


class Host(Protocol):
    """Where peers are let in."""

    async def let_in(self, text: str, opening: Open | Resume) -> Answer | Error: ...
    def end(self, id: str, tenant: str) -> None: ...


def rtc_router(desk: SessionDesk, host: Host | None) -> APIRouter:
    """The routes. Without a host they say how there would be one."""
    router = APIRouter(tags=["live"])

    @router.post(
        "/v1/rtc",
        status_code=201,
        response_class=Response,
        responses={201: {"content": {SDP: {"schema": {"type": "string"}}}, "description": "the answer"}},
        openapi_extra={"requestBody": {"required": True, "content": {SDP: {"schema": {"type": "string"}}}}},
    )
    async def offer(request: Request) -> Response:
        """Open a live session over WebRTC, or resume one: the body is an SDP offer with one Opus track and a
        data channel. The query is that of `/v1/stream`, but for what the offer says of the audio."""
        if host is None:
            raise NotFound(_OFF)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != SDP:
            raise HTTPException(415, f"the body must be {SDP}", {"Accept-Post": SDP})
        for name in _NEGOTIATED:
            if name in request.query_params:
                raise BadParameter(f"{name} is what the offer says; leave it out", param=name)
        text = await _body(request)
        opening = await opening_of(request, desk, is_admitted=False)
        answer = await host.let_in(text, opening)
        if isinstance(answer, Error):
            return native_shape(fault_of_event(answer))
        return Response(answer.sdp, 201, {"Location": f"/v1/rtc/{answer.id}"}, SDP)

    @router.delete("/v1/rtc/{peer_id}", status_code=200, response_class=Response)
    async def end(request: Request, peer_id: str) -> Response:
        """End the session: its last finals follow over the data channel, then `closed`."""
        if host is None:
            raise NotFound(_OFF)
        host.end(peer_id, tenant_of(request))
        return Response(status_code=200)

    return router


async def _body(request: Request) -> str:
    """Raises `TooLarge`, `UploadStalled`, and `BadRequest` for what is no text."""
    data = bytearray()
    try:
        async with asyncio.timeout(_BODY_S_MAX):
            async for chunk in request.stream():
                data += chunk
                if len(data) > OFFER_BYTES_MAX:
                    raise TooLarge(f"an offer has at most {OFFER_BYTES_MAX} bytes")
    except TimeoutError:
        raise UploadStalled(f"the offer did not come within {_BODY_S_MAX:g} s") from None
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadRequest("the offer is no text in UTF-8") from None
