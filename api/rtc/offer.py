"""What a client offers, read from its SDP (RFC 8866, and JSEP's use of it, RFC 9429). Pure.

Of the many things that SDP can say, this reads what one audio stream and one data channel over one bundled
transport need, and refuses what can't be served with a sentence that says why.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.errors import BadRequest, NotAcceptable

OFFER_BYTES_MAX: Final = 64 * 1024
"""A browser's offer of one track and a channel has about 3 KB."""
MESSAGE_BYTES_MIN: Final = 16 * 1024
"""The smallest largest message of a client that is served: finals with the times of their words fit."""
_MEDIA_MAX: Final = 16
_CANDIDATES_MAX: Final = 32
_USUAL_MESSAGE_BYTES: Final = 64 * 1024
"""What holds for a client that says nothing (RFC 8841)."""
_OPUS: Final = "opus/48000/2"
_SETUPS: Final = ("actpass", "active", "passive")
_DIGESTS: Final = ("sha-256", "sha-384", "sha-512")
_ICE_WORD: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,32}")


@dataclass(slots=True)
class Section:
    """One `m=` line and what belongs to it."""

    kind: str
    port: int
    profile: str
    formats: tuple[str, ...]
    attributes: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def first(self, name: str) -> str | None:
        """The value of an attribute; empty for a flag, None where it is not said."""
        return next((value for said, value in self.attributes if said == name), None)

    def all(self, name: str) -> list[str]:
        """All its values."""
        return [value for said, value in self.attributes if said == name]

    @property
    def mid(self) -> str:
        """What the section is called."""
        return self.first("mid") or ""

    @property
    def is_offered(self) -> bool:
        """Whether the client wants it: a port of 0 says no, unless it goes over another section's port."""
        return self.port != 0 or self.first("bundle-only") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a client offers, as far as it is taken up."""

    sections: tuple[Section, ...]
    """All of them, in order: an answer has the same."""
    audio: Section
    payload_type: int
    """The number that RTP packets with Opus have."""
    data: Section
    sctp_port: int
    message_bytes_max: int
    """Longest message of the data channel that the client takes; 0: any."""
    ufrag: str
    password: str
    is_lite: bool
    fingerprints: tuple[tuple[str, str], ...]
    """Of the client's certificate: digest and value."""
    setup: str
    candidates: tuple[str, ...]


def read_offer(text: str) -> Offer:
    """Raises `BadRequest` for what is no offer, `NotAcceptable` for one that can't be served."""
    session, sections = _parsed(text)
    audio = _the_audio(sections)
    payload_type = _opus(audio)
    data = _the_data(sections)
    tagged = _bundled(session, audio, data)
    said = Section("session", 0, "", (), [*tagged.attributes, *session])
    ufrag, password = said.first("ice-ufrag") or "", said.first("ice-pwd") or ""
    if not _ICE_WORD.fullmatch(ufrag) or not _ICE_WORD.fullmatch(password) or len(password) < 22:
        raise BadRequest("the offer has no ice-ufrag and ice-pwd")
    fingerprints = tuple(_fingerprints(said))
    if not fingerprints:
        raise BadRequest(f"the offer has no fingerprint with one of {', '.join(_DIGESTS)}")
    setup = said.first("setup") or "actpass"
    if setup not in _SETUPS:
        raise BadRequest(f"setup must be one of {', '.join(_SETUPS)}")
    return Offer(
        sections=tuple(sections),
        audio=audio,
        payload_type=payload_type,
        data=data,
        sctp_port=_number(data.first("sctp-port"), "sctp-port", 65_535),
        message_bytes_max=_message_bytes(data),
        ufrag=ufrag,
        password=password,
        is_lite=said.first("ice-lite") is not None,
        fingerprints=fingerprints,
        setup=setup,
        candidates=tuple(tagged.all("candidate")[:_CANDIDATES_MAX]),
    )


