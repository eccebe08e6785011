"""A Redis or Valkey of any version in a container, for the tests of scripts and leases, where an engine
answers that speaks Docker's protocol (`DOCKER_HOST`)."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from shared.redis.connection import ConnectionLost, connect_sync

PORT: Final = 6379
_START_S_MAX: Final = 60.0


@contextmanager
def server_in_container(image: str) -> Generator[str]:
    """Start it; gives its address."""
    # Imported here: most runs have no container engine, and it asks for one.
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(image).with_exposed_ports(PORT)
    with container:
        url = f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(PORT)}"
        _wait_until_it_answers(url)
        yield url


def _wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + _START_S_MAX
    while True:
        client = connect_sync(url)
        try:
            client.ping()
            return
        except ConnectionLost:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        finally:
            client.close()
