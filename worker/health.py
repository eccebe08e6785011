"""What a worker says over HTTP on `STENO_METRICS_PORT`: its metrics, whether it lives, and whether it is fit
to take sessions. Served by threads of its own, so that it answers while the loop is busy."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.errors import BadParameter

Vitals = Mapping[str, float | None]
"""Figures of a worker, by their names in the answer; None: not known yet."""
State = Literal["loading", "ready", "draining"]

SILENT_S_MAX: Final = 5.0
"""Without a sign of the event loop for this long, a worker is not ready: its sessions are elsewhere."""


class Health:
    """What is known of this process. `beat` is called by its event loop once a second; without it a worker
    that has been ready is not any more."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._state: State = "loading"
        self._beat_at_s = clock()
        self._vitals: Vitals = {}

    def beat(self, vitals: Vitals) -> None:
        """The event loop goes round, and the engine is loaded. `vitals` are told with the readiness."""
        self._beat_at_s, self._vitals = self._clock(), vitals
        if self._state == "loading":
            self._state = "ready"

    def drain(self) -> None:
        """The worker takes no more."""
        self._state = "draining"

    def answer(self, path: str) -> tuple[HTTPStatus, bytes, str]:
        """Status, body and type of what is asked for."""
        if path == "/metrics":
            return HTTPStatus.OK, generate_latest(), CONTENT_TYPE_LATEST
        silent_s = self._clock() - self._beat_at_s
        body: dict[str, Any] = {"status": self._state}
        status = HTTPStatus.OK
        if path == "/readyz":
            if self._state == "ready" and silent_s > SILENT_S_MAX:
                body = {"status": "stalled", "silent_s": round(silent_s, 1)}
            if body["status"] != "ready":
                status = HTTPStatus.SERVICE_UNAVAILABLE
            body |= self._vitals
        elif path != "/healthz":
            status, body = HTTPStatus.NOT_FOUND, {"status": "no such page"}
        return status, json.dumps(body).encode(), "application/json"


def serve_health(health: Health, host: str, port: int) -> ThreadingHTTPServer:
    """Serve until the process ends, or `shutdown` is called. Raises `BadParameter` when the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            status, body, kind = health.answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a probe asks every few seconds."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        where = f"{host}:{port}"
        raise BadParameter(f"STENO_METRICS_PORT: {where} can't be listened on: {error.strerror}") from None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
