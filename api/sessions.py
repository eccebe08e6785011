"""`DELETE /v1/sessions/{id}`: nothing of a live session is kept any longer."""

from typing import Final

from fastapi import APIRouter, Request, Response

from api.auth import tenant_of
from shared.errors import NotFound
from shared.events import Error
from shared.redis.quotas import TenantPlaces
from shared.redis.sessions import SessionLog

ERASED: Final = Error(code="erased", message="the session was deleted")


def session_router(sessions: SessionLog, places: TenantPlaces) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["sessions"])

    @router.delete("/v1/sessions/{session_id}", status_code=204, response_class=Response)
    async def erase(request: Request, session_id: str) -> Response:
        """Delete a live session's audio and text at once. One that is open ends with the error `erased`; one
        that is not here, any more or at all, is 404."""
        tenant = tenant_of(request)
        # An id of another form is no key of Redis.
        known = session_id.isascii() and session_id.isalnum() and len(session_id) <= 64
        if not known or not await sessions.erase(session_id, tenant, ERASED):
            raise NotFound("no such session; a closed one is kept for a limited time")
        await places.vacate(tenant, session_id)
        return Response(status_code=204)

    return router
