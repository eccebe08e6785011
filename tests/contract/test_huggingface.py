"""The engine on PyTorch: the same weights say the same, and what is no model is refused with what to do."""

import shutil
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.scoring import normalise
from shared.audio.pcm import to_samples
from shared.errors import BadParameter, ModelUnavailable
from shared.models import resolve
from shared.models.exported import export, transformers_directory
from shared.models.files import describe, is_transformers
from tests.support.accuracy import wer
from tests.support.data import Clip, Spoken, clip, clips
from worker.core.decode import DecodeRequest, Kind
from worker.core.window import WindowPolicy
from worker.engine.api import Engine, EngineOptions, make_engine

WHOLE = WindowPolicy(30.0, 0.0, file_s=())
PIECES = [
    pytest.param(clip, piece, id=f"{clip.name}-{n}" if n else clip.name)
    for clip in clips().values()
    if clip.text
    for n, piece in enumerate(clip.utterances or (Spoken(0.0, clip.duration_s, clip.text),))
]
"""Sentences to compare: each clip of speech, the joined one's utterances one by one."""


def options(path: Path, compute_type: str = "float32") -> EngineOptions:
    return EngineOptions(model=path.name, path=path, device="cpu", window=WHOLE, compute_type=compute_type)


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelUnavailable, match=r"package torch: pip install 'steno\[huggingface\]'"):
        make_engine("huggingface", options(tmp_path))


@pytest.fixture(scope="module")
def base() -> Path:
    return resolve("base").path


@pytest.fixture(scope="module")
def both(base: Path) -> Generator[tuple[Engine, Engine]]:
    engines = make_engine("faster_whisper", options(base)), make_engine("huggingface", options(base))
    yield engines
    for engine in engines:
        engine.close()


@pytest.mark.huggingface
@pytest.mark.timeout(600)
class TestWithWeights:
    def test_there_is_enough_to_compare(self) -> None:
        assert len(PIECES) >= 20
        assert len({clip.language for clip in clips().values() if clip.text}) >= 3

    @pytest.mark.parametrize(("spoken", "piece"), PIECES)
    def test_the_same_weights_say_the_same(
        self, both: tuple[Engine, Engine], spoken: Clip, piece: Spoken
    ) -> None:
        audio = spoken.samples()[to_samples(piece.start) : to_samples(piece.end)]
        request = DecodeRequest(kind=Kind.FINAL, audio=audio, language=spoken.language, words=True)
        ours, theirs = (engine.decode([request])[0] for engine in both)
        assert normalise(theirs.text, spoken.language) == normalise(ours.text, spoken.language) != ""
        assert theirs.avg_logprob == pytest.approx(ours.avg_logprob, abs=1e-3)
        for mine, other in zip(ours.words, theirs.words, strict=True):
            assert other.start == pytest.approx(mine.start, abs=0.1)

    @pytest.mark.parametrize("name", ["en_demo", "de_zeit", "fr_course"])
    def test_partials_and_what_stands_before_are_heard_alike(
        self, both: tuple[Engine, Engine], name: str
    ) -> None:
        spoken = clip(name)
        asked = DecodeRequest(kind=Kind.PARTIAL, audio=spoken.samples(), language=spoken.language)
        first = " ".join(both[0].decode([asked])[0].text.split()[:4])
        for request in (
            asked,
            replace(asked, prefix=first, beam=3),
            replace(asked, context="It was a long story.", hotwords="Fisichella"),
            replace(asked, language=""),
        ):
            ours, theirs = (engine.decode([request])[0] for engine in both)
            assert (theirs.text, theirs.language) == (ours.text, ours.language)
            assert theirs.language_probability == pytest.approx(ours.language_probability, abs=1e-3)

    def test_a_model_is_written_once_and_taken_as_it_is_from_then_on(
        self, base: Path, tmp_path: Path
    ) -> None:
        made = transformers_directory(base, cache=tmp_path)
        written = (made / "model.safetensors").stat().st_mtime_ns
        assert transformers_directory(base, cache=tmp_path) == made
        assert (made / "model.safetensors").stat().st_mtime_ns == written
        assert transformers_directory(made, cache=tmp_path) == made
        assert describe("base", made).multilingual
        assert [entry.name for entry in tmp_path.iterdir() if not entry.name.startswith(".")] == [made.name]
        with pytest.raises(ModelUnavailable, match="STENO_ENGINE=huggingface"):
            make_engine("faster_whisper", options(made))

    def test_the_library_itself_reads_what_was_written(self, tmp_path: Path) -> None:
        import importlib

        made = tmp_path / "exported"
        export(resolve("tiny.en").path, made)
        # What the library warns of is its own affair.
        transformers = importlib.import_module("transformers")
        transformers.logging.set_verbosity_error()
        pipeline = transformers.pipeline("automatic-speech-recognition", model=str(made), dtype="float32")
        said = pipeline({"raw": clip("en_quilter").samples(), "sampling_rate": 16_000})["text"]
        assert wer(clip("en_quilter").text, said) <= 0.1

    @pytest.mark.parametrize("kept", [0, 7, 1000, 1_000_000])
    def test_half_a_model_is_refused_and_nothing_is_left(self, base: Path, tmp_path: Path, kept: int) -> None:
        model, cache = tmp_path / "half", tmp_path / "cache"
        shutil.copytree(base, model)
        whole = (model / "model.bin").read_bytes()
        (model / "model.bin").write_bytes(whole[:kept])
        with pytest.raises(ModelUnavailable, match=r"model\.bin"):
            make_engine("huggingface", options(model)) if not kept else transformers_directory(
                model, cache=cache
            )
        left = [e for e in cache.iterdir() if not e.name.endswith(".lock")] if cache.exists() else []
        assert left == []

    def test_a_damaged_directory_of_the_library_is_refused(self, base: Path, tmp_path: Path) -> None:
        made = shutil.copytree(transformers_directory(base, cache=tmp_path), tmp_path / "damaged")
        (made / "model.safetensors").write_bytes(b"no weights")
        assert is_transformers(made)
        with pytest.raises(ModelUnavailable, match="can't be loaded"):
            make_engine("huggingface", options(made))

    def test_a_compute_type_that_it_does_not_have_lists_those_that_it_has(self, base: Path) -> None:
        with pytest.raises(BadParameter, match="float32, float16, bfloat16"):
            make_engine("huggingface", options(base, compute_type="int8"))
