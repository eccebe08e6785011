"""The web page: `/` and what lies below `/static/`. Files are read once, when the edge starts, and sent from
memory, compressed where that helps; a browser asks each time whether it has the newest."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response

from shared.errors import NotFound

FOLDER: Final = Path(__file__).parent / "static"
INDEX: Final = "index.html"

_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Only what this server sends runs or is drawn, nothing written into the page does, and text can't become
markup: the browser refuses whatever would make it that."""
_PAGE_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), display-capture=(self), geolocation=()",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    media_type: str
    content: bytes
    compressed: bytes
    tag: str


def web_router() -> APIRouter:
    """The page and its files. They need no API key: they hold nothing of anybody's."""
    assets = load_assets()
    router = APIRouter(include_in_schema=False)

    async def page(request: Request) -> Response:
        return _answer(request, assets[INDEX], _PAGE_HEADERS)

    async def file(request: Request, name: str) -> Response:
        if (asset := assets.get(name)) is None or name == INDEX:
            raise NotFound("no such file")
        # Pages of others may import the module (docs/sdk-js.md).
        return _answer(request, asset, {"Access-Control-Allow-Origin": "*"})

    router.add_api_route("/", page, methods=["GET", "HEAD"])
    router.add_api_route("/static/{name:path}", file, methods=["GET", "HEAD"])
    return router


def load_assets() -> dict[str, Asset]:
    """All files of the page by their paths below the folder."""
    found = (path for path in sorted(FOLDER.rglob("*")) if path.suffix in _TYPES)
    return {path.relative_to(FOLDER).as_posix(): _load(path) for path in found}


def _load(path: Path) -> Asset:
    content = path.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    return Asset(_TYPES[path.suffix], content, gzip.compress(content, mtime=0), tag)


def _answer(request: Request, asset: Asset, headers: Mapping[str, str]) -> Response:
    """The file; nothing when the browser has it already."""
    common = {
        "Cache-Control": "no-cache",
        "ETag": f"W/{asset.tag}",  # the same for both encodings
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        **headers,
    }
    known = request.headers.get("if-none-match", "").split(",")
    if asset.tag in (tag.strip().removeprefix("W/") for tag in known):
        return Response(status_code=304, headers=common)
    if "gzip" in request.headers.get("accept-encoding", ""):
        common["Content-Encoding"] = "gzip"
        return Response(asset.compressed, headers=common, media_type=asset.media_type)
    return Response(asset.content, headers=common, media_type=asset.media_type)
