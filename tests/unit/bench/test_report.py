"""The report puts recordings, baseline and usage together."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bench import capacity
from bench.baseline import Baseline, Heard
from bench.dataset import Passage, Program, programs
from bench.latency import GoldWord
from bench.live import keep_run
from bench.replay import Recording
from bench.report import report, table
from bench.usage import Usage

PASSAGE = Passage(name="a", language="en", text="red fox", pcm16=bytes(2 * 16_000 * 3))
HEARD = Heard(
    "a", "red box", (GoldWord("red", 0.5), GoldWord("box", 1.0)), cpu_s=1.5, wall_s=1.0, audio_s=3.0
)
BASELINE = Baseline("base", "int8", 2, (HEARD,))
SPENT = {"worker": 1.6, "api": 0.4}
USAGE = Usage(cpu_s=2.0, peak_rss_bytes=5_000_000, cpu_s_by_command=SPENT, others_cores=0.1)


def program() -> Program:
    (made,) = programs([PASSAGE], count=1, seconds=1)
    return made


def messages() -> list[tuple[float, dict[str, Any]]]:
    """A session of one utterance, as the service sends it."""
    place = {"utterance": 0, "start": 0.0, "offset": 0}
    return [
        (0.0, {"type": "ready", "seq": 1, "session": "s", "token": "t", "model": "base", "limits": limits()}),
        (
            0.9,
            {"type": "partial", "seq": 2, "text": "red", "final": False, "end": 0.9, "committed": 0, **place},
        ),
        (
            1.5,
            {
                "type": "final",
                "seq": 3,
                "text": "red fox",
                "final": True,
                "end": 1.2,
                "committed": 7,
                **place,
            },
        ),
        (1.6, {"type": "closed", "seq": 4, "reason": "end", "duration": 4.0, "utterances": 1}),
    ]


def limits() -> dict[str, Any]:
    return {"message_bytes_max": 1, "session_s_max": 1.0, "resume_s": 1.0}


def recording(**changes: Any) -> Recording:
    made = Recording(ready_s=0.01, sent_s=4.0, messages=messages(), slips_s=[0.001], close_code=1000)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_figures_of_a_clean_session():
    """Errors of both sides, latency from the baseline's clock, cost per second of audio."""
    figures = report([(program(), recording())], BASELINE, USAGE)
    assert (figures.failures, figures.invalid, figures.refused) == ((), "", 0)
    assert (figures.wer, figures.baseline_wer) == (0.0, 0.5)
    assert (figures.word_first.count, figures.matched_words) == (2, 1.0)
    assert math.isclose(figures.word_first.largest, 0.5)
    assert math.isclose(figures.final.p50, 0.5)
    assert (figures.cpu_per_audio_s, figures.baseline_cpu_per_audio_s) == (0.5, 0.5)
    assert figures.cpu_per_audio_s_by_command == {"worker": 0.4, "api": 0.1}
    assert "FAILED" not in table(figures)


def test_a_refused_session_is_counted_and_not_scored():
    """It has no words, which must not look like words missed."""
    refused = recording(ready_s=math.nan, messages=[], failure="no_capacity: busy")
    figures = report([(program(), recording()), (program(), refused)], BASELINE, None)
    assert (figures.sessions, figures.refused) == (2, 1)
    assert figures.wer == 0.0
    assert figures.failures == ("session 1: no_capacity: busy",)
    assert "FAILED session 1" in table(figures)


def test_broken_numbers_and_closes_are_failures():
    """A gap in `seq` and a close other than 1000."""
    gap = messages()
    gap[2][1]["seq"] = 7
    figures = report([(program(), recording(messages=gap, close_code=1011))], BASELINE, USAGE)
    assert figures.failures == ("session 0: seq does not rise by one", "session 0: close code 1011")


def test_a_late_load_generator_spoils_the_run():
    """Figures of an overloaded client say nothing about the server."""
    figures = report([(program(), recording(slips_s=[0.001, 0.3]))], BASELINE, USAGE)
    assert "INVALID" in table(figures)


def test_other_work_on_the_machine_spoils_the_run():
    """Latency beside a compiler says nothing either."""
    disturbed = Usage(cpu_s=2.0, peak_rss_bytes=1, cpu_s_by_command=SPENT, others_cores=0.7)
    assert "0.70 cores" in report([(program(), recording())], BASELINE, disturbed).invalid


def test_nothing_served_is_still_a_report():
    """All sessions refused: no figure is zero by accident."""
    figures = report([(program(), recording(ready_s=math.nan, failure="x"))], BASELINE, USAGE)
    assert math.isnan(figures.wer)
    assert math.isnan(figures.cpu_per_audio_s)
    assert table(figures)


def test_a_kept_run_is_json_and_has_everything(tmp_path: Path):
    """NaN has no place in JSON."""
    played = [(program(), recording()), (program(), recording(ready_s=math.nan, failure="x"))]
    path = tmp_path / "run.json"
    keep_run(path, {"commit": "c"}, report(played, BASELINE, None), BASELINE, played)
    run = json.loads(path.read_text(), parse_constant=lambda name: f"not JSON: {name}")
    assert run["figures"]["cpu_per_audio_s"] is None
    assert run["sessions"][0]["messages"][1][1]["text"] == "red"
    assert run["sessions"][1]["ready_s"] is None
    assert run["baseline"]["heard"][0]["text"] == "red box"


def test_a_line_of_the_table_of_capacity_says_what_spoils_it():
    refused = recording(ready_s=math.nan, messages=[], failure="no_capacity: busy")
    clean = capacity.row(report([(program(), recording())], BASELINE, USAGE))
    assert clean == "| 1 | 0 | 0.45 / 0.49 | 0.50 / 0.50 | 0.00%, 50.00% | 0.0% | 0.500, 0.50 | 5 |"
    spoilt = capacity.row(report([(program(), recording()), (program(), refused)], BASELINE, USAGE))
    assert spoilt.startswith("| 2 | 1 |")
    assert spoilt.endswith("| INVALID: session 1: no_capacity: busy")


@pytest.mark.parametrize("numbers", ["", "0", "4,", "four", "-1"])
def test_numbers_of_sessions_that_are_none(numbers: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        capacity.main([f"--sessions={numbers}"])
    assert "whole numbers of at least 1" in capsys.readouterr().err
