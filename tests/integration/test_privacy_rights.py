"""What tenants can have deleted, how long their data is kept, and who did what."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect as dial

from shared.redis.connection import AsyncRedis, connect
from shared.redis.keys import AUDIT, Keys
from tests.support.data import DATA_DIR
from tests.support.live import RawSession
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio

CLIP = DATA_DIR / "en_years.ogg"
ALICE, BOB, ROOT = "alice-key-0123456", "bob-key-0123456", "root-key-0123456"
TENANTS = """
[tenant.alice]
session_ttl_s = 900
job_ttl_s = 1000
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    folder = tmp_path_factory.mktemp("privacy")
    file = folder / "tenants.toml"
    file.write_text(TENANTS)
    keys = f"alice:{ALICE},bob:{BOB},root:{ROOT}"
    settings = {"api_keys": keys, "operators": "root", "tenants_file": str(file), "origins": ""}
    with Service.running(folder, engine="scripted", **settings) as running:
        yield running
        assert ALICE not in running.log.read_text()


@pytest.fixture
async def server(own: Service) -> AsyncGenerator[AsyncRedis]:
    client = connect(own.redis_url)
    yield client
    await client.aclose()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@contextlib.asynccontextmanager
async def client_of(own: Service, key: str) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=own.url, headers=bearer(key), timeout=60) as http:
        yield http


@contextlib.asynccontextmanager
async def session_of(own: Service, key: str) -> AsyncGenerator[tuple[RawSession, str]]:
    async with dial(f"{own.ws_url}/v1/stream", additional_headers=bearer(key)) as socket:
        session = RawSession(socket)
        yield session, str((await session.until("ready"))["session"])


async def traces(server: AsyncRedis, ident: str, but: tuple[str, ...] = ()) -> list[str]:
    """Keys that are named by an id, or hold it."""
    found: list[str] = []
    async for key in server.scan_iter(count=1000):
        name = key.decode()
        if name in (AUDIT, *but):
            continue
        # The streams of a shard keep ids of entries that are deleted until the block around them is.
        is_shared = name.endswith((":sessions", ":windows", ":urgent")) and "tenant" not in name
        value: Any = str(await server.xrange(name)).encode() if is_shared else await server.dump(key)
        if ident in name or ident.encode() in (value or b""):
            found.append(name)
    return sorted(found)


async def test_a_session_is_deleted_while_it_is_spoken_in(own: Service, server: AsyncRedis) -> None:
    async with client_of(own, ALICE) as alice, client_of(own, BOB) as bob:
        async with session_of(own, ALICE) as (session, ident):
            await session.audio(spoken("en_years"))
            await session.until("speech_start")
            assert (await bob.delete(f"/v1/sessions/{ident}")).status_code == 404
            assert (await alice.delete(f"/v1/sessions/{ident}")).status_code == 204
            await session.until_closed()
            assert session.messages[-1]["code"] == "erased"
        assert (await alice.delete(f"/v1/sessions/{ident}")).status_code == 404
        async with asyncio.timeout(30):  # its worker lets go of it
            while True:
                if not await traces(server, ident):
                    break
                await asyncio.sleep(0.1)


async def test_a_closed_session_is_kept_as_its_tenant_has_it_and_deleted_at_once(
    own: Service, server: AsyncRedis
) -> None:
    for key, most in ((ALICE, 900), (BOB, 300)):
        async with session_of(own, key) as (session, ident):
            await session.say("end")
            assert (await session.until_closed())[0] == 1000
        names = Keys(1).session(ident)
        for name in (names.state, names.events):
            assert most - 100 < await server.ttl(name) <= most
        assert not await server.exists(names.audio)
        async with client_of(own, key) as http:
            assert (await http.delete(f"/v1/sessions/{ident}")).status_code == 204
        assert await traces(server, ident) == []


