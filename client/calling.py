"""Requests to a server over HTTP, and in the client's errors why one has no answer."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from client.credentials import key_headers
from client.errors import BadReply, TimedOut, from_response, unanswered
from client.options import http_address
from shared.codec import CodecError, from_map

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """How long to wait, in seconds."""

    connect_s: float = 5.0
    """For a connection."""
    silence_s: float = 60.0
    """For the next bytes to be taken or given; a large upload may take longer in all."""
    job_s: float | None = None
    """For a job's end, in `wait`; None waits as long as it takes."""


class Caller:
    """One server. Close it with `aclose`."""

    def __init__(self, url: str, api_key: str | None, timeout: Timeout) -> None:
        self.address = http_address(url)
        self._http = httpx.AsyncClient(
            base_url=self.address,
            headers=key_headers(api_key),
            timeout=httpx.Timeout(timeout.silence_s, connect=timeout.connect_s),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def request(self, method: str, path: str, **content: Any) -> httpx.Response:
        """The answer. Raises `ConnectionLost`, `TimedOut`, or what the server said."""
        try:
            reply = await self._http.request(method, path, **content)
        except httpx.TimeoutException:
            raise TimedOut(f"no answer from {self.address} in time; try again") from None
        except httpx.TransportError as error:
            why = str(error) or "the connection broke"
            raise unanswered(self.address, why) from None
        _check(reply)
        return reply

    @asynccontextmanager
    async def streamed(self, path: str, *, headers: Mapping[str, str]) -> AsyncGenerator[httpx.Response]:
        """An answer that goes on and on. Raises what httpx raises, or what the server said."""
        async with self._http.stream("GET", path, headers=headers) as reply:
            if not reply.is_success:
                await reply.aread()
            _check(reply)
            yield reply


def parsed(cls: type[T], reply: httpx.Response, *, about: str) -> T:
    """The message in an answer. Raises `BadReply`."""
    try:
        return from_map(cls, json.loads(reply.content))
    except (CodecError, ValueError):
        raise BadReply(f"the server's answer about {about} can't be read; is this a Steno server?") from None


def _check(reply: httpx.Response) -> None:
    if not reply.is_success:
        raise from_response(reply.status_code, reply.content, retry_after=reply.headers.get("Retry-After"))
