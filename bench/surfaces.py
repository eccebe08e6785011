"""How the load generator speaks on each live surface: audio out, and what comes back as native messages, so
that one report reads all of them. Pure.

A `Surface` is one session's. What it can't say is left out: a surface without tentative text has partials
that are committed to their end.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from bench.surface_deepgram import Deepgram
from bench.surface_wyoming import Wyoming

Message = dict[str, Any]
"""A native message."""


class Surface(Protocol):
    """One session's translation. A message is text or bytes, as it goes over the socket."""

    hangs_up: bool
    """Whether the client closes the connection, behind `closed`; else the server does."""

    def address(self, url: str, query: Mapping[str, str]) -> str:
        """Where to connect: a WebSocket, or `tcp://`. `url` is the native address, `query` its parameters."""
        ...

    def opening(self, query: Mapping[str, str]) -> list[str | bytes]:
        """What is sent once the connection is there."""
        ...

    def audio(self, pcm16: bytes) -> str | bytes:
        """What carries a chunk of audio."""
        ...

    def end(self) -> list[str | bytes]:
        """What is sent behind the last audio."""
        ...

    def received(self, data: str | bytes) -> list[Message]:
        """A message of the server as native ones; `ready` once audio may be sent, `closed` as the last."""
        ...


class Native:
    """`/v1/stream`."""

    hangs_up: bool = False

    def address(self, url: str, query: Mapping[str, str]) -> str:
        return f"{url}?{urlencode(query)}"

    def opening(self, query: Mapping[str, str]) -> list[str | bytes]:
        return []

    def audio(self, pcm16: bytes) -> str | bytes:
        return pcm16

    def end(self) -> list[str | bytes]:
        return [json.dumps({"type": "end"})]

    def received(self, data: str | bytes) -> list[Message]:
        return [json.loads(data)]


READY: Final[Message] = {
    "type": "ready",
    "token": "",
    "model": "",
    "limits": {"message_bytes_max": 0, "session_s_max": 0.0, "resume_s": 0.0},
}
"""Of a surface that says less; its `session` is to be added."""
SILENCE_MS: Final = 650
"""The pause that ends an utterance of the native surface when nothing else is asked for."""


class Realtime:
    """`/v1/realtime`, turns ended by the server as on the native surface."""

    hangs_up: bool = True

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._texts: dict[str, str] = {}
        self._times: dict[str, tuple[float, float]] = {}
        self._finals = 0
        self._is_ending = False
        self._is_answered = False
        """Whether an item was committed behind the end."""
        self._open: set[str] = set()

    def address(self, url: str, query: Mapping[str, str]) -> str:
        return url.removesuffix("/stream") + "/realtime?intent=transcription"

    def opening(self, query: Mapping[str, str]) -> list[str | bytes]:
        language = query.get("language", "auto")
        audio_input = {
            "format": {"type": "audio/pcm", "rate": int(query.get("sample_rate", "16000"))},
            "transcription": {} if language == "auto" else {"language": language},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": SILENCE_MS},
        }
        session = {"type": "transcription", "audio": {"input": audio_input}}
        return [json.dumps({"type": "session.update", "session": session})]

    def audio(self, pcm16: bytes) -> str | bytes:
        audio = base64.b64encode(pcm16).decode()
        return json.dumps({"type": "input_audio_buffer.append", "audio": audio})

    def end(self) -> list[str | bytes]:
        self._is_ending = True
        return [json.dumps({"type": "input_audio_buffer.commit"})]

    def received(self, data: str | bytes) -> list[Message]:
        event = json.loads(data)
        kind = str(event["type"]).removeprefix("input_audio_buffer.")
        if kind == "session.updated":
            return [READY | {"session": event["session"]["id"]}]
        if kind == "error":
            error = event["error"]
            return [{"type": "error", "code": str(error["code"]), "message": error["message"]}]
        if "item_id" not in event:
            return []
        return self._of_item(kind, event)

    def _of_item(self, kind: str, event: Message) -> list[Message]:
        item = event["item_id"]
        number = self._numbers.setdefault(item, len(self._numbers))
        told = {"utterance": number, "start": self._times.get(item, (0.0, 0.0))[0]}
        if kind == "committed":
            self._open.add(item)
            self._is_answered = self._is_ending
        elif kind == "speech_started":
            self._open.add(item)
            start = event["audio_start_ms"] / 1000
            self._times[item] = (start, start)
            return [{"type": "speech_start", "utterance": number, "start": start}]
        elif kind == "speech_stopped":
            end = event["audio_end_ms"] / 1000
            self._times[item] = (self._times[item][0], end)
            return [{"type": "speech_end", "utterance": number, "end": end, "reason": "silence"}]
        elif kind.endswith(".delta"):
            text = self._texts[item] = self._texts.get(item, "") + event["delta"]
            place = {"end": told["start"], "offset": 0, "committed": len(text)}
            return [{"type": "partial", "final": False, "text": text, **told, **place}]
        elif kind.endswith(".completed"):
            return self._completed(item, event["transcript"], told)
        return []

    def _completed(self, item: str, text: str, told: Message) -> list[Message]:
        self._finals += 1
        self._open.discard(item)
        place = {"end": self._times.get(item, (0.0, 0.0))[1], "offset": 0, "committed": len(text)}
        messages = [{"type": "final", "final": True, "text": text, **told, **place}]
        # The commit at the end ends the open turn, or makes an empty item.
        if self._is_answered and not self._open:
            messages.append({"type": "closed", "reason": "end", "duration": 0.0, "utterances": self._finals})
        return messages


SURFACES: Final[Mapping[str, Callable[[], Surface]]] = {
    "native": Native,
    "realtime": Realtime,
    "deepgram": Deepgram,
    "wyoming": Wyoming,
}
"""By the name that `--surface` takes."""
