"""A primary and its replica on this machine."""

import contextlib
import time
from collections.abc import Generator

from shared.guard import Guard
from shared.redis.connection import connect_sync
from shared.redis.embedded import EmbeddedServer
from tests.support.service import free_port

WAIT_S_MAX = 30.0
AT_ONCE = {
    "repl-diskless-sync-delay": "0",  # no wait for more replicas that might come
    "shutdown-timeout": "0",  # nor, at the end, for those that are behind
}
"""Options of a server that replicas follow, for tests."""


@contextlib.contextmanager
def replicated() -> Generator[tuple[EmbeddedServer, EmbeddedServer]]:
    """Both running, the replica up to date; stopped at the end."""
    guard = Guard()
    primary, replica = (EmbeddedServer(port=free_port(), options=AT_ONCE) for _ in range(2))
    try:
        for server in (primary, replica):
            server.start()
            guard.add(server.pid or 0)
        _follow(replica, primary.port)
        yield primary, replica
    finally:
        replica.stop()
        primary.stop()
        guard.close()


def _follow(replica: EmbeddedServer, port: int) -> None:
    client = connect_sync(replica.url)
    try:
        client.replicaof("127.0.0.1", port)
        deadline = time.monotonic() + WAIT_S_MAX
        while client.info("replication")["master_link_status"] != "up":
            assert time.monotonic() < deadline, "the replica does not follow"
            time.sleep(0.02)
    finally:
        client.close()
