"""The HTTP API does what its description says, whatever it is asked: schemathesis makes the requests, from an
environment of its own (`make test-slow` makes it)."""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.service import Service, free_port

TOOL = Path(__file__).parents[2] / ".venv-openapi" / "bin" / "schemathesis"
KEY = "alice-key-0123456"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
CASES = 50
"""Requests that are made up for each operation, beside those that go through all of its bounds."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("key", [KEY, ""])
def test_nothing_that_is_asked_breaks_it(key: str, tmp_path: Path) -> None:
    if not TOOL.exists():
        pytest.skip("no schemathesis: use make test-slow")
    settings = {"api_keys": f"alice:{KEY}"} if key else {}
    if find_spec("aiortc"):
        settings["rtc_port"] = str(free_port())
    with Service.running(tmp_path, engine="scripted", origins="", **settings) as service:
        header = ["-H", f"Authorization: Bearer {KEY}"] if key else []
        command = [TOOL, "--no-color", "run", f"{service.url}/openapi.json", *header]
        command += ["--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"]
        command += ["--max-examples", str(CASES), "--continue-on-failure"]
        hooks = {"PYTHONPATH": str(Path(__file__).parent), "SCHEMATHESIS_HOOKS": "sdp_bodies"}
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env=os.environ | hooks
        )
        print(done.stdout[-3000:])
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
        assert "Traceback" not in service.log.read_text()
