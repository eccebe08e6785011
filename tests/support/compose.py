"""deploy/compose.yaml, started as it is: by `docker compose` where there is one, else by podman-compose on
the engine at hand.

A second file, as anyone may give one, says what differs where neither registry nor name server is: which
images stand for those that the first file names, and at which address the server is.
"""

import os
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.containers import ROOT, Containers

FILE = ROOT / "deploy" / "compose.yaml"
PODMAN_COMPOSE = ROOT / ".venv-images" / "bin" / "podman-compose"
_UP_S_MAX = 300.0


def compose_command(engine: str) -> list[str]:
    """What starts compose files here; empty when nothing does."""
    if subprocess.run([engine, "compose", "version"], capture_output=True, check=False).returncode == 0:
        return [engine, "compose"]
    if PODMAN_COMPOSE.exists():
        return [str(PODMAN_COMPOSE), "--podman-path", engine, "--in-pod", "false"]
    return []


@dataclass
class Project:
    """The file's services under a name of their own. `images` are by service; `subnet` is free, as
    `10.89.77`."""

    command: list[str]
    containers: Containers
    folder: Path
    images: Mapping[str, str]
    environment: Mapping[str, str]
    subnet: str
    name: str = field(default_factory=lambda: f"steno-test-{uuid.uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        self._write()

    def up(self, *services: str, profile: str = "cpu") -> None:
        """Start services, without those that they depend on."""
        self._call("--profile", profile, "up", "-d", "--no-deps", "--no-build", *services)

    def container(self, service: str) -> str:
        """Name of a service's first container. Both tools write it so, but for the sign between."""
        wanted = {f"{self.name}{sign}{service}{sign}1" for sign in "-_"}
        names = self.containers.call("ps", "-a", "--format", "{{.Names}}").stdout.split()
        return next(name for name in names if name in wanted)

    def stop(self, service: str) -> int:
        """Stop a service as the file says. Returns its exit status."""
        name = self.container(service)
        self._call("--profile", "cpu", "stop", service)
        return int(self.containers.inspect(name)["State"]["ExitCode"])

    def down(self) -> None:
        """Remove everything, volumes too."""
        self._call("--profile", "cpu", "down", "-v", check=False)

    def _write(self) -> None:
        server = f"{self.subnet}.10"
        services: dict[str, Any] = {name: {"image": image} for name, image in self.images.items()}
        for name, service in services.items():
            if name == "valkey":
                service["networks"] = {"default": {"ipv4_address": server}}
            else:
                service["extra_hosts"] = [f"valkey:{server}"]
        networks = {"default": {"ipam": {"config": [{"subnet": f"{self.subnet}.0/24"}]}}}
        document = {"services": services, "networks": networks}
        (self.folder / "here.yaml").write_text(yaml.safe_dump(document))

    def _call(self, *arguments: str, check: bool = True) -> None:
        files = "-f", str(FILE), "-f", str(self.folder / "here.yaml")
        done = subprocess.run(
            [*self.command, "-p", self.name, *files, *arguments],
            env=os.environ | dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=_UP_S_MAX,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(arguments)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
