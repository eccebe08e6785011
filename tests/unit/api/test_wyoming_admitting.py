"""Who may use the Wyoming port where others need keys."""

import pytest

from api.dialect import Open
from api.wyoming.admitting import check_tenant
from api.wyoming.catalog import Catalog
from api.wyoming.dialect import WyomingDialect
from api.wyoming.framing import WyomingEvent
from shared.errors import BadParameter
from shared.settings import Settings


@pytest.mark.parametrize(
    ("host", "keys", "tenant"),
    [
        ("0.0.0.0", "", ""),
        ("0.0.0.0", " ,", ""),
        ("0.0.0.0", "home:a-key-of-home", "home"),
        ("127.0.0.1", "a-key-of-mine", ""),
        ("localhost", "a-key-of-mine", ""),
        ("::1", "a-key-of-mine", "home"),
    ],
)
def test_the_port_is_opened_where_nobody_gets_past_the_keys_unasked(
    host: str, keys: str, tenant: str
) -> None:
    check_tenant(Settings(host=host, api_keys=keys, wyoming_tenant=tenant))


@pytest.mark.parametrize(
    ("host", "keys", "tenant", "says"),
    [
        ("0.0.0.0", "a-key-of-mine", "", "STENO_WYOMING_TENANT"),
        ("::", "a-key-of-mine", "", "STENO_WYOMING_TENANT"),
        ("192.168.1.2", "home:a-key-of-home", "", "127.0.0.1"),
        ("steno.example.com", "a-key-of-mine", "", "127.0.0.1"),
        ("127.0.0.1", "", "a b", "STENO_WYOMING_TENANT must be"),
    ],
)
def test_else_the_operator_is_asked_whose_sessions_these_are(
    host: str, keys: str, tenant: str, says: str
) -> None:
    with pytest.raises(BadParameter, match=says) as error:
        check_tenant(Settings(host=host, api_keys=keys, wyoming_tenant=tenant))
    assert "a-key" not in str(error.value)


def test_sessions_are_the_tenant_s() -> None:
    dialect = WyomingDialect(Catalog("tiny.en"), tenant="home")
    for asked in ({}, {"language": "de"}):
        dialect.received(WyomingEvent("transcribe", asked))
        form = {"rate": 16000, "width": 2, "channels": 1}
        (opened, *_) = dialect.received(WyomingEvent("audio-chunk", form, b"\0" * 640))
        assert isinstance(opened, Open)
        assert opened.config.tenant == "home"
        dialect.received(WyomingEvent("audio-stop"))
