"""The announcement on the network: over loopback, and without the package."""

import socket

import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from api.wyoming import announcing
from api.wyoming.announcing import SERVICE, announced, check_announcing
from shared.errors import BadParameter

pytestmark = pytest.mark.anyio


async def test_it_is_found_while_it_lasts() -> None:
    async with announced("steno-test", "127.0.0.1", 10300):
        looking = AsyncZeroconf(interfaces=["127.0.0.1"])
        try:
            info = AsyncServiceInfo(SERVICE, f"steno-test.{SERVICE}")
            assert await info.async_request(looking.zeroconf, 20_000)
            assert info.port == 10300
            assert info.addresses == [socket.inet_aton("127.0.0.1")]
        finally:
            await looking.async_close()


async def test_without_a_name_nothing_is_said() -> None:
    async with announced("", "no such host", 1):
        pass
    check_announcing("")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "find_spec", lambda _name: None)
    with pytest.raises(BadParameter, match="STENO_WYOMING_NAME needs the package zeroconf"):
        check_announcing("steno")
