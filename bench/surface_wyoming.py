"""How the load generator speaks Wyoming (`bench.surfaces`): the whole program as one utterance of a
client, since its end is the client's to say. Pure.

The protocol says nothing of times. What a chunk brings does not change any more, so that chunks are committed
text; at the end of a sentence they are a final.
"""

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from api.wyoming.framing import Deframer, WyomingEvent, to_bytes

Message = dict[str, Any]
_SENTENCE_ENDS = (".", "!", "?", "…")


class Wyoming:
    """The TCP port `port` of the service, which is that of the address where nothing else is said."""

    hangs_up: bool = True

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._deframer = Deframer()
        self._form: Mapping[str, int] = {}
        self._text = ""
        """What was said since the last final."""
        self._all = ""
        self._finals = 0

    def address(self, url: str, query: Mapping[str, str]) -> str:
        """Where to connect."""
        parts = urlsplit(url)
        return f"tcp://{parts.hostname}:{self._port or parts.port}"

    def opening(self, query: Mapping[str, str]) -> list[str | bytes]:
        """What the utterance is to be heard with; the answer to `ping` says that the server is there."""
        language = query.get("language", "auto")
        self._form = {"rate": int(query.get("sample_rate", "16000")), "width": 2, "channels": 1}
        asked = {} if language == "auto" else {"language": language}
        events = (
            WyomingEvent("ping", {"text": "ready"}),
            WyomingEvent("transcribe", asked),
            WyomingEvent("audio-start", self._form),
        )
        return [to_bytes(event) for event in events]

    def audio(self, pcm16: bytes) -> str | bytes:
        """A chunk."""
        return to_bytes(WyomingEvent("audio-chunk", self._form, pcm16))

    def end(self) -> list[str | bytes]:
        """No more audio."""
        return [to_bytes(WyomingEvent("audio-stop"))]

    def received(self, data: str | bytes) -> list[Message]:
        """Bytes, cut anywhere, as native messages."""
        assert isinstance(data, bytes)
        return [message for event in self._deframer.push(data) for message in self._of(event)]

    def _of(self, event: WyomingEvent) -> list[Message]:
        messages: list[Message] = []
        match event.type:
            case "pong":
                limits = {"message_bytes_max": 0, "session_s_max": 0.0, "resume_s": 0.0}
                messages = [{"type": "ready", "session": "", "token": "", "model": "", "limits": limits}]
            case "transcript-chunk":
                messages = self._chunk(str(event.data["text"]))
            case "error":
                messages = [_error(str(event.data["code"]), str(event.data["text"]))]
            case "transcript" if event.data["text"] != self._all:
                messages = [_error("wrong", "the chunks are not the transcript")]
            case "transcript":
                messages = self._final()
            case "transcript-stop":
                told = {"duration": 0.0, "utterances": self._finals}
                messages = [{"type": "closed", "reason": "end", **told}]
            case _:
                pass
        return messages

    def _chunk(self, text: str) -> list[Message]:
        is_new = text[:1].isspace() and self._text.endswith(_SENTENCE_ENDS)
        messages = self._final() if is_new else []
        self._all += text
        self._text = (self._text + text).lstrip()
        told = self._told()
        return [*messages, {"type": "partial", "final": False, **told}]

    def _final(self) -> list[Message]:
        if not self._text:
            return []
        message = {"type": "final", "final": True, **self._told()}
        self._finals, self._text = self._finals + 1, ""
        return [message]

    def _told(self) -> Message:
        return {
            "utterance": self._finals,
            "text": self._text,
            "start": math.nan,
            "end": math.nan,
            "committed": len(self._text),
            "offset": 0,
        }


def _error(code: str, message: str) -> Message:
    return {"type": "error", "code": code, "message": message}
