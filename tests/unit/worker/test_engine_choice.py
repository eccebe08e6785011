"""Engines are chosen by name and imported when they are made; what is missing is named with what has it."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import BadParameter, ModelUnavailable
from shared.settings import load_settings
from worker.engine.api import EngineOptions, check_engine, make_engine

NATIVE = {"ctranslate2", "faster_whisper", "torch", "transformers"}


@pytest.mark.parametrize("variable", ["STENO_ENGINE", "STT_BACKEND"])
@pytest.mark.parametrize("value", ["faster", "huggingface", "scripted"])
def test_each_name_that_people_use_is_an_engine(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    check_engine(load_settings().engine)


@pytest.mark.parametrize("value", ["", "whisper", "Faster", "hugging-face"])
def test_another_name_is_refused_with_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("STT_BACKEND", value)
    with pytest.raises(BadParameter, match=r"one of faster, huggingface, scripted"):
        load_settings(lambda settings: check_engine(settings.engine))


def test_choosing_imports_no_engine_and_making_one_imports_no_other() -> None:
    script = (
        "import sys; from worker.engine.api import *; check_engine('huggingface');"
        "make_engine('scripted', EngineOptions(model='any'));"
        f"print(sorted({NATIVE!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("engine", "package", "extra"),
    [
        ("faster_whisper", "ctranslate2", "worker"),
        ("huggingface", "torch", "huggingface"),
        ("huggingface", "transformers", "huggingface"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_has_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: str, package: str, extra: str
) -> None:
    for module in [name for name in sys.modules if name.startswith("worker.engine.")]:
        if module != "worker.engine.api":
            monkeypatch.delitem(sys.modules, module)
    if engine == "huggingface" and package != "torch":
        monkeypatch.setitem(sys.modules, "torch", sys)  # any module: it is not used
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModelUnavailable, match=rf"package {package}: pip install 'steno\[{extra}\]'"):
        make_engine(engine, EngineOptions(model="any", path=tmp_path))
