"""What is read from an SDP offer, what it is answered with, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.rtc.answer import Local, write_answer
from api.rtc.offer import OFFER_BYTES_MAX, read_offer
from shared.errors import BadRequest, NotAcceptable

PRINT = ":".join(["A1"] * 32)
TRANSPORT = f"""a=ice-ufrag:abcd
a=ice-pwd:0123456789abcdefghijklmn
a=fingerprint:sha-256 {PRINT}
a=setup:actpass
"""
AUDIO = f"""m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0
c=IN IP4 0.0.0.0
a=candidate:1 1 udp 2113937151 3f2c.local 50000 typ host
a=mid:0
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtpmap:63 red/48000/2
a=rtpmap:0 PCMU/8000
{TRANSPORT}"""
DATA = f"""m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=mid:1
a=sctp-port:5000
a=max-message-size:262144
{TRANSPORT}"""
VIDEO = AUDIO.replace("m=audio 9", "m=video 9").replace("a=mid:0", "a=mid:2")
HEAD = """v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
"""
OFFER = f"{HEAD}a=group:BUNDLE 0 1\n{AUDIO}{DATA}"
LOCAL = Local(
    id=7,
    ufrag="own",
    password="secret",
    candidates=["1 1 udp 5 127.0.0.1 9000 typ host"],
    fingerprints=[("sha-256", PRINT)],
    is_client=True,
)


def test_an_offer_is_read_and_answered_section_by_section() -> None:
    offer = read_offer(OFFER.replace("\n", "\r\n"))
    assert (offer.payload_type, offer.sctp_port, offer.message_bytes_max) == (111, 5000, 262_144)
    assert (offer.ufrag, offer.setup, offer.fingerprints) == ("abcd", "actpass", (("sha-256", PRINT),))
    assert offer.candidates == ("1 1 udp 2113937151 3f2c.local 50000 typ host",)
    answer = write_answer(offer, LOCAL)
    lines = answer.split("\r\n")
    assert [line for line in lines if line.startswith("m=")] == [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    ]
    assert "a=recvonly" in lines
    assert lines.count("a=setup:active") == 2
    assert lines.count("a=candidate:1 1 udp 5 127.0.0.1 9000 typ host") == 2
    assert "a=group:BUNDLE 0 1" in lines


def test_video_is_declined_and_the_rest_is_served() -> None:
    text = OFFER.replace("BUNDLE 0 1", "BUNDLE 0 2 1").replace(DATA, VIDEO + DATA)
    answer = write_answer(read_offer(text), LOCAL)
    assert "m=video 0 UDP/TLS/RTP/SAVPF 111\r\n" in answer
    assert "a=group:BUNDLE 0 1\r\n" in answer


def test_a_transport_may_be_said_for_the_whole_and_audio_may_come_second() -> None:
    bare = OFFER.replace(TRANSPORT, "").replace("BUNDLE 0 1", "BUNDLE 1 0\n" + TRANSPORT.rstrip())
    assert read_offer(bare).ufrag == "abcd"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (AUDIO, "", "no audio"),
        ("m=audio 9", "m=audio 0", "no audio"),
        (DATA, AUDIO.replace("a=mid:0", "a=mid:2") + DATA, "2 audio tracks"),
        ("a=sendrecv", "a=recvonly", "only receives"),
        ("a=sendrecv", "a=inactive", "only receives"),
        ("a=rtcp-mux\n", "", "rtcp-mux"),
        ("a=rtpmap:111 opus/48000/2\n", "", "no Opus"),
        ("opus/48000/2", "opus/16000/1", "no Opus"),
        ("SAVPF 111 63 0", "SAVPF 0", "no Opus"),
        (DATA, "", "no data channel"),
        ("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000", "webrtc-datachannel"),
        ("a=group:BUNDLE 0 1\n", "", "bundle"),
        ("BUNDLE 0 1", "BUNDLE 0", "bundle"),
        ("a=max-message-size:262144", "a=max-message-size:1000", "messages of"),
    ],
)
def test_what_leaves_nothing_to_agree_on_is_not_acceptable(old: str, new: str, says: str) -> None:
    assert old in OFFER
    with pytest.raises(NotAcceptable, match=says):
        read_offer(OFFER.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (OFFER, "", "no SDP"),
        (OFFER, "hello", "no SDP"),
        (OFFER, '{"type":"offer"}', "no SDP"),
        (OFFER, "v=0\r\n\0\0\0", "no SDP"),
        ("m=audio 9", "m=audio nine", "media section"),
        ("m=audio 9", "m=au<dio 9", "media section"),
        ("a=ice-ufrag:abcd\n", "", "ice-ufrag"),
        ("a=ice-pwd:0123456789abcdefghijklmn\n", "a=ice-pwd:short\n", "ice-pwd"),
        ("a=ice-ufrag:abcd\n", "a=ice-ufrag:a b\n", "ice-ufrag"),
        ("a=fingerprint:sha-256", "a=fingerprint:md5", "fingerprint"),
        (PRINT, "zz", "fingerprint"),
        ("a=setup:actpass", "a=setup:holdconn", "setup"),
        ("a=mid:1", "a=mid:0", "mid"),
        ("a=mid:0\n", "", "mid"),
        ("a=sctp-port:5000", "a=sctp-port:70000", "sctp-port"),
        ("a=sctp-port:5000\n", "", "sctp-port"),
        ("262144", "9" * 40, "max-message-size"),
        ("t=0 0\n", "t=0 0\n" + "a=x\n" * (OFFER_BYTES_MAX // 4), "at most"),
        (DATA, DATA + VIDEO * 17, "at most"),
    ],
)
def test_what_is_no_offer_is_a_bad_request(old: str, new: str, says: str) -> None:
    assert old in OFFER
    with pytest.raises(BadRequest, match=says) as refused:
        read_offer(OFFER.replace(old, new))
    assert refused.value.code == "bad_request"


@given(st.data())
def test_whatever_is_changed_it_is_read_or_refused(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(OFFER)))
    length = data.draw(st.integers(0, 40))
    text = OFFER[:place] + data.draw(st.text(max_size=20)) + OFFER[place + length :]
    try:
        answer = write_answer(read_offer(text), LOCAL)
    except BadRequest:
        return
    assert "\n\n" not in answer.replace("\r", "")
    assert all(line[1] == "=" for line in answer.split("\r\n") if line)
