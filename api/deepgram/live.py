"""Deepgram's live protocol as a dialect: one session for the stream, or one for each of its channels. Pure,
but for the clock that it is given."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from api.deepgram import messages
from api.deepgram.channel import Channel
from api.deepgram.hearing import Coded, Decoded, DecodedAudio, Heard, RawAudio, Undecodable
from api.deepgram.query import Asked
from api.deepgram.shapes import Frame, Request, dumps, metadata
from api.dialect import Act, Audio, Close, End, Finalize, Open, Send
from shared.errors import BadAudio
from shared.events import Error, Event, Finalized, Ready

IDLE_S: Final = 10.0
"""A client that sends neither audio nor `KeepAlive` for so long is sent away."""
_NO_AUDIO: Final = Close(1011, "NET-0001")
_NO_ANSWER: Final = 1011, "NET-0000"
_NOT_AUDIO: Final = 1008, "DATA-0000"
_KEYTERMS: Final = (
    "CONFIGURE_KEYTERMS_NOT_SUPPORTED",
    "keyterms are given when the stream is opened, and hold for all of it",
)
_FEATURES: Final = (
    "CONFIGURE_INTERNAL_ERROR",
    "features are given when the stream is opened, and hold for all of it",
)


class DeepgramLive:
    """One connection of `WS /v1/listen`. `clock` gives seconds that never go back."""

    surface = "deepgram"
    idle_s = IDLE_S

    def __init__(
        self, asked: Asked, request: Request, *, clock: Callable[[], float], model: str = "", tenant: str = ""
    ) -> None:
        """`model` must decode; empty for any."""
        self._asked = asked
        self._request = request
        self._clock = clock
        self._config = replace(asked.config, model=model, tenant=tenant)
        self._sha256 = hashlib.sha256()
        self._audio: RawAudio | DecodedAudio | None = None
        self._channels: list[Channel] = []
        self._is_ended = False

    def begin(self) -> list[Act[str]]:
        """Open what can be opened before audio has come."""
        if self._asked.audio is not None:
            return self._open(RawAudio(self._asked.audio, split=self._asked.multichannel))
        if not self._asked.multichannel:
            return self._open(DecodedAudio(1))
        return []

    def received(self, message: Heard) -> list[Act[str]]:
        """Take a message. Whatever comes behind the end of the audio is ignored."""
        acts: list[Act[str]] = []
        if self._is_ended:
            return acts
        match message:
            case Undecodable(reason):
                acts = self._fault(BadAudio.code, reason, _NOT_AUDIO)
            case Coded(data):
                self._sha256.update(data)
            case Decoded(channels):
                acts = self._decoded(channels)
            case b"":
                acts = self._end()  # as clients of old end a stream
            case bytes():
                self._sha256.update(message)
                acts = self._raw(message)
            case str():
                acts = self._text(messages.read(message))
        return acts

    def said(self, key: int, seq: int, event: Event) -> list[Act[str]]:
        """Translate an event. `Metadata` and the close follow the last session's end."""
        if isinstance(event, Ready) and event.model:
            self._request = replace(self._request, model=event.model)
        if isinstance(event, Error):
            return self._fault(
                event.code, event.message, _NOT_AUDIO if event.code == BadAudio.code else _NO_ANSWER
            )
        acts = _sent(self._channels[key].said(event, self._request, self._clock()))
        if self._channels[key].is_closed and all(channel.is_closed for channel in self._channels):
            return acts + self._goodbye()
        return acts

    def idle(self) -> list[Act[str]]:
        """Send away who has said nothing for too long, and waits for nothing."""
        return [] if self._is_ended else [_NO_AUDIO]

    def _open(self, audio: RawAudio | DecodedAudio) -> list[Act[str]]:
        self._audio = audio
        self._channels = [Channel((number, audio.count), self._asked) for number in range(audio.count)]
        return [
            Open(key=number, config=self._config, audio=audio.session, is_admitted=number == 0)
            for number in range(audio.count)
        ]

    def _raw(self, data: bytes) -> list[Act[str]]:
        return self._heard(self._audio.push(data)) if isinstance(self._audio, RawAudio) else []

    def _decoded(self, channels: tuple[bytes, ...]) -> list[Act[str]]:
        opened = [] if self._audio else self._open(DecodedAudio(len(channels)))
        if not isinstance(self._audio, DecodedAudio):
            return []
        return opened + self._heard(self._audio.push(channels))

    def _heard(self, pieces: Sequence[bytes]) -> list[Act[str]]:
        acts: list[Act[str]] = [Audio(key, data) for key, data in enumerate(pieces) if data]
        sent_s, at_s = self._audio.sent_s if self._audio else 0.0, self._clock()
        for channel in self._channels:
            acts += _sent(channel.sent(sent_s, at_s))
        return acts

    def _text(self, message: messages.Message) -> list[Act[str]]:
        match message:
            case messages.KeepAlive():
                return self._heard(())
            case messages.Finalize(channel):
                return self._finalize(channel)
            case messages.CloseStream():
                return self._end()
            case messages.Configure():
                return [Send(dumps(self._configured(message)))]
            case messages.Unreadable(text, reason):
                return [Send(dumps(_error("SchemaError", reason, text)))]

    def _finalize(self, channel: int | None) -> list[Act[str]]:
        if not self._channels:  # no audio has come yet; it is answered all the same
            nothing = Finalized(number=0, covered=0.0, utterances=0)
            return _sent(Channel((0, 1), self._asked).said(nothing, self._request, self._clock()))
        if channel is not None and not 0 <= channel < len(self._channels):
            return [Send(dumps(_error("SchemaError", f"channel must be below {len(self._channels)}")))]
        return [Finalize(key) for key in range(len(self._channels)) if channel in (None, key)]

    def _configured(self, wish: messages.Configure) -> Frame:
        """A stream stays as it was opened: what changes nothing succeeds."""
        answer: dict[str, object] = {"type": "ConfigureSuccess", "request_id": self._request.id}
        failure: tuple[str, str] | None = None
        if wish.keyterms is not None:
            answer["keyterms"] = list(wish.keyterms)
            if wish.keyterms != self._asked.keyterms:
                failure = _KEYTERMS
        config = self._asked.config
        now = {"numerals": config.numerals == "digits", "profanity_filter": config.profanity == "mask"}
        if any(now.get(name, value) != value for name, value in wish.features):
            failure = failure or _FEATURES
        if failure is None:
            return answer
        code, description = failure
        return {
            "type": "ConfigureFailure",
            "request_id": self._request.id,
            "code": code,
            "description": description,
        }

    def _end(self) -> list[Act[str]]:
        self._is_ended = True
        if not self._channels:
            return self._goodbye()
        return [End(key) for key in range(len(self._channels))]

    def _goodbye(self) -> list[Act[str]]:
        duration = max((channel.duration_s for channel in self._channels), default=0.0)
        said = metadata(
            self._request,
            sha256=self._sha256.hexdigest(),
            duration=duration,
            channels=max(1, len(self._channels)),
        )
        return [Send(dumps({"type": "Metadata", **said})), Close(1000)]

    def _fault(self, code: str, message: str, close: tuple[int, str]) -> list[Act[str]]:
        self._is_ended = True
        return [Send(dumps(_error(code, message))), Close(*close)]


def _sent(frames: Iterable[Frame]) -> list[Act[str]]:
    return [Send(dumps(frame)) for frame in frames]


def _error(variant: str, description: str, message: str = "") -> Frame:
    return {"type": "Error", "variant": variant, "description": description, "message": message}