@pytest.mark.parametrize("wait", [True, False])
async def test_a_job_is_deleted_whatever_it_is_doing(own: Service, server: AsyncRedis, wait: bool) -> None:
    async with client_of(own, ALICE) as alice, client_of(own, BOB) as bob:
        files = {"file": ("diary.ogg", CLIP.read_bytes())}
        made = await alice.post("/v1/jobs", files=files, data={"idempotency_key": f"k{wait}"})
        ident = made.json()["id"]
        if wait:
            await _ended(alice, ident)
            ttl_s = await server.ttl(f"rq:job:{ident}")
            assert 900 < ttl_s <= 1000
        assert (await bob.delete(f"/v1/jobs/{ident}?erase=true")).status_code == 404
        async with asyncio.timeout(60):
            while True:
                answer = await alice.delete(f"/v1/jobs/{ident}?erase=true")
                if answer.status_code == 204:
                    break
                assert answer.status_code == 503, own.log.read_text()[-3000:]
        assert (await alice.get(f"/v1/jobs/{ident}/result")).status_code == 404
        assert (await alice.delete(f"/v1/jobs/{ident}?erase=true")).status_code == 204
        listed = (await alice.get("/v1/jobs")).text
        assert ident not in listed
        # All that is left says that it was cancelled, by its id alone.
        mark, record = Keys(1).job(ident).cancel, f"rq:job:{ident}"
        of_rq = {record, f"rq:results:{ident}", "rq:finished:steno-files"}
        async with asyncio.timeout(30):
            while True:
                left = set(await traces(server, ident))
                meta = await server.hget(record, "meta") or b""
                if left <= ({mark} if wait else {mark, *of_rq}) and b"diary" not in meta:
                    break
                await asyncio.sleep(0.1)
        for name in left - {"rq:finished:steno-files"}:
            assert await server.ttl(name) > 0
        assert await server.get(mark) == b"\nalice"
        assert 0 < await server.ttl(mark) <= 3600
        folder = Path(own.environment["STENO_DATA_DIR"]) / "jobs" / ident
        assert not folder.exists()


async def _ended(http: httpx.AsyncClient, ident: str) -> None:
    async with asyncio.timeout(60):
        while True:
            if (await http.get(f"/v1/jobs/{ident}")).json()["status"] == "finished":
                return
            await asyncio.sleep(0.05)


async def test_who_did_what_is_written_down_without_text_or_keys(own: Service) -> None:
    async with client_of(own, BOB) as bob, client_of(own, ALICE) as alice, client_of(own, ROOT) as root:
        async with session_of(own, BOB) as (_, session):
            pass
        job = (await bob.post("/v1/jobs", files={"file": ("secret-name.ogg", CLIP.read_bytes())})).json()[
            "id"
        ]
        await _ended(bob, job)
        await bob.get(f"/v1/jobs/{job}/result?format=txt")
        assert (await alice.get(f"/v1/jobs/{job}/result")).status_code == 404
        await bob.delete(f"/v1/jobs/{job}")
        own_deeds = (await bob.get("/v1/audit?limit=200")).json()["deeds"]
        about = [(d["action"], d["outcome"]) for d in own_deeds if d["id"] == job]
        assert ("POST /v1/jobs", "202") in about
        assert ("GET /v1/jobs/{job_id}/result", "200") in about
        assert about[0] == ("DELETE /v1/jobs/{job_id}", "204")
        assert ("session.open", session, "native") in [
            (d["action"], d["id"], d["outcome"]) for d in own_deeds
        ]
        assert {d["tenant"] for d in own_deeds} == {"bob"}
        assert {d["key"] for d in own_deeds} == {hashlib.sha256(BOB.encode()).hexdigest()[:12]}
        # Another's look at it is another's deed, and the operator sees both.
        everything = (await root.get("/v1/audit?limit=200")).json()["deeds"]
        looked = [d for d in everything if d["id"] == job and d["tenant"] == "alice"]
        assert [(d["action"], d["outcome"]) for d in looked] == [("GET /v1/jobs/{job_id}/result", "404")]
        text = str(everything)
        assert not [word for word in ("secret-name", BOB, ALICE) if word in text]
        first = (await root.get("/v1/audit?limit=2")).json()
        second = (await root.get(f"/v1/audit?limit=200&cursor={first['next_cursor']}")).json()
        assert [*first["deeds"], *second["deeds"]][: len(everything)] == everything[
            : len(first["deeds"]) + 200
        ]
        assert (await root.get("/v1/audit?cursor=0")).status_code == 400
