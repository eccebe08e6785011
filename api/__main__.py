"""`python -m api`: the edge. The only place of the edge that reads settings."""

import logging
import signal
import socket
import sys

import uvicorn

from api.app import create_app
from api.stream import MESSAGE_BYTES_MAX
from shared.errors import BadParameter, StenoError
from shared.logs import configure
from shared.settings import Settings, load_settings

log = logging.getLogger("api")

_DRAIN_S = 5
"""How long open connections may finish after SIGTERM; live sessions reconnect elsewhere."""


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
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_DRAIN_S,
    )
    # uvicorn raises the signal that stopped it once more when it is done; an orderly stop is no death.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with listener:
        log.info("edge listens", extra={"host": settings.host, "port": settings.port})
        uvicorn.Server(config).run(sockets=[listener])


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
