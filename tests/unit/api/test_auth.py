"""API keys: every form in which clients send them, who is let in, and how keys change meanwhile."""

import hashlib
import logging
from pathlib import Path

import pytest

from api.auth import OPEN_PATHS, authenticate, chosen_subprotocol, needs_key
from api.keys import Keyholder, parse_keys
from api.scopes import check_scope, needed
from shared.errors import BadParameter, Forbidden, Unauthorized
from shared.settings import Settings
from tests.support.routes import all_routes

KEY, OTHER = "sk-test-0123456789", "acme-key-1"
RING = parse_keys(f" {KEY} , acme:{OTHER},acme:newer-key-2,")


@pytest.mark.parametrize(
    ("headers", "offered"),
    [
        ({"authorization": f"Bearer {KEY}"}, []),
        ({"authorization": f"bearer {KEY}"}, []),
        ({"authorization": f"Token {KEY}"}, []),
        ({"authorization": f"token  {KEY} "}, []),
        ({"api-key": KEY}, []),
        ({"x-api-key": KEY}, []),
        ({}, ["realtime", f"openai-insecure-api-key.{KEY}", "openai-organization.o"]),
        ({}, [f"openai-insecure-api-key.{KEY}", "realtime"]),
        ({}, ["token", KEY]),
        ({}, ["token", KEY, "x-deepgram-session-id", "a-b-c"]),
        ({}, ["bearer", KEY]),
        ({}, ["steno", f"steno-api-key.{KEY}"]),
        # In front of the server something has its own use of the header.
        ({"authorization": "Basic Zm9vOmJhcg==", "x-api-key": KEY}, []),
    ],
)
def test_a_key_is_found_in_every_place(headers: dict[str, str], offered: list[str]) -> None:
    assert authenticate(RING, headers, offered).tenant == ""


def test_the_name_of_a_key_is_the_tenant() -> None:
    for key in (OTHER, "newer-key-2"):
        assert authenticate(RING, {"authorization": f"Bearer {key}"}, []).tenant == "acme"


@pytest.mark.parametrize(
    ("headers", "offered"),
    [
        ({}, []),
        ({"authorization": KEY}, []),
        ({"authorization": "Bearer "}, []),
        ({"authorization": f"Basic {KEY}"}, []),
        ({"authorization": f"Bearer {KEY}x"}, []),
        ({"authorization": f"Bearer {KEY[:-1]}"}, []),
        ({"authorization": "Bearer \udcff\u20ac"}, []),
        ({"x-api-key": f"acme:{OTHER}"}, []),
        ({}, ["realtime", KEY]),
        ({}, [KEY, "token"]),
        ({}, ["realtime", "openai-insecure-api-key."]),
    ],
)
def test_all_else_is_refused_without_saying_the_key(headers: dict[str, str], offered: list[str]) -> None:
    with pytest.raises(Unauthorized) as refused:
        authenticate(RING, headers, offered)
    assert KEY not in str(refused.value)
    assert OTHER not in str(refused.value)


def test_without_keys_everyone_is_let_in() -> None:
    assert parse_keys("") is None
    with pytest.raises(BadParameter):
        parse_keys(" , ")
    assert authenticate(None, {"authorization": "Bearer whatever"}, []).tenant == ""


@pytest.mark.parametrize("text", ["short", "acme:short", "white space in it", "a/b+c=aaaaaa", ":0123456789x",
                                  ":sha256:" + "0" * 64, "acme:sha256:" + "g" * 64, "acme:sha256:00",
                                  "b d:0123456789", "x" * 201, "ok-key-12345,kéy-12345678"])  # fmt: skip
def test_keys_that_not_every_client_can_send_are_refused_at_the_start(text: str) -> None:
    with pytest.raises(BadParameter, match="STENO_API_KEYS") as refused:
        parse_keys(text)
    assert text not in str(refused.value)


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ([], None),
        (["realtime", f"openai-insecure-api-key.{KEY}"], "realtime"),
        ([f"openai-insecure-api-key.{KEY}", "realtime"], "realtime"),
        (["steno", f"steno-api-key.{KEY}"], "steno"),
        (["token", KEY, "x-deepgram-session-id"], "token"),
        (["bearer", KEY], "bearer"),
        ([f"steno-api-key.{KEY}"], None),
        ([KEY], None),
    ],
)
def test_no_subprotocol_that_holds_a_key_is_sent_back(offered: list[str], taken: str | None) -> None:
    assert chosen_subprotocol(offered) == taken


def test_a_key_may_be_given_as_its_digest_so_that_no_file_holds_it() -> None:
    digest = hashlib.sha256(OTHER.encode()).hexdigest()
    ring = parse_keys(f"acme:sha256:{digest}\nsha256:{hashlib.sha256(KEY.encode()).hexdigest().upper()}")
    assert ring is not None
    assert authenticate(ring, {"x-api-key": OTHER}, []).tenant == "acme"
    assert authenticate(ring, {"x-api-key": KEY}, []).tenant == ""
    with pytest.raises(Unauthorized):
        authenticate(ring, {"x-api-key": digest}, [])


