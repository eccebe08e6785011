"""From the client's socket to Redis: audio converted and appended in its place, wishes marked behind it."""

import asyncio
import json
import logging
from typing import Any, Final, cast

from api.params import StreamParams
from shared.audio.convert import StreamConverter
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE
from shared.errors import BadMessage
from shared.events import Warning
from shared.redis.sessions import Mark, SessionLog

log = logging.getLogger(__name__)

CONTROLS: Final = ("finalize", "end", "keepalive")
_CHUNK_BYTES_MAX: Final = SAMPLE_RATE * SAMPLE_BYTES
"""One second: what is longer is cut, so that a worker starts on the first second of a burst at once."""
LAG_S_MAX: Final = 60.0
"""Audio that may be undecided before the edge stops reading the socket; above the longest utterance with
its wait."""
_LAG_LOOK_S: Final = 0.1


class Ingest:
    """One client's audio on its way in."""

    def __init__(self, session: str, params: StreamParams, log_: SessionLog) -> None:
        self._session = session
        self._log = log_
        self._converter: StreamConverter = params.converter()
        self._position = 0
        self._covered = 0
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether the client said that no more audio will come."""
        return self._ended

    def covered(self, sample: int) -> None:
        """A final said that all before `sample` is decided."""
        self._covered = max(self._covered, sample)

    async def audio(self, data: bytes) -> None:
        """Take a binary message. Waits while the workers are too far behind: the client's TCP window
        closes."""
        if self._ended:
            return
        await self._append(self._converter.push(data))

    async def control(self, text: str) -> None:
        """Take a text message. Raises `BadMessage`."""
        match _control(text):
            case "finalize":
                await self._log.mark(self._session, self._position, Mark.FINALIZE)
            case "end" if not self._ended:
                self._ended = True
                await self._finish()
            case _:  # keepalive, and an end that was said before
                pass

    async def _finish(self) -> None:
        rest = self._converter.rest_bytes
        await self._append(self._converter.flush())
        if rest:
            message = (
                f"the audio ended with {rest} bytes that are no whole sample; check encoding and channels"
            )
            await self._log.warn(self._session, Warning(code="audio_misaligned", message=message))
        await self._log.mark(self._session, self._position, Mark.END)

    async def _append(self, pcm16: bytes) -> None:
        for begin in range(0, len(pcm16), _CHUNK_BYTES_MAX):
            await self._wait_for_room()
            chunk = pcm16[begin : begin + _CHUNK_BYTES_MAX]
            await self._log.append(self._session, self._position, chunk)
            self._position += len(chunk) // SAMPLE_BYTES

    async def _wait_for_room(self) -> None:
        while self._position - self._covered > LAG_S_MAX * SAMPLE_RATE:
            # Silence is covered without an event, so the log is asked, not only the events.
            self.covered(await self._log.covered(self._session))
            if self._position - self._covered > LAG_S_MAX * SAMPLE_RATE:
                await asyncio.sleep(_LAG_LOOK_S)


def _control(text: str) -> str:
    try:
        message: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise BadMessage("text messages are JSON; audio goes in binary messages") from None
    kind = cast(dict[str, Any], message).get("type") if isinstance(message, dict) else None
    if kind not in CONTROLS:
        raise BadMessage(f"unknown message; a text message is a JSON object with type {', '.join(CONTROLS)}")
    return str(kind)
