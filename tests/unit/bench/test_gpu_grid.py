"""The GPU's grid, on a model so small that a CPU does it."""

import json
import math
from pathlib import Path

import pytest
from faster_whisper import WhisperModel

from bench.cost_table import cost_table
from bench.experiments.gpu_grid import Grid, compute_types_ms, costs, measure
from bench.random_model import Shape, write_random_model
from shared.models import resolve

pytestmark = pytest.mark.model
SMALL = Shape(width=64, heads=2, encoder_layers=1, decoder_layers=2, mels=128, version_3=True)
GRID = Grid(windows_s=(5, 10), rows=(1, 2), beams=(1, 5), streams=(1, 2), repeats=1)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("random")
    write_random_model(folder, SMALL, like=resolve("base").path)
    return folder


def test_random_weights_are_a_whisper_of_version_3(model: Path) -> None:
    whisper = WhisperModel(str(model), device="cpu", compute_type="int8")
    assert (whisper.model.n_mels, whisper.model.is_multilingual) == (128, True)
    assert whisper.supported_languages[-1] == "yue"
    number = whisper.hf_tokenizer.token_to_id
    assert number("<|translate|>") == number("<|yue|>") + 1
    assert number("<|notimestamps|>") == number("<|translate|>") + 5


@pytest.mark.slow
def test_the_grid_gives_a_cost_table_that_the_simulation_takes(model: Path, tmp_path: Path) -> None:
    tables = measure(model, device="cpu", compute_type="float32", grid=GRID)
    assert list(tables["encode_ms"]) == ["1", "2"]
    assert all(ms > 0 for row in tables["encode_ms"].values() for ms in row.values())
    assert all(rate > 0 for rate in tables["windows_per_s_by_streams"].values())
    assert set(tables["align_ms"]) == {"1", "2"}
    file = tmp_path / "costs.json"
    file.write_text(json.dumps(costs(tables, source="a test", window="large")))
    table = cost_table(str(file))
    assert table.encode_s[-1] == (10.0, pytest.approx(tables["encode_ms"]["2"]["10"] / 2 / 1000, abs=1e-5))
    assert math.isfinite(table.batch_s([(10.0, 40)], beam=1))


def test_every_compute_type_of_the_device_is_tried(model: Path) -> None:
    assert {"int8", "float32"} <= set(compute_types_ms(model, "cpu", GRID))
