"""Containers for tests, by the command line of whatever engine is here.

`STENO_CONTAINERS` names a command that understands `build` and `run` as docker and podman do; without it they
are tried in this order. `STENO_IMAGE_BASE` replaces the base image and `STENO_VALKEY_IMAGE` that of the
server, where no registry can be reached.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import time
import uuid
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
VALKEY_IMAGE = os.environ.get("STENO_VALKEY_IMAGE", "docker.io/valkey/valkey:9")
BASE = os.environ.get("STENO_IMAGE_BASE", "")
_BUILD_S_MAX = 1800.0
_PULL_S_MAX = 300.0
_WAIT_S_MAX = 120.0
HARDENED = (
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--network=host",
)
"""How the images are meant to be run. They share the host's network, which works with every engine."""


def subnet() -> str:
    """The first three numbers of a network for one test, so that two runs at once do not share one. From what
    podman gives networks that don't ask for one."""
    return f"10.89.{16 + secrets.randbelow(240)}"


def engine() -> str:
    """A command that runs a container of the image that ours are built on, which it has or can pull; or an
    empty text."""
    base = BASE or re.findall(r"^ARG BASE=(\S+)$", (ROOT / "Dockerfile.api").read_text(), re.MULTILINE)[0]
    trial = "run", "--rm", "--network=host", base, "python3", "-c", ""
    for command in filter(None, (os.environ.get("STENO_CONTAINERS", ""), "docker", "podman")):
        if shutil.which(command):
            with contextlib.suppress(subprocess.TimeoutExpired):
                done = subprocess.run(
                    [command, *trial], capture_output=True, check=False, timeout=_PULL_S_MAX
                )
                if done.returncode == 0:
                    return command
    return ""


@dataclass
class Containers:
    """Containers that one test module started."""

    command: str
    names: list[str] = field(default_factory=list[str])
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def build(self, file: str, tag: str, **arguments: str) -> str:
        """Build an image; returns its tag."""
        given = arguments | ({"BASE": BASE} if BASE else {})
        options = [part for name, value in given.items() for part in ("--build-arg", f"{name}={value}")]
        self.call("build", "-f", file, "-t", tag, *options, ".", within_s=_BUILD_S_MAX)
        return tag

    def run(
        self, name: str, image: str, *command: str, options: tuple[str, ...] = (), **settings: str
    ) -> str:
        """Start a container in the background; `settings` are `STENO_` names in lower case."""
        full = f"steno-test-{self.run_id}-{name}"
        given = [part for key, value in settings.items() for part in ("-e", f"STENO_{key.upper()}={value}")]
        self.names.append(full)
        self.call("run", "-d", "--name", full, "--hostname", name, *options, *given, image, *command)
        return full

    def python(self, name: str, code: str) -> subprocess.CompletedProcess[str]:
        """Run Python in a container."""
        return self.call("exec", name, "python", "-c", code, check=False)

    def inspect(self, name: str) -> dict[str, Any]:
        """What the engine says of a container or image."""
        return json.loads(self.call("inspect", name).stdout)[0]

    def is_healthy(self, name: str) -> bool:
        """Whether the image's health check passes now. It is run here, because not every engine has something
        that runs it on time."""
        check = self.inspect(name)["Config"]["Healthcheck"]["Test"]
        command = check[1:] if check[0] == "CMD" else ["/bin/sh", "-c", check[1]]
        return self.call("exec", name, *command, check=False).returncode == 0

    def wait_until_healthy(self, name: str) -> None:
        """Wait for the health check."""
        deadline = time.monotonic() + _WAIT_S_MAX
        while not self.is_healthy(name):
            state = self.inspect(name)["State"]
            if state["Status"] != "running" or time.monotonic() > deadline:
                raise AssertionError(f"{name}: {state}\n{self.logs(name)}")
            time.sleep(0.2)

    def logs(self, name: str) -> str:
        """The last lines of what a container said."""
        done = self.call("logs", "--tail", "50", name, check=False)
        return done.stdout + done.stderr

    def end(self, name: str, *, kill: bool = False) -> int:
        """Kill or stop a container. Returns its exit status."""
        self.call(*(("kill", name) if kill else ("stop", "-t", "30", name)))
        self.call("wait", name)
        return int(self.inspect(name)["State"]["ExitCode"])

    def call(
        self, *arguments: str, check: bool = True, within_s: float = _WAIT_S_MAX
    ) -> subprocess.CompletedProcess[str]:
        """Run the engine's command. Raises `AssertionError` with what it said."""
        done = subprocess.run(
            [self.command, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(arguments)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return done

    @classmethod
    @contextlib.contextmanager
    def cleaned_up(cls, command: str) -> "Generator[Containers]":
        """Remove all containers afterwards."""
        containers = cls(command)
        try:
            yield containers
        finally:
            for name in reversed(containers.names):
                containers.call("rm", "-f", name, check=False)
