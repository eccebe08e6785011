"""The interval between partials follows from what one of them costs."""

import logging
from collections.abc import Sequence
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.local import check_speaks
from assistant.tuning import CHUNKS_S, SHARE, Tuned, choose, measure
from shared.errors import ModelUnavailable
from shared.models import ModelFiles
from worker.core.decode import DecodeRequest, DecodeResult
from worker.core.effects import SessionOptions
from worker.engine.api import EngineOptions, make_engine
from worker.engine.scripted import ScriptedEngine


@given(st.floats(0, 20))
def test_it_is_the_smallest_that_keeps_up(cost_s: float) -> None:
    tuned = Tuned(choose(cost_s), cost_s)
    smaller = [chunk_s for chunk_s in CHUNKS_S if chunk_s < tuned.chunk_s]
    assert not any(Tuned(chunk_s, cost_s).keeps_up for chunk_s in smaller)
    assert tuned.keeps_up or tuned.chunk_s == CHUNKS_S[-1]


def test_sessions_get_the_interval_and_the_share_that_it_was_chosen_for() -> None:
    for chunk_s in (0.2, 4.0):
        options = Tuned(chunk_s).options()
        assert options.partial_step_s == chunk_s <= options.partial_step_s_max
        assert options.partial_share == SHARE


def test_an_engine_is_asked_as_sessions_ask_it() -> None:
    asked: list[DecodeRequest] = []

    class Kept(ScriptedEngine):
        def decode(self, batch: Sequence[DecodeRequest]) -> list[DecodeResult]:
            asked.extend(batch)
            return super().decode(batch)

    tuned = measure(Kept(EngineOptions(model="base")))
    assert tuned.chunk_s == CHUNKS_S[0]
    assert tuned.keeps_up
    assert not tuned.is_lean
    first, *rest = asked
    assert not first.prefix
    assert all(request.prefix and request.duration_s == 7.0 for request in rest)


def test_partials_are_lean_where_whole_ones_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    def cost_s(_engine: object, options: SessionOptions) -> float:
        return 0.15 if options.partial_tight else 0.25

    monkeypatch.setattr("assistant.tuning.partial_cost_s", cost_s)
    tuned = measure(make_engine("scripted", EngineOptions(model="base")))
    assert tuned == Tuned(0.3, 0.15, is_lean=True)
    lean, whole = tuned.options(), Tuned(0.3, 0.15).options()
    assert (lean.partial_beam, lean.partial_window_s, lean.partial_tight) == (1, 0.0, True)
    assert lean.window_keep_s == 3.0
    usual = SessionOptions()
    changed = {"partial_step_s", "partial_share", "partial_early"}
    assert {f.name for f in fields(usual) if getattr(usual, f.name) != getattr(whole, f.name)} == changed


@given(st.floats(0, 1), st.floats(0, 1))
def test_finals_are_those_of_the_service(cost_s: float, lean_s: float) -> None:
    def final_options(options: SessionOptions) -> list[object]:
        of_partials = ("partial_", "window_")
        return [getattr(options, f.name) for f in fields(options) if not f.name.startswith(of_partials)]

    for tuned in (Tuned(choose(cost_s), cost_s), Tuned(choose(lean_s), lean_s, is_lean=True)):
        assert final_options(tuned.options()) == final_options(SessionOptions())


def test_what_is_set_is_taken_without_measuring() -> None:
    engine = make_engine("scripted", EngineOptions(model="base"))
    assert measure(engine, 1.25) == Tuned(1.25)
    assert Tuned(1.25).keeps_up


def test_a_machine_that_is_too_slow_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cost_s(_engine: object, _options: object) -> float:
        return 9.0

    monkeypatch.setattr("assistant.tuning.partial_cost_s", cost_s)
    with caplog.at_level(logging.INFO, "assistant"):
        tuned = measure(make_engine("scripted", EngineOptions(model="base")))
    assert (tuned.chunk_s, tuned.keeps_up) == (CHUNKS_S[-1], False)
    assert "does not keep up" in caplog.text


@pytest.mark.parametrize(
    ("model", "multilingual", "language", "refused"),
    [
        ("base", True, "auto", ""),
        ("base", True, "de", ""),
        ("tiny.en", False, "auto", ""),
        ("/models/faster-whisper-tiny.en/", False, "auto", ""),
        ("/models/mine", False, "en", ""),
        ("/models/mine", False, "auto", "STT_LANGUAGE=en"),
        ("tiny.en", False, "de", "asked for is de"),
    ],
)
def test_english_alone_has_to_be_asked_for(
    model: str, multilingual: bool, language: str, refused: str, tmp_path: object
) -> None:
    files = ModelFiles(model, tmp_path, multilingual)  # type: ignore[arg-type]
    if not refused:
        check_speaks(model, files, language)
        return
    with pytest.raises(ModelUnavailable, match=refused):
        check_speaks(model, files, language)
