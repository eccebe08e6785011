"""Checks before anything starts, each an error that says what to do. `steno up` stops at the first;
`steno doctor` reports them all."""

import os
import socket
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from shared.errors import BadParameter, BrokerLost


def check_port(host: str, port: int, *, setting: str = "--port or STENO_PORT") -> None:
    """Raises `BadParameter` unless the address can be listened on."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do: connections of an earlier run that are not quite over are no hindrance.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise BadParameter(
            f"can't listen on {host} port {port}: {reason}; stop what listens there, or choose another with "
            f"{setting}"
        ) from None


def check_data_dir(path: Path) -> None:
    """Make the directory. Raises `BadParameter` unless files can be written in it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path):
            pass
    except OSError as error:
        raise BadParameter(
            f"can't write in {path} ({error.strerror}); choose another directory with --data-dir or "
            "STENO_DATA_DIR"
        ) from None


def check_redis(url: str, *, variable: str = "STENO_REDIS_URL") -> None:
    """Raises `BrokerLost` unless the server answers, `BadParameter` when `url` is not an address."""
    from shared.redis.connection import RedisError, connect_sync

    try:
        client = connect_sync(url)
    except ValueError as error:
        raise BadParameter(f"{variable} is not an address: {error}") from None
    try:
        client.ping()
    except RedisError as error:
        raise BrokerLost(
            f"Redis at {without_secret(url)} does not answer ({error}); start it, correct {variable}, "
            "or unset it to use the embedded server"
        ) from None
    finally:
        client.close()


def without_secret(url: str) -> str:
    """The address without user and password, for messages."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
