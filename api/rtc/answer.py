"""The SDP that answers an offer: its audio and its data channel over one transport, and all else declined.
Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from api.rtc.offer import Offer, Section

SCTP_PORT: Final = 5000
MESSAGE_BYTES_MAX: Final = 16 * 1024
"""What a client may send at once: its wishes are short."""
_DISCARD: Final = "IN IP4 0.0.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """This side of the transport."""

    id: int
    ufrag: str
    password: str
    candidates: Sequence[str]
    """As they stand behind `candidate:`."""
    fingerprints: Sequence[tuple[str, str]]
    is_client: bool
    """Whether this side opens the DTLS connection."""


def write_answer(offer: Offer, local: Local) -> str:
    """The answer, with all candidates: nothing is sent after it."""
    taken = [offer.audio, offer.data]
    mids = " ".join(section.mid for section in offer.sections if section in taken)
    lines = ["v=0", f"o=- {local.id} 1 {_DISCARD}", "s=-", "t=0 0", f"a=group:BUNDLE {mids}"]
    for section in offer.sections:
        if section is offer.audio:
            lines += _audio(offer) + _transport(local)
        elif section is offer.data:
            lines += _data(offer) + _transport(local)
        else:
            lines += _declined(section)
    return "".join(f"{line}\r\n" for line in lines)


def _audio(offer: Offer) -> list[str]:
    number = offer.payload_type
    return [
        f"m=audio 9 {offer.audio.profile} {number}",
        f"c={_DISCARD}",
        f"a=rtcp:9 {_DISCARD}",
        f"a=mid:{offer.audio.mid}",
        "a=recvonly",
        "a=rtcp-mux",
        f"a=rtpmap:{number} opus/48000/2",
        # Speech of one channel: half the bits, and nothing of the text. Silence is sent like all else, so
        # that an utterance ends when it is over.
        f"a=fmtp:{number} minptime=10;useinbandfec=1;usedtx=0;stereo=0;sprop-stereo=0",
    ]


def _data(offer: Offer) -> list[str]:
    return [
        f"m=application 9 {offer.data.profile} webrtc-datachannel",
        f"c={_DISCARD}",
        f"a=mid:{offer.data.mid}",
        f"a=sctp-port:{SCTP_PORT}",
        f"a=max-message-size:{MESSAGE_BYTES_MAX}",
    ]


def _transport(local: Local) -> list[str]:
    return [
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.password}",
        *(f"a=fingerprint:{digest} {value}" for digest, value in local.fingerprints),
        f"a=setup:{'active' if local.is_client else 'passive'}",
        *(f"a=candidate:{candidate}" for candidate in local.candidates),
        "a=end-of-candidates",
    ]


def _declined(section: Section) -> list[str]:
    lines = [f"m={section.kind} 0 {section.profile} {section.formats[0]}", f"c={_DISCARD}", "a=inactive"]
    return [*lines, f"a=mid:{section.mid}"] if section.mid else lines
