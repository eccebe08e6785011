"""The audit log: who did what to which session or job, and when. Each deed is a line in the log of the edge
and an entry in Redis, which `GET /v1/audit` shows. Never text, audio, names of files or keys."""

import logging
import re
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import Caller, caller_of, calling, is_operator, needs_key
from shared.codec import to_map
from shared.errors import BadParameter
from shared.redis.audit import AuditStream, Deed
from shared.redis.connection import ConnectionLost

log = logging.getLogger("steno.audit")

_PLACE: Final = re.compile(r"[0-9]{1,15}-[0-9]{1,15}")
_LOOKING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PAGE_MAX: Final = 200
_STATE: Final = "made"


class Audit:
    """Writes deeds down."""

    def __init__(self, stream: AuditStream) -> None:
        self.stream = stream

    async def note(self, caller: Caller, action: str, ident: str, outcome: str) -> None:
        """One deed. That Redis can't be reached loses the entry, and not the line."""
        deed = Deed(tenant=caller.tenant, key=caller.id, action=action, id=ident, outcome=outcome)
        log.info("audit", extra={name: value for name, value in asdict(deed).items() if name != "at"})
        with suppress(*ConnectionLost):
            await self.stream.add(deed)

    async def session(self, tenant: str, action: str, ident: str, surface: str) -> None:
        """A deed of the connection that is served here."""
        caller = calling()
        if caller.tenant != tenant:  # Wyoming: no key, and a tenant of the operator's choice
            caller = Caller(tenant, caller.scopes, caller.key)
        await self.note(caller, f"session.{action}", ident, surface)


class AuditTrail:
    """ASGI middleware, behind the one that knows whose a request is: notes every request that changes
    something or is about one job, with its answer. Looks at lists and at the service are not noted."""

    def __init__(self, app: ASGIApp, *, audit: Audit) -> None:
        self._app = app
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not needs_key(scope["path"]):
            await self._app(scope, receive, send)
            return

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._note(scope, int(message["status"]))
            await send(message)

        await self._app(scope, receive, noting)

    async def _note(self, scope: Scope, status: int) -> None:
        path = str(getattr(scope.get("route"), "path", ""))
        ids: dict[str, Any] = scope.get("path_params") or {}
        ident = str(ids.get("job_id") or ids.get("session_id") or scope["state"].get(_STATE, ""))
        if not path or (scope["method"] in _LOOKING and not ident):
            return
        caller = caller_of(HTTPConnection(scope))
        await self._audit.note(caller, f"{scope['method']} {path}", ident[:64], str(status))


def made(request: Request, job_id: str) -> None:
    """The request has made a job, or got the one that its idempotency key stands for."""
    setattr(request.state, _STATE, job_id)


def audit_router(stream: AuditStream) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["audit"])

    @router.get("/v1/audit")
    async def audit(
        request: Request, limit: Annotated[int, Query(ge=1, le=_PAGE_MAX)] = 50, cursor: str = ""
    ) -> dict[str, Any]:
        """What was done, newest first: an operator sees all of it, others what their own keys did."""
        if cursor and not _PLACE.fullmatch(cursor):
            raise BadParameter("cursor must be the next_cursor of the page before", param="cursor")
        tenant = None if is_operator(request) else caller_of(request).tenant
        rows, place = await stream.before(cursor, limit, tenant=tenant)
        more = {"next_cursor": place} if place else {}
        return {"deeds": [to_map(deed) for _, deed in rows], **more}

    return router