def test_keys_change_with_their_file_and_a_broken_file_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys"
    file.write_text(f"acme:{OTHER}\n")
    keys = Keyholder(parse_keys(file.read_text()), file)
    assert keys.ring is not None
    before = keys.ring.fingerprint
    keys.look()
    assert keys.ring.fingerprint == before
    file.write_text(f"acme:{OTHER}\nacme:newer-key-2\n")
    keys.look()
    for key in (OTHER, "newer-key-2"):
        assert authenticate(keys.ring, {"x-api-key": key}, []).tenant == "acme"
    file.write_text("acme:newer-key-2")
    keys.look()
    with pytest.raises(Unauthorized):
        authenticate(keys.ring, {"x-api-key": OTHER}, [])
    after = keys.ring.fingerprint
    with caplog.at_level(logging.ERROR):
        for broken in ("", "acme:bad key", "\n,\n"):
            file.write_text(broken)
            keys.look()
        file.unlink()
        keys.look()
    assert keys.ring.fingerprint == after != before
    assert len(caplog.records) == 4
    assert "bad key" not in caplog.text


def test_without_a_file_no_key_changes() -> None:
    keys = Keyholder(None)
    keys.look()
    assert keys.ring is None


def test_settings_do_not_show_keys() -> None:
    settings = Settings(api_keys=f"acme:{OTHER}")
    assert OTHER not in repr(settings)


def test_every_route_but_the_open_ones_needs_a_key() -> None:
    paths = {path for _, path in all_routes()}
    assert "/v1/jobs/{job_id}" in paths
    assert {path for path in paths if not needs_key(path)} <= OPEN_PATHS | {
        "/docs/oauth2-redirect",
        "/static/{name:path}",
    }
    assert needs_key("/v1/anything")
    assert needs_key("/stream")
    assert needs_key("/static")
    assert needs_key("/nothing")


def test_operators_are_those_named_or_the_one_tenant_without_a_name() -> None:
    alone = parse_keys("first-0123456,second-0123456")
    named = parse_keys("alice:first-0123456,root:second-0123456,third-0123456", "root")
    nobody = parse_keys("alice:first-0123456,third-0123456")
    assert alone is not None
    assert named is not None
    assert nobody is not None
    assert (alone.operators, named.operators, nobody.operators) == ({""}, {"root"}, frozenset())


@pytest.mark.parametrize("keys", ["", "alice:first-0123456"])
def test_an_operator_without_a_key_is_refused(keys: str) -> None:
    with pytest.raises(BadParameter, match="STENO_OPERATORS: 'root'"):
        parse_keys(keys, "root")


def test_a_key_is_for_what_its_entry_says() -> None:
    ring = parse_keys("acme:first-0123456,acme/live:second-0123456,acme/files+read:third-0123456")
    assert ring is not None
    scopes = [
        sorted(key.scopes) for name in ("first", "second", "third") if (key := ring.owner(f"{name}-0123456"))
    ]
    assert scopes == [["files", "live", "read"], ["live"], ["files", "read"]]
    for wrong in (
        "acme/:first-0123456",
        "acme/all:first-0123456",
        "acme/live+:first-0123456",
        "/live:first-0123456",
    ):
        with pytest.raises(BadParameter):
            parse_keys(wrong)


def test_every_route_says_which_scope_it_is_for() -> None:
    for method, path in all_routes():
        if needs_key(path):
            assert needed(method, path) is not None, path
    assert needed("GET", "/v1/jobsandmore") is None


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("live", {("WS", "/v1/stream"), ("WS", "/v1/listen"), ("WS", "/v1/realtime"), ("GET", "/v1/models")}),
        ("files", {("POST", "/v1/jobs"), ("POST", "/v1/listen"), ("DELETE", "/v1/jobs/1"),
                   ("GET", "/v1/jobs/1"), ("POST", "/v1/audio/transcriptions"), ("GET", "/v1/models")}),
        ("read", {("GET", "/v1/jobs/1"), ("GET", "/v1/models")}),
        ("realtime", {("WS", "/v1/realtime")}),
    ],
)  # fmt: skip
def test_a_scope_lets_in_where_it_belongs_and_nowhere_else(scope: str, allowed: set[tuple[str, str]]) -> None:
    asked = [("WS", "/v1/stream"), ("WS", "/v1/listen"), ("WS", "/v1/realtime"), ("POST", "/v1/jobs"),
             ("POST", "/v1/listen"), ("DELETE", "/v1/jobs/1"), ("GET", "/v1/jobs/1"), ("GET", "/v1/models"),
             ("POST", "/v1/audio/transcriptions"), ("GET", "/v1/nothing"),
             ("POST", "/v1/realtime/client_secrets")]  # fmt: skip
    if scope == "live":
        allowed = allowed | {("POST", "/v1/realtime/client_secrets")}
    for method, path in asked:
        if (method, path) in allowed:
            check_scope({scope}, method, path)
        else:
            with pytest.raises(Forbidden):
                check_scope({scope}, method, path)
