"""What the operator says of WebRTC, checked. Knows nothing of aiortc, which may not be there."""

import ipaddress
import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from shared.errors import BadParameter
from shared.settings import Settings

_SERVER: Final = re.compile(r"(stun|turns?):[A-Za-z0-9.-]+(:[0-9]{1,5})?(\?transport=(udp|tcp))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class RtcOptions:
    """The settings of peers."""

    peers_max: int = 32
    connect_s: float = 15.0
    retry_after_s: float = 10.0
    """What clients are told that one too many sends away."""
    addresses: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    """STUN and TURN servers, as URIs (RFC 7064, RFC 7065)."""
    turn_user: str = ""
    turn_password: str = ""


def rtc_options(settings: Settings) -> RtcOptions:
    """Raises `BadParameter`."""
    servers = _parts(settings.rtc_servers)
    for server in servers:
        if not _SERVER.fullmatch(server) or (server.startswith("stun:") and "?" in server):
            raise BadParameter(
                "STENO_RTC_SERVERS must be stun:host[:port] or turn:host[:port][?transport=udp|tcp], with "
                "commas between"
            )
    kinds = [server[:4] for server in servers]
    if len(set(kinds)) < len(kinds):
        raise BadParameter("STENO_RTC_SERVERS must have at most one STUN and one TURN server")
    has_login = bool(settings.rtc_turn_user and settings.rtc_turn_password)
    if "turn" in kinds and not has_login:
        raise BadParameter("a TURN server needs STENO_RTC_TURN_USER and STENO_RTC_TURN_PASSWORD")
    addresses = _parts(settings.rtc_addresses)
    for address in addresses:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise BadParameter("STENO_RTC_ADDRESSES must be IP addresses, with commas between") from None
    return RtcOptions(
        peers_max=settings.rtc_peers_max,
        connect_s=settings.rtc_connect_s,
        retry_after_s=settings.queue_s,
        addresses=addresses,
        servers=servers,
        turn_user=settings.rtc_turn_user,
        turn_password=settings.rtc_turn_password,
    )


def check_rtc(settings: Settings) -> None:
    """Raises `BadParameter` for options that can't be, and when there is a port and no package for it."""
    rtc_options(settings)
    if settings.rtc_port and find_spec("aiortc") is None:
        raise BadParameter("STENO_RTC_PORT needs the package aiortc: pip install 'steno[rtc]'")


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
