"""The routes of OpenAI's Realtime API."""

from collections.abc import Mapping

from fastapi import APIRouter

from api.keys import Keyholder
from api.openai_realtime.door import RealtimeDoor
from api.openai_realtime.secrets import SecretDesk
from api.session_desk import SessionDesk


def realtime_router(
    desk: SessionDesk, aliases: Mapping[str, str], *, session_s_max: float, keys: Keyholder
) -> APIRouter:
    """The socket, and the keys that open it. `aliases` are other names of models."""
    router = APIRouter()
    door, secrets = (
        RealtimeDoor(desk, aliases, session_s_max=session_s_max),
        SecretDesk(desk, aliases, keys),
    )
    router.add_api_websocket_route("/v1/realtime", door.listen)
    router.add_api_route("/v1/realtime/client_secrets", secrets.client_secret, methods=["POST"])
    router.add_api_route(
        "/v1/realtime/transcription_sessions", secrets.transcription_session, methods=["POST"]
    )
    return router
