"""Settings of WebRTC that can't be, each with a sentence; they need no package to be checked."""

import pytest

from api.rtc import options
from api.rtc.options import check_rtc, rtc_options
from shared.errors import BadParameter
from shared.settings import Settings


def test_what_can_be() -> None:
    servers = "stun:stun.example.com, turn:turn.example.com:3478?transport=tcp"
    found = rtc_options(
        Settings(
            rtc_servers=servers, rtc_turn_user="u", rtc_turn_password="p", rtc_addresses="203.0.113.7,::1"
        )
    )
    assert found.servers == ("stun:stun.example.com", "turn:turn.example.com:3478?transport=tcp")
    assert found.addresses == ("203.0.113.7", "::1")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"rtc_servers": "stun.example.com"}, "STENO_RTC_SERVERS"),
        ({"rtc_servers": "stun:a?transport=udp"}, "STENO_RTC_SERVERS"),
        ({"rtc_servers": "stun:a,stun:b"}, "at most one"),
        ({"rtc_servers": "turn:a"}, "STENO_RTC_TURN_USER"),
        ({"rtc_addresses": "example.com"}, "STENO_RTC_ADDRESSES"),
    ],
)
def test_what_can_not_be(settings: dict[str, str], says: str) -> None:
    with pytest.raises(BadParameter, match=says):
        check_rtc(Settings(**settings))


def test_a_port_without_the_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "find_spec", lambda name: None)
    check_rtc(Settings())
    with pytest.raises(BadParameter, match=r"pip install 'steno\[rtc\]'"):
        check_rtc(Settings(rtc_port=9000))
