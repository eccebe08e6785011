"""What is measured of sessions and batches: times and counts, never text."""

import io
import json
from typing import Any

import pytest

from shared.events import Final, Partial, SpeechEnd, SpeechStart, Word
from worker.core.decode import Kind
from worker.core.effects import Dropped
from worker.core.filters import Drop
from worker.event_log import EventLog
from worker.metrics import DROPPED
from worker.quality import Quality, SessionQuality, shown_words


class Bench:
    """A session under watch, with a clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.file = io.StringIO()
        self.session = Quality(EventLog(self.file, clock=lambda: self.now_s)).session("s", 0)

    def records(self, kind: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.file.getvalue().splitlines()]
        return [record for record in found if record["record"] == kind]


def partial(text: str, end: float, words: tuple[Word, ...] | None = None) -> Partial:
    return Partial(text=text, utterance=0, start=0.0, end=end, committed=0, offset=0, words=words)


def final(text: str, end: float) -> Final:
    return Final(text=text, utterance=0, start=0.0, end=end, committed=len(text), offset=0)


@pytest.fixture
def bench() -> Bench:
    """Two seconds of audio have arrived, each at its end."""
    bench = Bench()
    for tenth in range(1, 21):
        bench.now_s = 100.0 + tenth / 10
        bench.session.arrived(tenth * 1600)
    return bench


def test_an_event_lags_behind_the_arrival_of_its_audio(bench: Bench) -> None:
    bench.now_s = 102.5
    bench.session.published([SpeechEnd(utterance=0, end=1.5, reason="silence")], None)
    (event,) = bench.records("event")
    assert (event["type"], event["lag_s"]) == ("speech_end", pytest.approx(1.0))


def test_words_without_times_are_spread_over_the_audio_that_is_new(bench: Bench) -> None:
    bench.now_s = 103.0
    bench.session.published([partial("one two", 1.0)], None)
    bench.session.published([partial("one two three four", 2.0)], None)
    lags = [event["word_lags_s"] for event in bench.records("event")]
    assert lags[0] == [pytest.approx(2.5), pytest.approx(2.0)]
    assert lags[1] == [pytest.approx(1.5), pytest.approx(1.0)]


def test_words_with_times_lag_behind_their_own_end(bench: Bench) -> None:
    words = tuple(Word(text=t, start=0.0, end=e, probability=1.0) for t, e in (("one", 0.4), ("two", 0.7)))
    bench.now_s = 103.0
    bench.session.published([partial("one two", 2.0, words)], None)
    assert bench.records("event")[0]["word_lags_s"] == [pytest.approx(2.6), pytest.approx(2.3)]


def test_words_that_change_are_taken_back_with_all_behind_them(bench: Bench) -> None:
    said: list[Partial | Final] = [partial("one too three", 1.0), partial("One, two three", 1.5)]
    bench.session.published([*said, final("One, two three four.", 2.0)], 32_000)
    assert [event["taken_back"] for event in bench.records("event")] == [0, 2, 0]
    assert [event["words"] for event in bench.records("event")] == [3, 3, 4]


def test_no_text_is_written(bench: Bench) -> None:
    bench.session.published([partial("secret", 1.0), final("secret words", 2.0)], None)
    bench.session.dropped(Dropped(Drop.PHRASE, Kind.FINAL))
    bench.session.ended("settled", 32_000)
    assert "secret" not in bench.file.getvalue()
    assert bench.records("drop")[0]["reason"] == "phrase"


@pytest.mark.parametrize("reason", list(Drop))
def test_each_reason_to_drop_a_text_is_counted_by_itself(bench: Bench, reason: Drop) -> None:
    def counted() -> dict[tuple[str, ...], float]:
        return {key: count._value.get() for key, count in DROPPED._metrics.items()}

    for kind, name in ((Kind.PARTIAL, "partial"), (Kind.FINAL, "final")):
        before = counted()
        bench.session.dropped(Dropped(reason, kind))
        after = counted()
        assert {key: after[key] - before.get(key, 0.0) for key in after if after[key] != before.get(key)} == {
            (name, str(reason)): 1.0
        }
        assert (bench.records("drop")[-1]["kind"], bench.records("drop")[-1]["reason"]) == (name, reason)


def test_what_is_decided_is_forgotten() -> None:
    session = SessionQuality(EventLog(clock=lambda: 0.0), "s")
    for second in range(3600):
        session.arrived((second + 1) * 16_000)
        session.published([partial("one", second + 0.5), final("one two", second + 1.0)], second * 16_000)
        assert session.held <= 3


def test_a_disk_that_is_full_ends_the_log_and_nothing_else() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    log = EventLog(Full())
    log.write("worker")
    log.write("worker")
    log.close()


def test_punctuation_is_no_word() -> None:
    assert shown_words("Well - it's so, 今日!") == ["well", "it's", "so", "今", "日"]


def test_a_session_lags_by_the_audio_behind_its_last_text(bench: Bench) -> None:
    session = bench.session
    assert session.lag_s(32_000, speaking=False) == 0.0
    assert session.lag_s(16_000, speaking=False) == 1.0  # the machine has not heard all that came
    session.published([SpeechStart(utterance=0, start=0.5)], None)
    assert session.lag_s(32_000, speaking=True) == 1.5
    session.published([partial("one", 1.25)], None)
    assert session.lag_s(32_000, speaking=True) == 0.75
    assert session.lag_s(32_000, speaking=False) == 0.0  # without partials nothing is due
    session.published([SpeechEnd(utterance=0, end=1.5, reason="silence")], None)
    assert session.lag_s(32_000, speaking=False) == 0.75  # but now its final is
    session.published([final("one two", 1.5)], 24_000)
    assert session.lag_s(32_000, speaking=False) == 0.0
