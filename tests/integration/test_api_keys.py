"""API keys and TLS over real sockets: who is let in on every route, and that tenants don't meet."""

import ssl
from collections.abc import Generator
from pathlib import Path
from typing import cast

import httpx
import pytest
import trustme
from websockets.asyncio.client import connect as dial
from websockets.exceptions import InvalidStatus

from api.auth import needs_key
from client import BadParameter, Jobs, NotFound, Resume, StreamOptions, Unauthorized, Watch, connect
from shared.codec import unpack
from shared.events import SessionConfig
from shared.jobs import JobOptions
from shared.redis.connection import connect as connect_redis
from shared.redis.keys import Keys
from tests.support.data import DATA_DIR
from tests.support.routes import all_routes
from tests.support.service import Service
from tests.support.watching import seen

pytestmark = pytest.mark.anyio

_CLIP = DATA_DIR / "en_years.ogg"
PLAIN, ALICE, BOB = "plain-key-0123456", "alice-key-0123456", "bob-key-0123456"
ROOT, SPEAKER, READER = "root-key-0123456", "speaker-key-0123456", "reader-key-0123456"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    folder = tmp_path_factory.mktemp("guarded")
    keys = f"{PLAIN},alice:{ALICE},alice/live:{SPEAKER},alice/read:{READER},bob:{BOB},root:{ROOT}"
    with Service.running(folder, engine="scripted", api_keys=keys, operators="root", origins="") as running:
        yield running
        log = running.log.read_text()
        assert not [key for key in (PLAIN, ALICE, BOB) if key in log]


