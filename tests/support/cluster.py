"""A real Redis Cluster on this machine: masters that share all slots, and replicas."""

import contextlib
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.cluster import key_slot

from shared.guard import Guard
from shared.redis.connection import RedisError, connect_sync
from shared.redis.embedded import EmbeddedServer
from tests.support.replica import AT_ONCE
from tests.support.service import free_port

WAIT_S_MAX = 30.0
_SLOTS = 16384


@dataclass
class Cluster:
    """Running nodes: first the masters, then a replica of each of the first of them."""

    nodes: list[EmbeddedServer]
    masters: int

    @property
    def url(self) -> str:
        """Address for `connect`; it names two of the nodes, one of them a replica if there is one."""
        return f"redis+cluster://127.0.0.1:{self.nodes[1].port},127.0.0.1:{self.nodes[-1].port}"

    def slots(self, master: int) -> range:
        """What a master had in the beginning."""
        return range(master * _SLOTS // self.masters, (master + 1) * _SLOTS // self.masters)

    def master_of(self, key: str) -> int:
        """Which master had the key's slot in the beginning."""
        return next(m for m in range(self.masters) if key_slot(key.encode()) in self.slots(m))

    def ask(self, node: int, *command: str | int) -> Any:
        """What one node answers."""
        client = connect_sync(self.nodes[node].url)
        try:
            return client.execute_command(*command)
        finally:
            client.close()

    def ident(self, node: int) -> str:
        """The id that a node has in the cluster."""
        return self.ask(node, "CLUSTER", "MYID").decode()

    def is_master(self, node: int) -> bool:
        """Whether it is one now."""
        return self.ask(node, "ROLE")[0] == b"master"

    def is_well(self) -> bool:
        """Whether every node knows all others, and every one that is a replica follows."""
        masters = 0
        for node in range(len(self.nodes)):
            info = self.ask(node, "CLUSTER INFO")
            if info["cluster_state"] != "ok" or info["cluster_known_nodes"] != str(len(self.nodes)):
                return False
            role = self.ask(node, "ROLE")
            masters += role[0] == b"master"
            if role[0] != b"master" and role[3] != b"connected":
                return False
        return masters == self.masters

    @classmethod
    @contextlib.contextmanager
    def running(cls, folder: Path, *, masters: int = 3, replicas: int = 1) -> "Generator[Cluster]":
        """Start all, and stop all."""
        nodes = [_node(folder / f"node-{n}") for n in range(masters + replicas)]
        guard = Guard()
        try:
            for node in nodes:
                node.start()
                guard.add(node.pid or 0)
            cluster = cls(nodes, masters)
            cluster._join()
            yield cluster
        finally:
            for node in nodes:
                node.stop()
            guard.close()

    def _join(self) -> None:
        for node, server in enumerate(self.nodes):
            self.ask(node, "CLUSTER SET-CONFIG-EPOCH", node + 1)  # none in common, so none to be settled
            if node:
                self.ask(0, "CLUSTER MEET", "127.0.0.1", server.port, server.options["cluster-port"])
        for master in range(self.masters):
            slots = self.slots(master)
            self.ask(master, "CLUSTER ADDSLOTSRANGE", slots.start, slots.stop - 1)
        for replica in range(self.masters, len(self.nodes)):
            ident = self.ident(replica - self.masters)
            wait_until(lambda r=replica, i=ident: self._knows(r, i), "the nodes know each other")
            self.ask(replica, "CLUSTER REPLICATE", ident)
        wait_until(self.is_well, "the cluster is well")

    def _knows(self, node: int, ident: str) -> bool:
        return ident in repr(self.ask(node, "CLUSTER NODES"))


def _node(folder: Path) -> EmbeddedServer:
    options = {
        "cluster-enabled": "yes",
        "cluster-port": str(free_port()),
        "cluster-node-timeout": "1000",
        "cluster-require-full-coverage": "no",
        "cluster-replica-validity-factor": "0",
        **AT_ONCE,
    }
    return EmbeddedServer(folder, port=free_port(), options=options)


def wait_until(reached: Callable[[], bool], what: str) -> None:
    """Wait for a fact about other processes."""
    deadline = time.monotonic() + WAIT_S_MAX
    while True:
        with contextlib.suppress(RedisError):
            if reached():
                return
        assert time.monotonic() < deadline, f"it does not come about that {what}"
        time.sleep(0.05)
