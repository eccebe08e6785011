"""How the load generator speaks Deepgram's protocol (`bench.surfaces`). Pure."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

Message = dict[str, Any]
SILENCE_MS = 650
"""The pause that ends an utterance of the native surface when nothing else is asked for."""


class Deepgram:
    """`/v1/listen`, with everything asked for that the native surface says by itself."""

    hangs_up: bool = False

    def __init__(self) -> None:
        self._finals = 0

    def address(self, url: str, query: Mapping[str, str]) -> str:
        """Where to connect."""
        language = query.get("language", "auto")
        asked = {
            "model": "nova-3",
            "language": "multi" if language == "auto" else language,
            "encoding": "linear16",
            "sample_rate": query.get("sample_rate", "16000"),
            "interim_results": "true",
            "vad_events": "true",
            "endpointing": str(SILENCE_MS),
        }
        return f"{url.removesuffix('/stream')}/listen?{urlencode(asked)}"

    def opening(self, query: Mapping[str, str]) -> list[str | bytes]:
        """A wish that changes nothing: its answer says that the server is there."""
        return [json.dumps({"type": "Configure"})]

    def audio(self, pcm16: bytes) -> str | bytes:
        """A chunk as it is."""
        return pcm16

    def end(self) -> list[str | bytes]:
        """No more audio."""
        return [json.dumps({"type": "CloseStream"})]

    def received(self, data: str | bytes) -> list[Message]:
        """A frame as native messages."""
        frame: Message = json.loads(data)
        match frame["type"]:
            case "ConfigureSuccess":
                limits = {"message_bytes_max": 0, "session_s_max": 0.0, "resume_s": 0.0}
                return [
                    {
                        "type": "ready",
                        "session": frame["request_id"],
                        "token": "",
                        "model": "",
                        "limits": limits,
                    }
                ]
            case "SpeechStarted":
                return [{"type": "speech_start", "utterance": self._finals, "start": frame["timestamp"]}]
            case "Results":
                return self._results(frame)
            case "Error":
                return [{"type": "error", "code": frame["variant"], "message": frame["description"]}]
            case "Metadata":
                told = {"duration": frame["duration"], "utterances": self._finals}
                return [{"type": "closed", "reason": "end", **told}]
            case _:
                return []

    def _results(self, frame: Message) -> list[Message]:
        text = frame["channel"]["alternatives"][0]["transcript"]
        end = frame["start"] + frame["duration"]
        told = {"utterance": self._finals, "start": frame["start"], "end": end, "text": text, "offset": 0}
        if not frame["is_final"]:
            return [{"type": "partial", "final": False, "committed": 0, **told}]
        if not text:
            return []
        messages: list[Message] = []
        if frame["speech_final"]:
            messages.append(
                {"type": "speech_end", "utterance": self._finals, "end": end, "reason": "silence"}
            )
        self._finals += 1
        return [*messages, {"type": "final", "final": True, "committed": len(text), **told}]
