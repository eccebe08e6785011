"""What the experiment with chunks counts, from what a session said and when."""

import math

import numpy as np

from bench.dataset import Clip
from bench.experiments.chunks import chunks, figures, parts
from bench.latency import Arrival
from bench.virtual import Played, Setting, Timed
from shared.audio.pcm import SAMPLE_RATE
from shared.events import Final, Partial
from worker.core.decode import DecodeRequest, DecodeResult, Kind

SETTING = Setting(chunk_samples=SAMPLE_RATE)
CLIP = Clip(name="clip", text="one two three", pcm16=bytes(2 * round(3.8 * SAMPLE_RATE)))


def _partial(at_s: float, end_s: float) -> Arrival:
    return Arrival(at_s, Partial(utterance=0, text="one", start=0.0, end=end_s, committed=0, offset=0))


def _played() -> Played:
    final = Final(
        utterance=0,
        text="one two three",
        start=0.0,
        end=3.5,
        committed=13,
        offset=0,
        covered=3.5,
        language="en",
    )
    request = DecodeRequest(kind=Kind.PARTIAL, audio=np.zeros(0, np.float32), beam=1)
    run = Played([[_partial(1.2, 0.9), _partial(3.25, 2.9), Arrival(4.5, final)]])
    run.timed.append(Timed(3.0, 3.0, 3.25, 2.0, request, DecodeResult(text="one", language="en", steps=7)))
    run.cpu_s["partial"] = 0.38
    return run


def test_a_chunk_counts_with_the_text_that_has_heard_it_and_nothing_behind() -> None:
    # The first and the last lie too near to the clip's ends to have anything new in them.
    assert list(chunks(CLIP, _played(), SETTING)) == [(2.0, math.inf), (3.0, 0.25)]


def test_figures_leave_out_what_was_missed_and_tell_how_much() -> None:
    found = figures([CLIP], [_played()], SETTING)
    assert found["text_s"] == [0.25, 0.25]
    assert found["missed"] == "1 of 2"
    assert found["final_s"] == [1.0, 1.0]
    assert found["wer"] == 0.0
    assert found["cpu"] == {"partial": 0.1}


def test_a_late_chunk_is_told_with_what_ran_before_its_text() -> None:
    missed, late = parts([CLIP], [_played()], SETTING, 0.2)
    told = "partial of 2.0 s (0.0 before) in 0 s, beam 1, 7 steps behind 0 words, waited 0.00, took 0.25"
    assert missed == f"clip 2.00 s: inf: {told}"
    assert late == f"clip 3.00 s: 0.250: {told}"
