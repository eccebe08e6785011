"""A voice assistant, as small as they come: it shows what you say while you say it, and says it back.

    python -m assistant.echo

and a browser at http://127.0.0.1:7860. `STT_BACKEND=remote STENO_URL=…` has a service decode; nothing else
changes. Where an assistant has something to say, `echo` is what to replace.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles

from assistant.engine import STTEngine
from client.errors import NotInstalled
from shared.errors import StenoError
from shared.logs import configure

try:
    from assistant.fastrtc import Heard, LiveHandler, Reply, rtc_stream
except NotInstalled as missing:
    if __name__ != "__main__":
        raise
    sys.stderr.write(f"{missing}\n")
    sys.exit(2)

STATIC: Final = Path(__file__).parent / "static"
_POLICY: Final = "default-src 'self'; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'"


async def echo(heard: Heard) -> AsyncGenerator[Any]:
    """The assistant's mind."""
    yield f"You said: {heard.text}"
    yield heard.audio


def make_app(engine: STTEngine, reply: Reply = echo, *, connections: int = 4) -> FastAPI:
    """The page, and the door for its WebRTC offers. The engine is made ready as the application starts, and
    closed as it ends."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        await asyncio.to_thread(engine.warmup)
        yield
        await asyncio.to_thread(engine.close)

    app = FastAPI(title="Steno echo", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    stream = rtc_stream(LiveHandler(engine, reply=reply), connections=connections)
    # Not `stream.mount`: that opens doors for telephones too.
    app.add_api_route("/webrtc/offer", stream.offer, methods=["POST"])

    @app.middleware("http")
    async def guard(request: Any, call_next: Any) -> Response:  # pyright: ignore[reportUnusedFunction]
        response: Response = await call_next(request)
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    app.mount("/", StaticFiles(directory=STATIC, html=True))
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C. Exit status 2 for what can be mended."""
    parser = argparse.ArgumentParser(description="A voice assistant that says back what it hears.")
    parser.add_argument("--host", default="127.0.0.1", help="browsers give no microphone to others over HTTP")
    parser.add_argument("--port", type=int, default=7860)
    options = parser.parse_args(arguments)
    configure("info")
    try:
        engine = STTEngine()
        engine.warmup()
    except StenoError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    print(f"http://{options.host}:{options.port}", flush=True)
    uvicorn.run(make_app(engine), host=options.host, port=options.port, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
