"""The images, built once, for all tests of this directory."""

import os
from collections.abc import Generator
from dataclasses import dataclass

import pytest

from tests.support.containers import Containers, engine

MODEL = os.environ.get("STENO_IMAGE_MODEL", "tiny.en")
"""Whose weights the worker's image holds."""
KEY = "a-key-of-this-test"


@dataclass(frozen=True)
class Images:
    """The tags of what was built."""

    api: str
    worker: str


@pytest.fixture(scope="session")
def engine_command() -> str:
    """A container engine."""
    command = engine()
    if not command:
        pytest.skip("no engine runs containers here: docker or podman, or the command in STENO_CONTAINERS")
    return command


@pytest.fixture(scope="session")
def images(engine_command: str) -> Images:
    """Both images, as their Dockerfiles make them; or two that are there already, of the edge and the worker:
    `STENO_TEST_IMAGES`."""
    if built := os.environ.get("STENO_TEST_IMAGES", "").split():
        return Images(*built)
    builder = Containers(engine_command)
    return Images(
        builder.build("Dockerfile.api", "localhost/steno-api:test"),
        builder.build("Dockerfile.worker", "localhost/steno-worker:test", MODEL=MODEL),
    )


@pytest.fixture(scope="module")
def containers(engine_command: str) -> Generator[Containers]:
    """What one module starts is removed behind it."""
    with Containers.cleaned_up(engine_command) as mine:
        yield mine
