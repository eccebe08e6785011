"""Every route of the edge, however deep it lies in routers."""

from collections.abc import Iterable, Iterator

from api.app import create_app
from shared.settings import Settings


def all_routes() -> list[tuple[str, str]]:
    """Method (`WS` for a WebSocket) and path, as in `("GET", "/v1/jobs/{job_id}")`. Nothing is connected."""
    app = create_app(Settings(redis_url="redis://127.0.0.1:1"))
    return sorted(set(_routes(app.routes)))


def _routes(routes: Iterable[object]) -> Iterator[tuple[str, str]]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _routes(inner.routes)
        else:
            path: str = getattr(route, "path", "")
            for method in getattr(route, "methods", None) or {"WS"}:
                yield method, path
