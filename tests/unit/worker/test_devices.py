"""On what a worker decodes, and as what: by what CTranslate2 says that there is."""

import ctranslate2
import pytest

from worker.engine.devices import choose_device


def test_without_a_gpu_it_is_int8_on_the_cpu() -> None:
    assert ctranslate2.get_cuda_device_count() == 0 or choose_device("cpu", "auto") == ("cpu", "int8")
    assert choose_device("cpu", "auto") == ("cpu", "int8")
    assert "int8" in ctranslate2.get_supported_compute_types("cpu")


@pytest.mark.parametrize(
    ("supported", "chosen"),
    [
        ({"int8_float16", "float16", "int8", "float32", "bfloat16"}, "int8_float16"),
        ({"float16", "float32"}, "float16"),
        ({"int8", "int8_float32", "float32"}, "int8"),
        ({"float32"}, "float32"),
    ],
)
def test_a_gpu_gets_the_best_that_it_can(
    monkeypatch: pytest.MonkeyPatch, supported: set[str], chosen: str
) -> None:
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 1)
    monkeypatch.setattr(ctranslate2, "get_supported_compute_types", lambda _device: supported)
    assert choose_device("auto", "auto") == ("cuda", chosen)


def test_what_was_set_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 1)
    assert choose_device("cuda", "bfloat16") == ("cuda", "bfloat16")
    assert choose_device("cpu", "float32") == ("cpu", "float32")
