"""What `steno doctor` looks at beside the device: ports, permissions, limits, Redis. Each finding that is not
good says what to do."""

import http.client
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal, cast

from client.cli.preflight import check_port, check_redis, without_secret
from shared.errors import StenoError
from shared.settings import Settings

_FILES_PER_SESSION: Final = 4
"""Sockets of a live session, in an edge or a worker."""
_FILES_BESIDE: Final = 256


@dataclass(frozen=True, slots=True)
class Row:
    """One finding. `remedy` is a sentence, empty when all is well."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    remedy: str = ""


def tried(name: str, good: str, check: Callable[[], None]) -> Row:
    """What a check finds."""
    try:
        check()
    except StenoError as error:
        return Row(name, "fail", *split(error))
    return Row(name, "ok", good)


def split(error: StenoError) -> tuple[str, str]:
    """The message as what is wrong and what to do: by their custom the two are parted by a semicolon."""
    detail, _, remedy = error.message.partition("; ")
    return detail, remedy[:1].upper() + remedy[1:] + "." if remedy else ""


def port_rows(settings: Settings) -> Iterator[Row]:
    """Whether the ports are free. That Steno has the first one already is no fault."""
    where = f"{settings.host} port {settings.port}"
    row = tried("port", f"{where} is free", lambda: check_port(settings.host, settings.port))
    if row.status == "fail" and _is_steno(settings):
        row = Row(
            "port", "warn", f"Steno answers on {where} already", "Stop it before you start another one."
        )
    yield row
    others = {"wyoming": settings.wyoming_port, "metrics": settings.metrics_port}
    for name, port in others.items():
        if port:
            host = settings.metrics_host if name == "metrics" else settings.host
            setting = f"STENO_{name.upper()}_PORT"
            yield tried(
                name,
                f"{host} port {port} is free",
                lambda host=host, port=port, setting=setting: check_port(host, port, setting=setting),
            )


def tls_rows(settings: Settings) -> Iterator[Row]:
    """Whether certificate and key can be used, and the key is nobody else's to read."""
    if settings.tls_cert is None or settings.tls_key is None:
        return
    for path in (settings.tls_cert, settings.tls_key):
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            remedy = "Correct STENO_TLS_CERT and STENO_TLS_KEY, or let this user read the files."
            yield Row("tls", "fail", f"{path} can't be read ({error.strerror})", remedy)
            return
    if _others_read(settings.tls_key):
        remedy = f"chmod 600 {settings.tls_key}"
        yield Row("tls", "warn", "the private key can be read by other users", f"Run {remedy}.")
    else:
        yield Row("tls", "ok", f"{settings.tls_cert} and its key can be read")


def files_row(settings: Settings) -> Row:
    """Whether the limit of open files is enough for the sessions."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_PER_SESSION * settings.worker_sessions * max(1, settings.workers) + _FILES_BESIDE
    limit = "no limit of open files" if soft == resource.RLIM_INFINITY else f"{soft} open files allowed"
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return Row("files", "ok", limit)
    remedy = f"Run `ulimit -n {wanted}` first" + (
        ", as root or with a higher hard limit." if hard < wanted else "."
    )
    return Row("files", "warn", f"{limit}; all sessions together want up to {wanted}", remedy)


def redis_rows(settings: Settings) -> Iterator[Row]:
    """Whether Redis answers, and keeps what it is given."""
    if not settings.redis_url:
        yield tried("redis", "the embedded server starts", _start_embedded)
    else:
        good = f"the server at {without_secret(settings.redis_url)} answers"
        row = tried("redis", good, lambda: check_redis(settings.redis_url))
        yield row
        if row.status == "ok":
            yield from _memory(settings.redis_url)
    if settings.jobs_redis_url:
        good = f"the server at {without_secret(settings.jobs_redis_url)} answers"
        check = partial(check_redis, settings.jobs_redis_url, variable="STENO_JOBS_REDIS_URL")
        yield tried("redis jobs", good, check)


def _memory(url: str) -> Iterator[Row]:
    from shared.redis.connection import RedisError, connect_sync

    client = connect_sync(url)
    try:
        info = cast(dict[str, object], client.info("memory"))
    except RedisError:  # a server of somebody else's, who does not let everybody ask
        return
    finally:
        client.close()
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction" and info.get("maxmemory"):
        remedy = "Set `maxmemory-policy noeviction` there: evicted audio is lost audio."
        yield Row("redis keeps", "warn", f"it may throw keys away ({policy})", remedy)


def _start_embedded() -> None:
    from shared.redis.embedded import EmbeddedServer

    server = EmbeddedServer()
    try:
        server.start()
    finally:
        server.stop()


def _is_steno(settings: Settings) -> bool:
    cls = http.client.HTTPSConnection if settings.has_tls else http.client.HTTPConnection
    connection = cls(settings.host, settings.port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().read(64) == b'{"status":"ok"}'
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _others_read(path: Path) -> bool:
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
