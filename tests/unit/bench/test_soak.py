"""What the soak and the failover benches make of what they saw."""

import xml.etree.ElementTree as ET

from bench.failover import is_whole, silences
from bench.plot import Chart, svg
from bench.replay import Recording
from bench.soak_report import Sample, Soak, grown, growth


def sample(n: int, rss_bytes: int) -> Sample:
    return Sample(
        at_s=5.0 * n,
        rss_bytes={"worker": rss_bytes},
        files={},
        redis_bytes=1,
        redis_keys=1,
        latency_ms={},
        active=1,
    )


def test_growth_is_from_behind_the_warm_up_to_the_end() -> None:
    warm = [sample(n, 10 + n) for n in range(4)]
    steady = [sample(n, 100) for n in range(4, 12)]
    later = [sample(n, 110) for n in range(12, 16)]
    assert growth(warm + steady + later, lambda s: s.rss_bytes["worker"]) == 10.0
    assert growth(warm[:2], lambda s: s.rss_bytes["worker"]) is None
    assert grown(Soak(samples=warm + steady + later)) == ["worker"]
    assert grown(Soak(samples=steady)) == []


def test_a_plot_is_xml_with_a_line_for_each_series() -> None:
    drawn = svg([Chart("a & b", {"one": [(0, 1.0), (5, 2.0)], "two": [(0, 0.0)]}), Chart("empty", {})])
    lines = [e for e in ET.fromstring(drawn).iter() if e.tag.endswith("polyline")]
    assert len(lines) == 2


def test_silence_after_a_kill_is_told_from_pauses_before_it() -> None:
    recording = Recording(zero_s=100.0)
    recording.messages = [(t, {"type": "partial"}) for t in (1.0, 3.5, 4.0, 6.0)]
    assert silences(recording, 105.0) == (1.0, 2.5)
    assert silences(recording, 107.0)[0] == float("inf")


def test_a_session_is_whole_with_every_final_and_a_close() -> None:
    recording = Recording()
    finals = [{"type": "final", "utterance": n} for n in range(2)]
    recording.messages = [(0.0, m) for m in (*finals, {"type": "closed"})]
    assert is_whole(recording)
    recording.messages.pop(0)
    assert not is_whole(recording)
