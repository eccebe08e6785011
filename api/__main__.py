"""`python -m api`: the edge. The only place of the edge that reads settings."""

import logging
import signal
import socket
import sys
from typing import Final

import uvicorn

from api.app import create_app
from api.stream import MESSAGE_BYTES_MAX
from shared.errors import BadParameter, StenoError
from shared.logs import configure
from shared.settings import Settings, load_settings

log = logging.getLogger("api")

_DRAIN_S = 5
"""How long open connections may finish after SIGTERM; live sessions reconnect elsewhere."""

_KEEPALIVE: Final = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 30_000,
}
"""Seconds of quiet before the kernel asks, between its questions, how many; and milliseconds that what was
sent may wait to be taken. Where a system has no such option, its own times apply."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises `BadParameter` when the port is taken."""
    listener = _listen(settings)
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=MESSAGE_BYTES_MAX,
        # Audio does not shrink, and compressing each partial costs more than it saves.
        ws_per_message_deflate=False,
        # Pings keep proxies from closing an idle connection. Their answers are not waited for: they come
        # behind audio that is not read while workers are behind. The kernel notices who is gone.
        ws_ping_interval=20.0,
        ws_ping_timeout=None,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_DRAIN_S,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    _load_certificate(config)
    # uvicorn raises the signal that stopped it once more when it is done; an orderly stop is no death.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with listener:
        log.info("edge listens", extra={"host": settings.host, "port": settings.port})
        uvicorn.Server(config).run(sockets=[listener])


def _load_certificate(config: uvicorn.Config) -> None:
    """Raises `BadParameter` for files that are no certificate and its key."""
    try:
        config.load()
    except OSError as error:  # what TLS says is one, too
        raise BadParameter(
            f"STENO_TLS_CERT and STENO_TLS_KEY can't be used ({error.strerror or error}); "
            "both must be PEM files"
        ) from None


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _notice_the_dead(listener)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise BadParameter(
            f"can't listen on {settings.host} port {settings.port} ({reason}); set STENO_PORT"
        ) from None
    listener.set_inheritable(True)
    return listener


def _notice_the_dead(listener: socket.socket) -> None:
    """Connections accepted here fail when their client is silently gone, or does not read for long."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:
            listener.setsockopt(socket.IPPROTO_TCP, option, value)


def main() -> int:
    """Exit status 2 for what the operator can mend."""
    try:
        settings = load_settings()
        configure(settings.log_level)
        if not settings.redis_url:
            raise BadParameter("STENO_REDIS_URL is not set; 'steno up' starts an embedded server")
        serve(settings)
    except StenoError as error:
        sys.stderr.write(f"steno api: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
