"""deploy/compose.yaml and what lies beside it: valid, and the service that it starts."""

import asyncio
import subprocess
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from client import JobOptions, Jobs
from tests.images.conftest import KEY, Images
from tests.images.speaking import speak
from tests.support.accuracy import wer
from tests.support.compose import FILE, Project, compose_command
from tests.support.containers import ROOT, VALKEY_IMAGE, Containers, subnet
from tests.support.data import clip
from tests.support.service import free_port

pytestmark = [pytest.mark.images, pytest.mark.anyio, pytest.mark.timeout(2400)]

CHECK = ROOT / ".venv-images" / "bin" / "check-jsonschema"
WAIT_S_MAX = 120.0


def test_it_is_what_the_compose_specification_takes(tmp_path: Path) -> None:
    if not CHECK.exists():
        pytest.skip("no check-jsonschema: use make test-images")
    for file in (FILE, FILE.with_name("compose.storage.yaml")):
        assert valid(file).returncode == 0, valid(file).stdout
    broken = tmp_path / "compose.yaml"
    broken.write_text(FILE.read_text().replace("stop_grace_period", "stop_grace"))
    assert valid(broken).returncode != 0


def valid(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CHECK, "--builtin-schema", "vendor.compose-spec", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(containers: Containers, images: Images, tmp_path: Path) -> Generator[Project]:
    command = compose_command(containers.command)
    if not command:
        pytest.skip("nothing here starts compose files: use make test-images")
    own = {"edge": images.api, "worker": images.worker, "job-worker": images.worker}
    environment = {"STENO_API_KEYS": f"home:{KEY}", "STENO_PUBLISH": f"127.0.0.1:{free_port()}"}
    project = Project(command, containers, tmp_path, own | {"valkey": VALKEY_IMAGE}, environment, subnet())
    try:
        yield project
    finally:
        project.down()


async def test_it_transcribes_live_and_as_a_file_and_stops_in_order(
    project: Project, containers: Containers
) -> None:
    await asyncio.to_thread(project.up, "valkey")
    await asyncio.to_thread(containers.wait_until_healthy, project.container("valkey"))
    await asyncio.to_thread(project.up, "edge", "worker", "job-worker")
    for service in ("edge", "worker"):
        await asyncio.to_thread(containers.wait_until_healthy, project.container(service))
    url = f"http://{project.environment['STENO_PUBLISH']}"
    await until_ready(url)

    said = clip("en_stew")
    assert wer(said.text, await speak(url, said.pcm16(), pace=2.0)) < 0.3
    async with Jobs(url, api_key=KEY) as jobs:
        job = await jobs.submit(said.path, JobOptions(language="en"))
        await jobs.wait(job.id)
        assert wer(said.text, str(await jobs.result(job.id, "txt"))) < 0.3
    async with httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/v1/jobs")).status_code == 401
    for service in ("worker", "job-worker", "edge", "valkey"):
        assert await asyncio.to_thread(project.stop, service) == 0, service


async def until_ready(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as http, asyncio.timeout(WAIT_S_MAX):
        while (await http.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - the fact is elsewhere
            await asyncio.sleep(0.1)
