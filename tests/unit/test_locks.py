"""The lock files are complete, pinned by hash, agree with each other, and name no host."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALONE = ("fastrtc", "huggingface")
"""Extras that are several times as large as all else."""
LOCKS = (
    "requirements.lock",
    "requirements-api.lock",
    "requirements-worker.lock",
    "requirements-otel.lock",
    "requirements-rtc.lock",
    "requirements-s3.lock",
)


def entries(lock: str) -> dict[str, set[str]]:
    """Versions by package; markers may choose between several. Each with at least one hash."""
    found: dict[str, set[str]] = {}
    for block in re.split(r"\n(?=\S)", (ROOT / lock).read_text()):
        match = re.match(r"([a-z0-9-]+)==(\S+)", block)
        assert match, block.splitlines()[0]
        assert "--hash=sha256:" in block, match[0]
        found.setdefault(match[1], set()).add(match[2])
    return found


def named(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=; ]", text)[0].replace("_", "-").lower() for text in requirements}


@pytest.mark.parametrize("lock", [*LOCKS, "requirements-cuda.lock"])
def test_a_lock_names_no_host_and_no_option(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not [line for line in text.splitlines() if line.startswith("-")]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pulls_no_gpu_runtime(lock: str) -> None:
    heavy = [name for name in entries(lock) if name.startswith(("nvidia", "torch", "triton", "cuda"))]
    assert heavy == []


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("requirements.lock", None),
        ("requirements-api.lock", {"api", "build"}),
        ("requirements-worker.lock", {"worker", "build"}),
        ("requirements-otel.lock", {"otel"}),
        ("requirements-rtc.lock", {"rtc"}),
        ("requirements-s3.lock", {"s3"}),
    ],
)
def test_a_lock_has_all_that_the_project_asks_for(lock: str, extras: set[str] | None) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = named(project["dependencies"])
    for extra, requirements in project["optional-dependencies"].items():
        if extra in extras if extras else extra not in ALONE:
            wanted |= named(requirements)
    assert wanted <= set(entries(lock))


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_the_images_hold_the_versions_that_are_tested(lock: str) -> None:
    tested = entries(LOCKS[0])
    assert {name: found for name, found in entries(lock).items() if not found <= tested[name]} == {}
