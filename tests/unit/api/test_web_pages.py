"""The files of the web page: what is sent with them, how large they are, and that they are whole."""

import gzip
import re

import anyio
import httpx
import pytest
from fastapi import FastAPI

from api import faults
from api.auth import needs_key
from api.web.pages import FOLDER, POLICY, load_assets, web_router
from shared.languages import LANGUAGES

BYTES_MAX = 200_000
ASSETS = load_assets()
IMPORT = re.compile(r'(?:from|import) "(\.{1,2}/[^"]+)"|new URL\("([^"]+\.js)", import')


def get(path: str, method: str = "GET", **headers: str) -> httpx.Response:
    app = FastAPI()
    faults.install(app)
    app.include_router(web_router())

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
            return await client.request(method, path, headers=headers)

    return anyio.run(ask)


def test_all_of_it_is_small() -> None:
    total = sum(len(asset.content) for asset in ASSETS.values())
    print(
        f"{total} bytes in {len(ASSETS)} files, {sum(len(a.compressed) for a in ASSETS.values())} compressed"
    )
    assert total <= BYTES_MAX


def test_the_page_comes_with_a_strict_policy() -> None:
    answer = get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<title>Steno</title>" in answer.text


def test_the_page_has_nothing_that_the_policy_forbids_and_loads_nothing_from_elsewhere() -> None:
    html = ASSETS["index.html"].content.decode()
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", html)
    for name, asset in ASSETS.items():
        text = asset.content.decode()
        addresses = set(re.findall(r"https?://[a-z][^\s\"'`]*", text))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://localhost"}, name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text), name


def test_all_modules_are_asked_for_at_once() -> None:
    """Otherwise the browser would find them one behind the other."""
    html = ASSETS["index.html"].content.decode()
    asked = set(re.findall(r'rel="modulepreload" href="static/([^"]+)"', html)) | {"app.js"}
    assert asked == {name for name in ASSETS if name.endswith(".js")} - {"steno/capture-worklet.js"}


def test_every_file_that_is_named_is_there() -> None:
    html = ASSETS["index.html"].content.decode()
    for name in re.findall(r'(?:href|src)="static/([^"]+)"', html):
        assert name in ASSETS
    for name, asset in ASSETS.items():
        for found in IMPORT.findall(asset.content.decode()):
            target = (FOLDER / name).parent / (found[0] or found[1])
            assert target.resolve().is_file(), f"{name} imports {target}"


@pytest.mark.parametrize("name", ["style/base.css", "steno.js", "steno/capture-worklet.js", "icon.svg"])
def test_files_are_sent_compressed_and_only_when_they_changed(name: str) -> None:
    plain = get(f"/static/{name}", **{"accept-encoding": "identity"})
    assert plain.content == ASSETS[name].content
    assert "content-encoding" not in plain.headers
    packed = get(f"/static/{name}", **{"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == gzip.decompress(ASSETS[name].compressed) == plain.content
    for tag in (plain.headers["etag"], f'"other", {plain.headers["etag"].removeprefix("W/")}'):
        again = get(f"/static/{name}", **{"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")


def test_others_may_import_the_module() -> None:
    answer = get("/static/steno.js")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize(
    "path", ["/static/", "/static/none.js", "/static/../pages.py", "/static/%2e%2e/pages.py"]
)
def test_what_is_not_of_the_page_is_not_found(path: str) -> None:
    answer = get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_the_page_needs_no_key() -> None:
    assert not needs_key("/")
    assert not any(needs_key(f"/static/{name}") for name in ASSETS)


def test_the_languages_of_the_page_are_those_that_are_served() -> None:
    text = ASSETS["common/languages.js"].content.decode()
    codes = " ".join(re.findall(r'^  "([a-z ]+)"', text, re.MULTILINE)).split()
    assert codes == list(LANGUAGES)
