"""Two engines as one: which of them decodes what."""

from dataclasses import replace

import numpy as np
import pytest

from shared.audio.pcm import SAMPLE_RATE, pcm16_to_float
from shared.errors import ModelUnavailable
from shared.settings import Settings
from tests.support.sound import pcm16, speech
from worker.__main__ import load_engine
from worker.core.decode import DecodeRequest, Kind
from worker.engine.api import EngineOptions
from worker.engine.drafted import DraftedEngine
from worker.engine.scripted import MARKS, ScriptedEngine

SPEECH = pcm16_to_float(pcm16(speech(3)))
MAIN = ScriptedEngine(EngineOptions(model="scripted"))
DRAFTS = ScriptedEngine(EngineOptions(model=MARKS))
"""Hears nothing in speech without marks, so that its answers are told from the other's."""
BOTH = DraftedEngine(MAIN, DRAFTS)
TIGHT = DecodeRequest(kind=Kind.PARTIAL, audio=SPEECH, language="en", tight=True)


def test_tight_partials_are_drafts_and_all_else_is_the_main_models() -> None:
    others = [
        replace(TIGHT, tight=False),
        replace(TIGHT, kind=Kind.FINAL),
        replace(TIGHT, language=""),
        replace(TIGHT, detect=True),
        replace(TIGHT, language="ja"),
    ]
    batch = [others[0], TIGHT, *others[1:], TIGHT]
    answers = BOTH.decode(batch)
    assert [answer.draft for answer in answers] == [request is TIGHT for request in batch]
    for request, answer in zip(batch, answers, strict=True):
        assert answer == replace((DRAFTS if answer.draft else MAIN).decode([request])[0], draft=answer.draft)


def test_it_is_known_as_the_main_engine() -> None:
    assert BOTH.info == MAIN.info


@pytest.mark.parametrize("batch", [[], [TIGHT], [replace(TIGHT, audio=np.zeros(SAMPLE_RATE, np.float32))]])
def test_a_batch_of_one_kind_or_none_is_decoded(batch: list[DecodeRequest]) -> None:
    assert [answer.draft for answer in BOTH.decode(batch)] == [True] * len(batch)


def test_a_worker_that_is_given_a_model_for_drafts_has_both() -> None:
    settings = Settings(engine="scripted", model="scripted", draft_model=MARKS)
    engine = load_engine(settings)
    assert engine.info.model == "scripted"
    assert [answer.draft for answer in engine.decode([TIGHT])] == [True]
    assert not isinstance(load_engine(Settings(engine="scripted")), DraftedEngine)


@pytest.mark.model
def test_a_model_for_drafts_that_is_none_is_named() -> None:
    with pytest.raises(ModelUnavailable, match="no-such-model"):
        load_engine(Settings(engine="faster", model="tiny.en", draft_model="no-such-model"))
