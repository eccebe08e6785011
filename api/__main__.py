"""`python -m api`: the edge. The only place of the edge that reads settings."""

import gc

# What is imported stays: looking for cycles in it takes a fifth of the CPU time until the edge listens.
# `serve` turns that on.
gc.disable()

import logging
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import uvicorn

from api.app import create_app
from api.keys import parse_keys
from api.listening import listen
from api.openai.models import parse_aliases
from api.origins import parse_origins
from api.rtc.options import check_rtc, rtc_options
from api.socket_limits import LARGEST_BYTES, LimitedProtocol, PatientProtocol
from api.tenants import tenants_of
from api.wyoming.admitting import check_tenant
from api.wyoming.announcing import check_announcing
from shared.errors import BadParameter, StenoError
from shared.logs import configure
from shared.redis.connection import jobs_address
from shared.settings import Check, Settings, check_open, check_redis_is_given, load_settings
from shared.traces import check_traces
from shared.webhooks import check_secret

if TYPE_CHECKING:
    from api.rtc.udp import BoundAddress

log = logging.getLogger("api")

DRAIN_S: Final = 5
"""How long open connections may finish after SIGTERM; live sessions reconnect elsewhere."""
PING_S: Final = 20.0
"""Between two pings on a WebSocket. They keep proxies from closing an idle connection."""

_COLLECT_AFTER: Final = (20_000, 20, 20)
"""Objects after which cycles are looked for, and how many looks go before one at all objects. Python's own
(700, 10, 10) look for them while hundreds of sessions hold tasks and buffers, and find next to nothing."""

EXIT_FAULT: Final = 70

CHECKS: Final[tuple[Check, ...]] = (
    check_redis_is_given,
    check_open,
    lambda settings: parse_keys(settings.api_keys, settings.operators),
    tenants_of,
    lambda settings: parse_origins(settings.origins, is_local=False),
    lambda settings: parse_aliases(settings.model_aliases),
    check_traces,
    lambda settings: jobs_address(settings.jobs_redis_url, settings.redis_url),
    lambda settings: settings.webhook_secret and check_secret(settings.webhook_secret),
    lambda settings: settings.wyoming_port and check_announcing(settings.wyoming_name),
    lambda settings: settings.wyoming_port and check_tenant(settings),
    check_rtc,
)
"""What the edge asks of its settings beside their bounds."""


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit status, `EXIT_FAULT` when a part of the edge broke.
    Raises `BadParameter` when the port is taken."""
    status = 0

    def stop() -> None:
        nonlocal status
        status, server.should_exit = EXIT_FAULT, True

    listener = listen(settings.host, settings.port, variable="STENO_PORT")
    wyoming = None
    if settings.wyoming_port:
        wyoming = listen(settings.host, settings.wyoming_port, variable="STENO_WYOMING_PORT")
    config = uvicorn.Config(
        create_app(settings, wyoming=wyoming, rtc=_bound(settings), on_fault=stop),
        log_config=None,
        access_log=False,
        http=PatientProtocol,
        ws=LimitedProtocol,
        ws_max_size=LARGEST_BYTES,
        # Audio does not shrink, and compressing each partial costs more than it saves.
        ws_per_message_deflate=False,
        ws_ping_interval=PING_S,
        # Their answers are not waited for: they come behind audio that is not read while workers are
        # behind. The kernel notices who is gone.
        ws_ping_timeout=None,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=DRAIN_S,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    _load_certificate(config)
    server = uvicorn.Server(config)
    # uvicorn raises the signal that stopped it once more when it is done; an orderly stop is no death.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What was imported stays, and need not be looked through ever again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    gc.enable()
    with listener:
        log.info("edge listens", extra={"host": settings.host, "port": settings.port})
        server.run(sockets=[listener])
    return status


def _bound(settings: Settings) -> "Sequence[BoundAddress]":
    if not settings.rtc_port:
        return ()
    from api.rtc.udp import bind_udp  # needs the extra

    return bind_udp(settings.host, settings.rtc_port, rtc_options(settings).addresses)


def _load_certificate(config: uvicorn.Config) -> None:
    """Raises `BadParameter` for files that are no certificate and its key."""
    try:
        config.load()
    except OSError as error:  # what TLS says is one, too
        raise BadParameter(
            f"STENO_TLS_CERT and STENO_TLS_KEY can't be used ({error.strerror or error}); "
            "both must be PEM files"
        ) from None


def main() -> int:
    """Exit status 2 for what the operator can mend."""
    try:
        settings = load_settings(*CHECKS)
        configure(settings.log_level, as_json=settings.log_format == "json")
        return serve(settings)
    except StenoError as error:
        sys.stderr.write(f"steno api: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
