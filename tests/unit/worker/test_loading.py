"""How many decodes run at once on what there is."""

import os

import pytest

from shared.errors import BadParameter, ModelUnavailable
from worker.loading import load, threads_for


@pytest.mark.parametrize(
    ("engine", "device", "gpus", "processes", "threads"),
    [
        ("faster_whisper", "cpu", 1, 1, 8),
        ("faster_whisper", "cpu", 0, 3, 2),
        ("faster_whisper", "cpu", 0, 100, 1),
        ("faster_whisper", "auto", 0, 1, 8),
        ("faster_whisper", "auto", 1, 1, 1),
        ("faster_whisper", "cuda", 1, 1, 1),
        ("scripted", "auto", 1, 2, 4),
    ],
)
def test_the_cores_are_shared_and_a_gpu_is_not(
    engine: str, device: str, gpus: int, processes: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr("ctranslate2.get_cuda_device_count", lambda: gpus)
    assert threads_for(engine, device, processes=processes) == threads


def test_what_can_not_be_loaded_is_said_before_anything_is_fetched() -> None:
    with pytest.raises(BadParameter, match="magic"):
        load("magic", "base")
    with pytest.raises(ModelUnavailable, match="no directory"):
        load("faster_whisper", "./none")
    engine = load("scripted", "base", threads=3)
    assert engine.info.parallel == 3