ROUTES = [(method, path) for method, path in all_routes() if needs_key(path)]
OF_A_JOB = [(method, path) for method, path in ROUTES if "{job_id}" in path]
OF_A_SESSION = [(method, path) for method, path in ROUTES if "{session_id}" in path]
RESUMING = {"/v1/stream", "/stream"}
FRESH = {"/v1/listen", "/v1/realtime"}
"""Sockets on which a session is resumed, and those that know no sessions but their own."""
OF_A_PEER = {"/v1/rtc/{peer_id}"}
"""Tried in `test_rtc`, where peers are."""
OF_NOBODY = {"/v1/models/{name:path}"}
"""Paths with a parameter that is not somebody's."""


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/0/result", "/v1/nothing", "/stream", "/anything"])
def test_a_request_without_a_known_key_is_401(guarded: Service, path: str) -> None:
    for headers in ({}, bearer("nobody-0123456")):
        answer = httpx.get(guarded.url + path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthorized"
        assert answer.headers["www-authenticate"] == "Bearer"


def test_every_route_is_tried_with_anothers_key() -> None:
    """Whoever adds a route with an id in it has to say here whose it is."""
    assert len(OF_A_JOB) >= 7
    with_a_parameter = {path for _, path in ROUTES if "{" in path}
    assert with_a_parameter == {path for _, path in OF_A_JOB + OF_A_SESSION} | OF_A_PEER | OF_NOBODY
    assert {path for method, path in ROUTES if method == "WS"} == RESUMING | FRESH


async def test_every_route_without_a_key_is_401(guarded: Service) -> None:
    async with httpx.AsyncClient(base_url=guarded.url) as http:
        for method, path in ROUTES:
            if method == "WS":
                with pytest.raises(InvalidStatus) as refused:
                    await dial(guarded.ws_url + path)
                assert refused.value.response.status_code == 401
            else:
                assert (await http.request(method, path)).status_code == 401, path


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_what_tells_nothing_of_anybody_needs_no_key(guarded: Service, path: str) -> None:
    assert httpx.get(guarded.url + path).status_code == 200


@pytest.mark.parametrize("path", ["/v1/stream", "/stream", "/v1/nothing"])
@pytest.mark.parametrize("origin", [None, "http://page.example"])
async def test_an_upgrade_without_a_known_key_is_401(guarded: Service, path: str, origin: str | None) -> None:
    for offered in (None, ["steno", "steno-api-key.nobody-0123456"]):
        with pytest.raises(InvalidStatus) as refused:
            await dial(guarded.ws_url + path, subprotocols=offered, origin=origin)
        assert refused.value.response.status_code == 401
        assert b'"unauthorized"' in bytes(refused.value.response.body or b"")


async def test_without_keys_a_strange_page_is_403(service: Service) -> None:
    for path in ("/v1/stream", "/v1/realtime", "/v1/listen"):
        with pytest.raises(InvalidStatus) as refused:
            await dial(service.ws_url + path, origin="http://page.example")
        assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as tricked:  # its name leads here
        await dial("ws://page.example/v1/stream", host="127.0.0.1", port=service.port)
    assert tricked.value.response.status_code == 403


async def test_a_browser_sends_its_key_as_a_subprotocol(guarded: Service) -> None:
    offered = ["steno", f"steno-api-key.{ALICE}"]
    async with dial(guarded.ws_url + "/v1/stream", subprotocols=offered, origin="http://page.example") as ws:
        assert ws.subprotocol == "steno"
        assert '"ready"' in str(await ws.recv())
        await ws.send('{"type":"end"}')
        while '"closed"' not in str(await ws.recv()):
            pass


async def test_a_key_with_scopes_is_let_in_only_there(guarded: Service) -> None:
    async with httpx.AsyncClient(base_url=guarded.url) as http:
        for key, status in ((SPEAKER, 403), (READER, 200)):
            assert (await http.get("/v1/jobs", headers=bearer(key))).status_code == status
        refused = await http.post("/v1/jobs", headers=bearer(READER))
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
        assert "files" in refused.json()["error"]["message"]
    for path in ("/v1/stream", "/v1/listen", "/v1/realtime"):
        with pytest.raises(InvalidStatus) as closed:
            await dial(guarded.ws_url + path, additional_headers=bearer(READER))
        assert closed.value.response.status_code == 403
    async with dial(guarded.ws_url + "/v1/stream", additional_headers=bearer(SPEAKER)) as socket:
        assert '"ready"' in str(await socket.recv())


async def test_a_page_has_a_token_that_is_for_it_and_for_one_thing(guarded: Service) -> None:
    page = "https://page.example"
    async with httpx.AsyncClient(base_url=guarded.url) as http:
        made = await http.post("/v1/tokens", headers=bearer(ALICE), json={"origin": page})
        assert made.status_code == 201
        token = made.json()["token"]
        assert made.json() | {"token": "", "expires_at": 0} == {
            "token": "",
            "expires_at": 0,
            "scopes": ["live"],
            "origin": page,
        }
        offered = ["steno", f"steno-api-key.{token}"]
        for path in ("/v1/stream", "/v1/listen", "/v1/realtime"):
            async with dial(guarded.ws_url + path, subprotocols=offered, origin=page) as socket:
                assert socket.subprotocol == "steno"
            for origin in ("https://other.example", None):
                with pytest.raises(InvalidStatus) as refused:
                    await dial(guarded.ws_url + path, subprotocols=offered, origin=origin)
                assert refused.value.response.status_code == 403
        # It is no operator's, makes no others, and is for live sessions only.
        headers = bearer(token) | {"Origin": page}
        for path in ("/v1/tokens", "/v1/realtime/client_secrets", "/v1/jobs"):
            assert (await http.post(path, headers=headers, json={})).status_code == 403, path
        for wrong in ({"scopes": ["files"]}, {"scopes": ["live", "files"]}):
            assert (await http.post("/v1/tokens", headers=bearer(SPEAKER), json=wrong)).status_code == 403
        for wrong in (
            {"scopes": []},
            {"scopes": ["all"]},
            {"origin": "page"},
            {"expires_in_s": 901},
            {"x": 1},
        ):
            assert (await http.post("/v1/tokens", headers=bearer(ALICE), json=wrong)).status_code == 400


async def test_the_sdk_sends_its_key(guarded: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STENO_API_KEY", ALICE)
    async with Jobs(guarded.url) as jobs, connect(guarded.ws_url) as session:
        await jobs.list()
        await session.end()
        assert [event.type async for event in session][-1] == "closed"
    with pytest.raises(Unauthorized):
        async with connect(guarded.ws_url, api_key="nobody-0123456"):
            pass
    with pytest.raises(Unauthorized):
        async with Jobs(guarded.url, api_key="") as jobs:
            await jobs.list()
    with pytest.raises(BadParameter, match="key"):
        Jobs(guarded.url, api_key="two\nlines")


async def test_a_tenants_jobs_are_nobody_elses(guarded: Service) -> None:
    async with Jobs(guarded.url, api_key=ALICE) as alice, Jobs(guarded.url, api_key=BOB) as bob:
        job = await alice.submit(_CLIP, JobOptions(language="en"), key="same")
        theirs = await bob.submit(_CLIP, JobOptions(language="en"), key="same")
        assert theirs.id != job.id
        await alice.wait(job.id)
        assert job.id in [found.id for found in (await alice.list()).jobs]
        assert job.id not in [found.id for found in (await bob.list()).jobs]
        found = await bob.find("same")
        assert found is not None
        assert found.id == theirs.id
        for key in (BOB, PLAIN):
            await _sees_nothing_of(job.id, guarded.url, key)
        assert await alice.result(job.id, "txt")
        await bob.wait(theirs.id)


async def _sees_nothing_of(job_id: str, url: str, key: str) -> None:
    """All that can be asked about a job is answered as if there were none."""
    async with httpx.AsyncClient(base_url=f"{url}/v1/jobs", headers=bearer(key)) as http:
        nothing = await http.get(f"/{'0' * 32}")
        for method, path in OF_A_JOB:
            rest = path.removeprefix("/v1/jobs").format(job_id=job_id, delivery_id="msg_1")
            answer = await http.request(method, rest)
            assert (answer.status_code, answer.json()) == (404, nothing.json()), rest
        # Nor does it show where the listing could: by page, by state, by idempotency key.
        for query in ("", "?status=finished", "?idempotency_key=same", "?limit=200"):
            assert job_id not in (await http.get(query)).text


async def test_a_tenants_cancelled_job_is_nobody_elses(guarded: Service) -> None:
    async with Jobs(guarded.url, api_key=ALICE) as alice, Jobs(guarded.url, api_key=BOB) as bob:
        job = await alice.submit(_CLIP)
        await alice.remove(job.id)
        with pytest.raises(NotFound):
            await bob.status(job.id)


async def test_a_tenants_session_is_resumed_by_nobody_else(guarded: Service) -> None:
    async with connect(guarded.ws_url, api_key=ALICE, options=StreamOptions(), resume=Resume()) as session:
        asked = f"session={session.ready.session}&token={session.ready.token}&after=1"
        unknown = f"session={'0' * 32}&token={session.ready.token}&after=1"
        for path in sorted(RESUMING):
            said: list[str] = []
            for query in (asked, unknown):
                address = f"{guarded.ws_url}{path}?{query}"
                async with dial(address, additional_headers=bearer(BOB)) as thief:
                    said.append(str(await thief.recv()))
            assert '"not_found"' in said[0]
            assert said[0] == said[1]
        for path in sorted(FRESH):
            address = f"{guarded.ws_url}{path}?{asked}&encoding=linear16&sample_rate=16000"
            async with dial(address, additional_headers=bearer(BOB)) as other:
                await other.send("{}")
                assert session.ready.session not in str(await other.recv())
        async with httpx.AsyncClient(base_url=guarded.url, headers=bearer(BOB)) as http:
            for method, path in OF_A_SESSION:
                answers = [
                    await http.request(method, path.format(session_id=ident))
                    for ident in (session.ready.session, "0" * 32, "x*y")
                ]
                assert [answer.status_code for answer in answers] == [404] * 3
                assert len({answer.text for answer in answers}) == 1
        await session.end()
        assert [event.type async for event in session][-1] == "closed"


async def test_a_tenant_sees_its_own_sessions_and_nothing_of_others_an_operator_all(guarded: Service) -> None:
    async with connect(guarded.ws_url, api_key=ALICE) as session:
        short = session.ready.session[:8]
        async with Watch(guarded.url, api_key=ROOT) as root:
            found = await seen(root, lambda system: short in [row.id for row in system.sessions])
        (row,) = [row for row in found.sessions if row.id == short]
        assert (found.scope, row.tenant) == ("all", "alice")
        assert found.fleet is not None
        assert found.fleet.workers
        async with Watch(guarded.url, api_key=ALICE) as alice:
            own = await alice.look()
        assert (own.scope, own.fleet, own.sessions_total) == ("tenant", None, len(own.sessions))
        assert {(row.tenant, row.worker) for row in own.sessions} == {("alice", None)}
        async with httpx.AsyncClient() as http:
            for key in (BOB, PLAIN):
                text = (await http.get(f"{guarded.url}/v1/system", headers=bearer(key))).text
                assert not [word for word in (short, "alice", "fleet", "worker") if word in text]
            assert (await http.get(f"{guarded.url}/v1/system")).status_code == 401


async def test_a_session_has_the_tenant_of_its_key(guarded: Service) -> None:
    redis = connect_redis(guarded.redis_url)
    try:
        async with connect(guarded.ws_url, api_key=BOB) as session:
            state = Keys(1).session(session.ready.session).state
            config = unpack(SessionConfig, cast(bytes, await redis.hget(state, "config")))
            assert config.tenant == "bob"
    finally:
        await redis.aclose()


def test_over_tls_http_and_websocket_speak_with_who_trusts_the_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from client.cli.dev_cert import dev_cert

    dev_cert(names=["steno.example"], out=tmp_path / "tls")
    cert, key, ca = (tmp_path / "tls" / name for name in ("cert.pem", "key.pem", "ca.pem"))
    assert key.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    with Service.running(
        tmp_path, modules=("api",), engine="scripted", tls_cert=str(cert), tls_key=str(key)
    ) as running:
        url = running.url.replace("http://", "https://")
        assert httpx.get(f"{url}/healthz").status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/healthz", verify=ssl.create_default_context(cafile=_other_authority(tmp_path)))
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{running.url}/healthz")


def _other_authority(folder: Path) -> str:
    path = folder / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return str(path)
