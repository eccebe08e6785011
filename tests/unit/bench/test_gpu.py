"""The bench of a device, on a CPU: with random weights, and what it says without a GPU."""

import json
from pathlib import Path

import pytest

from bench.experiments.gpu_grid import Grid
from bench.gpu import device_memory, main, simulated
from bench.random_model import SHAPES, Shape

pytestmark = pytest.mark.model
GRID = Grid(windows_s=(8, 15), rows=(1, 2), beams=(1, 5), streams=(1,), repeats=1)


def test_without_a_gpu_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ctranslate2.get_cuda_device_count", lambda: 0)
    with pytest.raises(SystemExit):
        main([])
    assert "--device cpu" in capsys.readouterr().err


def test_without_the_tool_the_memory_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert device_memory() is None


@pytest.mark.slow
def test_random_weights_are_measured_from_the_call_to_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SHAPES, "tiny", Shape(width=64, heads=2, encoder_layers=1, decoder_layers=2))
    kept = tmp_path / "figures.json"
    options = ["--shape", "tiny", "--device", "cpu", "--compute-type", "int8", "--sessions", "1,2"]
    assert main([*options, "--json", str(kept)], grid=GRID) == 0
    figures = json.loads(kept.read_text())
    assert figures["start"]["ready_s"] > 0
    assert [run["sessions"] for run in figures["simulated"]] == [1, 2]
    assert all(0 < run["word_s"]["p50"] <= run["word_s"]["p95"] for run in figures["simulated"])
    assert "played" not in figures
    shown = capsys.readouterr().out
    assert "tiny, random weights, int8, on" in shown
    assert "Sessions at once, simulated:" in shown
    assert simulated(figures["costs"], [1])[0] == figures["simulated"][0]
