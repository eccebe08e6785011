"""Which pages are let in, with keys and without, and what is refused looks like."""

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.origins import parse_origins
from shared.errors import BadParameter, Forbidden
from shared.settings import Settings

LOCAL, REACHABLE = "127.0.0.1:8000", "steno.example"

# Origin, Host, allowed, local, keys, let in
CASES = [
    (None, LOCAL, "", True, False, True),
    (None, "[::1]:8000", "", True, False, True),
    (None, "localhost:8000", "", True, False, True),
    (None, "evil.example:8000", "", True, False, False),
    ("http://evil.example:8000", "evil.example:8000", "", True, False, False),
    ("http://evil.example", LOCAL, "", True, False, False),
    ("null", LOCAL, "", True, False, False),
    (f"http://{LOCAL}", LOCAL, "", True, False, True),
    ("http://localhost:8000", "localhost:8000", "", True, False, True),
    ("http://localhost:3000", "localhost:8000", "", True, False, False),
    ("https://app.example", LOCAL, "https://app.example", True, False, True),
    (None, "app.example", "https://app.example", True, False, True),
    ("https://any.example", LOCAL, "*", True, False, True),
    (None, "evil.example", "", True, True, True),
    ("https://page.example", LOCAL, "", True, True, True),
    ("https://page.example", REACHABLE, "", False, True, True),
    ("https://page.example", REACHABLE, "https://app.example", False, True, False),
    ("https://app.example", REACHABLE, "https://b.example, https://app.example/", False, True, True),
    (f"https://{REACHABLE}", REACHABLE, "", False, False, True),
    ("https://page.example", REACHABLE, "", False, False, False),
    (None, REACHABLE, "", False, False, True),
]


@pytest.mark.parametrize(("origin", "host", "allowed", "local", "keys", "let_in"), CASES)
def test_pages(origin: str | None, host: str, allowed: str, local: bool, keys: bool, let_in: bool) -> None:
    headers = {"host": host} | ({"origin": origin} if origin is not None else {})
    origins = parse_origins(allowed, is_local=local)
    if let_in:
        origins.check(headers, has_keys=keys)
    else:
        with pytest.raises(Forbidden, match="STENO_ORIGINS"):
            origins.check(headers, has_keys=keys)


@pytest.mark.parametrize(
    "text", ["app.example", "https://", "https://a.example/path", "ok,https://a.example"]
)
def test_what_is_no_origin_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(BadParameter, match="STENO_ORIGINS"):
        parse_origins(text, is_local=False)


@pytest.mark.anyio
@pytest.mark.parametrize(("path", "inside"), [("/v1/jobs", '"forbidden"'), ("/v1/models", '"forbidden"'),
                                              ("/asr", "STENO_ORIGINS")])  # fmt: skip
async def test_a_strange_page_is_answered_in_the_shape_of_the_path(path: str, inside: str) -> None:
    app: FastAPI = create_app(Settings(redis_url="redis://127.0.0.1:1"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        refused = await http.post(path, headers={"Origin": "http://evil.example"})
        assert refused.status_code == 403
        assert inside in refused.text
        assert (await http.get("/healthz", headers={"Origin": "http://evil.example"})).status_code == 200


PAGE = "https://app.example"


def _client(redis_url: str, **settings: str) -> httpx.AsyncClient:
    app: FastAPI = create_app(Settings(redis_url=redis_url, **settings))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


async def _preflight(http: httpx.AsyncClient, origin: str) -> httpx.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "authorization, last-event-id",
    }
    return await http.options(f"/v1/jobs/{'0' * 32}", headers=asked)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "settings", [{"origins": PAGE}, {"origins": "*"}, {"api_keys": "tenant:" + "k" * 32}]
)
async def test_a_page_that_is_let_in_reads_its_answers(settings: dict[str, str], redis_url: str) -> None:
    """Also that a key is missing: preflights come without one."""
    async with _client(redis_url, **settings) as http:
        before = await _preflight(http, PAGE)
        assert before.status_code == 200
        assert before.headers["access-control-allow-origin"] == PAGE
        assert "DELETE" in before.headers["access-control-allow-methods"]
        assert before.headers["access-control-allow-headers"] == "authorization, last-event-id"
        answer = await http.post("/v1/jobs", headers={"Origin": PAGE})
        assert answer.status_code in (400, 401)
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "Origin" in answer.headers["vary"]
        assert "Retry-After" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers
        # Programs are told nothing of it, and what every page may read says so once.
        assert "access-control-allow-origin" not in (await http.post("/v1/jobs")).headers
        module = await http.get("/static/steno.js", headers={"Origin": PAGE})
        assert module.headers.get_list("access-control-allow-origin") == ["*"]


@pytest.mark.anyio
@pytest.mark.parametrize("settings", [{}, {"origins": "https://other.example"}])
async def test_a_strange_page_reads_nothing_and_is_stopped_before_it_asks(settings: dict[str, str]) -> None:
    async with _client("redis://127.0.0.1:1", **settings) as http:
        for answer in (
            await _preflight(http, PAGE),
            await http.post("/v1/jobs", headers={"Origin": PAGE}),
            await http.get("/v1/jobs", headers={"Origin": PAGE}),
        ):
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
