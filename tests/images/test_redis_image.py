"""Scripts and leases on a server from an image, by testcontainers: another version than the embedded one."""

import os
import re
import subprocess
import sys

import pytest

from tests.support.containers import ROOT, VALKEY_IMAGE

pytestmark = [pytest.mark.images, pytest.mark.timeout(1200)]

TESTS = ("test_leases.py", "test_batches.py", "test_live_stream.py", "test_session_connections.py")


def docker_api(command: str) -> dict[str, str]:
    """What testcontainers need in their environment to reach an engine. What stands in for docker may have a
    verb that starts its API and prints that."""
    if os.environ.get("DOCKER_HOST") or command == "docker":
        return {}
    done = subprocess.run([command, "socket"], capture_output=True, text=True, check=False)
    return dict(re.findall(r"([A-Z_]+)=(\S+)", done.stdout)) if done.returncode == 0 else {}


def test_the_tests_of_redis_pass_on_it(engine_command: str) -> None:
    environment = os.environ | docker_api(engine_command) | {"STENO_TEST_REDIS_IMAGE": VALKEY_IMAGE}
    if "DOCKER_HOST" not in environment and engine_command != "docker":
        pytest.skip("the container engine does not speak Docker's protocol")
    files = [str(ROOT / "tests" / "integration" / name) for name in TESTS]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *files],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    print(done.stdout.splitlines()[-1])
