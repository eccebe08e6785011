"""Whose the sessions of the Wyoming port are. The protocol has no keys, so the operator says it."""

from ipaddress import ip_address

from api.keys import is_tenant
from shared.errors import BadParameter
from shared.settings import Settings


def check_tenant(settings: Settings) -> None:
    """Raises `BadParameter` where keys are asked for and the port would let in, without one,
    whoever reaches it over the network, unless the operator has said whose sessions these are."""
    tenant = settings.wyoming_tenant
    if tenant and not is_tenant(tenant):
        raise BadParameter("STENO_WYOMING_TENANT must be letters, digits, '.', '_' and '-', at most 64")
    if settings.api_keys.strip(" ,") and not tenant and not _is_loopback(settings.host):
        raise BadParameter(
            "STENO_API_KEYS does not protect STENO_WYOMING_PORT, whose protocol has no keys: set "
            "STENO_WYOMING_TENANT to let in everyone who reaches it as that tenant, or listen on 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
