"""The simulation: what it promises about itself."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bench.cost_table import BadTable, cost_table
from bench.fleet import simulate
from bench.fleet_worker import Case, Outcome
from bench.modelled import heard
from bench.sim import main, summary
from bench.speech_model import Speech, SpeechVad
from shared.audio.pcm import to_samples
from worker.core.decode import DecodeResult
from worker.core.framing import FRAME_SAMPLES

CPU = cost_table("cpu-zen3-base")
GPU = cost_table("gpu-h200-turbo")


def played(**case: object) -> Outcome:
    return simulate(Case(**{"table": CPU, "sessions": 2, "duration_s": 40.0, **case}))  # type: ignore[arg-type]


def test_a_seed_gives_the_same_figures_and_another_seed_others() -> None:
    first, again, other = (summary(3, played(sessions=3, seed=seed)) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_latency_and_use_grow_with_the_sessions() -> None:
    few, some, many = (summary(n, played(sessions=n, duration_s=60.0)) for n in (1, 4, 10))
    assert few["first_s"]["p95"] < some["first_s"]["p95"] < many["first_s"]["p95"]
    assert few["final_s"]["p95"] < some["final_s"]["p95"] < many["final_s"]["p95"]
    assert few["busy"] < some["busy"] < many["busy"] <= 1.0


@pytest.mark.parametrize("profile", ["reading", "dialogue"])
@pytest.mark.parametrize("table", [CPU, GPU], ids=lambda table: table.name)
def test_every_word_is_in_exactly_one_final_and_has_a_latency(table: object, profile: str) -> None:
    outcome = played(table=table, sessions=6, profile=profile)
    assert outcome.wrong == []
    assert outcome.words == len(outcome.first_s) > 100
    assert min(outcome.first_s) > 0
    assert len(outcome.final_s) > 6


def test_overload_loses_nothing() -> None:
    outcome = played(sessions=24)
    assert outcome.wrong == []
    assert outcome.words == len(outcome.first_s)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_a_worker_that_dies_costs_time_and_no_word(seed: int) -> None:
    case = {"table": GPU, "sessions": 30, "workers": 3, "seed": seed}
    calm, broken = played(**case), played(**case, kill_at_s=20.0)
    assert broken.takeovers == 10
    assert broken.wrong == []
    assert broken.words == len(broken.first_s) == calm.words
    # Whoever talks meanwhile waits for the lease to end and for a worker to look.
    assert max(calm.first_s) < max(broken.first_s) < max(calm.first_s) + 2.0 + 0.5 + 0.5


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_thousands_of_sessions_on_a_fleet_say_every_word_though_a_worker_dies() -> None:
    outcome = played(table=GPU, sessions=2000, workers=20, duration_s=12.0, kill_at_s=6.0)
    assert outcome.wrong == []
    assert outcome.takeovers > 50  # of its hundred, those that had begun
    assert outcome.words == len(outcome.first_s) > 2000 * 12


def test_more_workers_are_as_good_as_fewer_sessions() -> None:
    one = summary(4, played(sessions=4, duration_s=60.0))
    four = summary(16, played(sessions=16, workers=4, duration_s=60.0))
    assert four["first_s"]["p50"] == pytest.approx(one["first_s"]["p50"], rel=0.3)
    assert four["busy"] == pytest.approx(one["busy"], abs=0.12)


def test_modelled_speech_is_as_its_table_says() -> None:
    speech = Speech(Random(1), 3600.0, "reading")
    vad = SpeechVad(speech, 0)
    frames = speech.samples // FRAME_SAMPLES
    talk = sum(vad(None) > 0.5 for _ in range(frames)) / frames  # type: ignore[arg-type]
    assert talk == pytest.approx(0.73, abs=0.03)
    assert len(speech.words) / 3600 == pytest.approx(2.3, abs=0.15)
    assert all(a.end <= b.start for a, b in zip(speech.words, speech.words[1:], strict=False))


def test_voice_detection_can_begin_anywhere() -> None:
    speech = Speech(Random(2), 30.0, "reading")
    at = to_samples(12.345) // FRAME_SAMPLES
    whole, rest = SpeechVad(speech, 0), SpeechVad(speech, at * FRAME_SAMPLES + 100)
    said = [whole(None) for _ in range(at + 200)]  # type: ignore[arg-type]
    assert [rest(None) for _ in range(200)] == said[at:]  # type: ignore[arg-type]


def test_a_batch_costs_what_the_table_says() -> None:
    one = CPU.batch_s([(8.0, 10)], beam=1)
    assert one == pytest.approx(0.146 + 0.0025 * 16 + 0.008 + 0.011 * 10)
    assert CPU.batch_s([(8.0, 10)] * 4, beam=1) < 4 * one
    assert one < CPU.batch_s([(8.0, 10)], beam=2) < CPU.batch_s([(8.0, 10)], beam=5)
    assert CPU.batch_s([(6.5, 0)], beam=1) == pytest.approx((0.090 + 0.146) / 2 + 0.0025 * 13 + 0.008)
    assert CPU.batch_s([(40.0, 0)], beam=1) > CPU.batch_s([(29.0, 0)], beam=1)


@pytest.mark.parametrize("text", ["", "[]", '{"window": "huge"}', '{"window": "small"}'])
def test_what_is_no_cost_table_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "costs.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadTable, match="is not a cost table"):
        cost_table(str(path))


def test_an_unknown_table_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cost", "abacus"]) == 2
    assert "cpu-zen3-base, cpu-zen4-base, cpu-zen4-tiny.en, gpu-h200-turbo" in capsys.readouterr().err


def test_the_output_says_that_it_is_a_simulation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sim.json"
    asked = ["--cost", "gpu-h200-turbo", "--sessions", "2,4", "--minutes", "0.5", "--json", str(path)]
    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("SIMULATION, not a measurement")
    assert "not measured" in shown
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept["simulation"] is True
    assert [run["sessions"] for run in kept["runs"]] == [2, 4]


def test_when_all_partials_are_lost_the_finals_still_say_all() -> None:
    outcome = played(table=replace(CPU, partials_lost=1.0))
    assert outcome.wrong == []
    assert outcome.words == len(outcome.first_s)


def test_a_lost_word_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def deaf(*arguments: Any, **options: Any) -> DecodeResult:
        return replace(heard(*arguments, **options), text="")

    monkeypatch.setattr("bench.fleet_worker.heard", deaf)
    assert played().wrong == ["0", "1"]


def test_drafts_leave_time_for_more_partials() -> None:
    drafts = cost_table("cpu-zen4-tiny.en")
    alone, helped = (
        played(table=cost_table("cpu-zen4-base"), draft_table=table, sessions=12) for table in (None, drafts)
    )
    assert len(helped.queue_s["partial"]) > len(alone.queue_s["partial"])
    assert helped.wrong == []