def _parsed(text: str) -> tuple[list[tuple[str, str]], list[Section]]:
    if len(text.encode(errors="replace")) > OFFER_BYTES_MAX:
        raise BadRequest(f"an offer has at most {OFFER_BYTES_MAX} bytes")
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line]
    if not lines or lines[0] != "v=0" or any(line[1:2] != "=" for line in lines):
        raise BadRequest("the body is no SDP: lines are letter=value, the first v=0")
    session: list[tuple[str, str]] = []
    sections: list[Section] = []
    for line in lines:
        kind, value = line[0], line[2:]
        if kind == "m":
            sections.append(_section(value))
        elif kind == "a":
            name, _, said = value.partition(":")
            (sections[-1].attributes if sections else session).append((name, said.strip()))
    if len(sections) > _MEDIA_MAX:
        raise BadRequest(f"an offer has at most {_MEDIA_MAX} media sections")
    return session, sections


def _section(value: str) -> Section:
    words = value.split()
    if len(words) < 4 or not words[1].isdigit() or not _TOKEN.fullmatch(words[0]) or len(words) > 256:
        raise BadRequest("a media section of the offer is no 'm=kind port profile formats'")
    return Section(words[0], int(words[1][:5]), words[2], tuple(words[3:]))


def _the_audio(sections: Sequence[Section]) -> Section:
    found = [section for section in sections if section.kind == "audio" and section.is_offered]
    if not found:
        raise NotAcceptable("the offer has no audio: add the microphone's track before making it")
    if len(found) > 1:
        raise NotAcceptable(f"the offer has {len(found)} audio tracks; a session has one")
    (audio,) = found
    if any(audio.first(direction) is not None for direction in ("recvonly", "inactive")):
        raise NotAcceptable("the offer's audio track only receives; it has to send")
    if audio.first("rtcp-mux") is None:
        raise NotAcceptable("the offer's audio must have rtcp-mux")
    return audio


def _opus(audio: Section) -> int:
    for said in audio.all("rtpmap"):
        number, _, codec = said.partition(" ")
        if codec.strip().lower() == _OPUS and number in audio.formats and number.isdigit():
            return _number(number, "rtpmap", 127)
    raise NotAcceptable("the offer's audio has no Opus, and that is the only codec here")


def _the_data(sections: Sequence[Section]) -> Section:
    found = [section for section in sections if section.kind == "application" and section.is_offered]
    if len(found) != 1:
        raise NotAcceptable(
            "the offer has no data channel, which carries the text: create it before making the offer"
        )
    (data,) = found
    if not data.profile.endswith("DTLS/SCTP") or data.formats != ("webrtc-datachannel",):
        raise NotAcceptable("the offer's data channel must be UDP/DTLS/SCTP webrtc-datachannel")
    return data


def _bundled(session: Sequence[tuple[str, str]], audio: Section, data: Section) -> Section:
    """The section whose transport carries both."""
    mids = (audio.mid, data.mid)
    if audio.mid == data.mid or not all(_TOKEN.fullmatch(mid) for mid in mids):
        raise BadRequest("audio and data channel of the offer need a mid each")
    groups = [value.split() for name, value in session if name == "group"]
    bundle = next((group[1:] for group in groups if group[:1] == ["BUNDLE"]), [])
    if not set(mids) <= set(bundle):
        raise NotAcceptable("the offer must bundle audio and data channel (bundlePolicy)")
    return audio if bundle.index(audio.mid) < bundle.index(data.mid) else data


def _fingerprints(said: Section) -> Iterator[tuple[str, str]]:
    for value in said.all("fingerprint"):
        digest, _, hexes = value.partition(" ")
        if digest.lower() in _DIGESTS and re.fullmatch(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31,63}", hexes):
            yield digest.lower(), hexes


def _message_bytes(data: Section) -> int:
    said = data.first("max-message-size")
    if said is None:
        return _USUAL_MESSAGE_BYTES
    size = _number(said, "max-message-size", 2**53)
    if 0 < size < MESSAGE_BYTES_MIN:
        raise NotAcceptable(f"the data channel must take messages of {MESSAGE_BYTES_MIN} bytes")
    return size


def _number(value: str | None, name: str, most: int) -> int:
    if value is None or not (value.isascii() and value.isdigit()) or len(value) > 16 or int(value) > most:
        raise BadRequest(f"{name} of the offer must be a number up to {most}")
    return int(value)
