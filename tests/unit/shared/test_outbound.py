"""Requests to addresses that clients name do not reach into the server's own network."""

import socket

import pytest

from shared.errors import BadParameter
from shared.outbound import is_host_allowed, is_public, pinned


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:53aa::1",
        "nonsense",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]:8000/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://[::ffff:127.0.0.1]/",
    ],
)
def test_loopback_in_any_spelling_is_refused_and_can_be_allowed(url: str) -> None:
    with pytest.raises(BadParameter, match="url"):
        pinned(url, name="url", private=False)
    if "[" not in url:
        assert pinned(url, name="url", private=True).url.startswith(
            ("http://127.0.0.1:80/", "http://[::1]:80/")
        )


@pytest.mark.parametrize("url", ["ftp://example.com", "http://", "file:///etc/passwd", "http://a b/", ""])
def test_what_is_no_http_address_is_refused(url: str) -> None:
    with pytest.raises(BadParameter):
        pinned(url, name="url", private=True)


def test_the_address_that_was_checked_is_the_one_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name whose next look-up would lead elsewhere makes no difference."""
    answers = iter(["93.184.215.14", "127.0.0.1"])

    def look_up(*_args: object, **_kwargs: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), 443))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    target = pinned("https://rebind.example/a?b=c", name="url", private=False)
    assert target.url == "https://93.184.215.14:443/a?b=c"
    assert target.headers == {"Host": "rebind.example"}
    assert target.extensions == {"sni_hostname": "rebind.example"}


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 80)) for a in ("93.184.215.14", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: rows)
    with pytest.raises(BadParameter, match="not public"):
        pinned("http://mixed.example/", name="url", private=False)


def test_hosts_are_allowed_by_name_or_below_a_domain() -> None:
    allowed = ["media.example.com", " *.example.org "]
    assert is_host_allowed("https://MEDIA.example.com./a", allowed)
    assert is_host_allowed("https://a.b.example.org:8443/a", allowed)
    for url in (
        "https://example.org/",
        "https://badexample.org/",
        "https://media.example.com.evil.net/",
        "x",
    ):
        assert not is_host_allowed(url, allowed)
    assert not is_host_allowed("https://media.example.com/", [])
