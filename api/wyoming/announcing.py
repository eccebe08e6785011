"""Tells Home Assistant on the local network that the server is there, by zeroconf (mDNS, RFC 6762)."""

import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Final

from shared.errors import BadParameter

log = logging.getLogger(__name__)

SERVICE: Final = "_wyoming._tcp.local."
_MDNS: Final = ("224.0.0.251", 5353)
_ANY: Final = ("", "0.0.0.0", "::")


def check_announcing(name: str) -> None:
    """Raises `BadParameter` when there is a name to announce, and no package that could do it."""
    if name and find_spec("zeroconf") is None:
        raise BadParameter("STENO_WYOMING_NAME needs the package zeroconf: pip install 'steno[wyoming]'")


@asynccontextmanager
async def announced(name: str, host: str, port: int) -> AsyncGenerator[None]:
    """Announce meanwhile, under `name`; without one do nothing. A network that can't be told is logged, and
    served all the same."""
    if not name:
        yield
        return
    from zeroconf import Error
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

    address = _own_address() if host in _ANY else socket.gethostbyname(host)
    info = AsyncServiceInfo(SERVICE, f"{name}.{SERVICE}", addresses=[socket.inet_aton(address)], port=port)
    zeroconf = AsyncZeroconf(interfaces=[address])
    try:
        try:
            await zeroconf.async_register_service(info)
        except Error as error:  # among others, a name that is taken
            log.error("Wyoming is not announced as %r: %s", name, type(error).__name__)
        yield
    finally:
        await zeroconf.async_unregister_all_services()
        await zeroconf.async_close()


def _own_address() -> str:
    """The address that reaches the local network. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_MDNS)
        return str(probe.getsockname()[0])
