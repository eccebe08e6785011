"""Every error has a status and one JSON shape."""

import httpx
import pytest
from fastapi import FastAPI

from api import faults
from shared import errors
from shared.errors import StenoError

ALL = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, StenoError)]


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    faults.install(app)

    @app.get("/raise/{name}")
    async def raise_it(name: str) -> None:
        raise getattr(errors, name)("a sentence", retry_after_s=1.2)

    @app.get("/number/{n}")
    async def number(n: int) -> int:
        return n

    @app.get("/bug")
    async def bug() -> None:
        raise ZeroDivisionError("secret")

    return app


def client_of(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://edge")


def get(app: FastAPI, path: str, method: str = "GET") -> httpx.Response:
    import anyio

    async def go() -> httpx.Response:
        async with client_of(app) as client:
            return await client.request(method, path)

    return anyio.run(go)


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_every_error_has_a_status_of_its_blame(cls: type[StenoError]) -> None:
    status = faults.STATUS[cls.code]
    assert (400 <= status < 500) == (cls.blame == "client")
    assert faults.close_code_of(cls("x")) in (1008, 1009, 1011, 1013, 4001, 4002)


def test_a_steno_error_is_answered_in_the_one_shape(app: FastAPI) -> None:
    answer = get(app, "/raise/NoCapacity")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    own = {"code": "no_capacity", "message": "a sentence", "retryable": True}
    assert answer.json() == {"error": {**own, "type": "server_error", "param": None}}


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/nowhere", "GET", 404, "not_found"),
        ("/bug", "POST", 405, "method_not_allowed"),
        ("/number/x", "GET", 400, "bad_parameter"),
        ("/bug", "GET", 500, "internal"),
    ],
)
def test_the_framework_s_errors_have_the_same_shape(
    app: FastAPI, path: str, method: str, status: int, code: str
) -> None:
    answer = get(app, path, method)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert "secret" not in answer.text


def test_close_codes_say_whose_fault_it_was() -> None:
    assert faults.close_code_of(errors.BadParameter("x")) == 1008
    assert faults.close_code_of(errors.TooLarge("x")) == 1009
    assert faults.close_code_of(errors.NoCapacity("x")) == 1013
    assert faults.close_code_of(errors.EngineFault("x")) == 1011
    assert faults.close_code_of(errors.TakenOver("x")) == 4001
    assert faults.close_code_of(errors.MustResume("x")) == 4002
