"""Model directories that a copy left half written, or that are something else: refused at the start, with
what is wrong and what to do."""

from pathlib import Path

import pytest

from shared.errors import ModelUnavailable
from shared.models import resolve
from shared.models.files import describe
from worker.engine.api import Engine, EngineOptions, make_engine
from worker.engine.ctranslate import CTranslate2Backend

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def whole() -> Path:
    return resolve("tiny.en").path


def copied(whole: Path, target: Path, *, cut: str, kept: float) -> Path:
    """The model with the beginning of one file: so much of it as an interrupted copy wrote."""
    target.mkdir()
    for file in whole.iterdir():
        if file.name == cut:
            data = file.read_bytes()
            (target / cut).write_bytes(data[: round(kept * len(data))])
        else:
            (target / file.name).symlink_to(file.resolve())
    return target


def load(path: Path, device: str = "cpu") -> Engine:
    describe("mine", path)
    return make_engine("faster_whisper", EngineOptions(model="mine", path=path, device=device))


@pytest.mark.parametrize(
    ("cut", "kept", "says"),
    [
        ("model.bin", 0.0, r"lacks model\.bin"),
        ("model.bin", 0.0001, "payload size"),
        ("model.bin", 0.5, "payload size"),
        ("model.bin", 0.9999, "payload size|incomplete"),
        ("config.json", 0.5, "parse_error"),
        ("tokenizer.json", 0.5, "EOF"),
        ("vocabulary.txt", 0.5, "vocabulary|utf-8"),
        ("vocabulary.txt", 0.9985, "vocabulary lacks"),
    ],
)
def test_half_a_file_is_refused_at_the_start(
    whole: Path, tmp_path: Path, cut: str, kept: float, says: str
) -> None:
    path = copied(whole, tmp_path / "mine", cut=cut, kept=kept)
    with pytest.raises(ModelUnavailable, match=says) as refused:
        load(path)
    assert str(path) in refused.value.message


def test_another_kind_of_model_is_refused(whole: Path, tmp_path: Path) -> None:
    path = copied(whole, tmp_path / "mine", cut="model.bin", kept=0)
    (path / "model.bin").write_bytes(b"GGUF" + bytes(1000))
    with pytest.raises(ModelUnavailable, match="mine can't be loaded on cpu"):
        load(path)


def test_without_a_gpu_cuda_is_refused_with_what_is_missing(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctranslate2.get_cuda_device_count", lambda: 0)
    with pytest.raises(ModelUnavailable, match=r"STENO_DEVICE is cuda.*driver.*STENO_DEVICE=cpu"):
        load(whole, "cuda")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            "Library libcublas.so.12 is not found or cannot be loaded",
            r"libcublas\.so\.12.*nvidia-cublas-cu12",
        ),
        ("CUDA failed with error out of memory", "smaller model"),
    ],
)
def test_what_fails_in_the_first_call_is_told_with_what_to_do(
    whole: Path, monkeypatch: pytest.MonkeyPatch, fault: str, says: str
) -> None:
    def fail(_: object) -> int:
        raise RuntimeError(fault)

    monkeypatch.setattr(CTranslate2Backend, "_width", fail)
    with pytest.raises(ModelUnavailable, match=says):
        load(whole)
