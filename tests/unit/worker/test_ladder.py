"""What a session is told of a busy device."""

from dataclasses import replace

from shared.events import Event, SessionConfig, SpeechEnd, Warning
from tests.support.machine import Driver, scripted
from tests.support.sound import pcm16, silence, speech
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.core.ladder import NONE_FROM, NONE_FROM_S, SLOW_FROM_S, SLOW_UNTIL_S, Ladder, Step

LONG_S = NONE_FROM_S + 1


def codes(events: list[Event]) -> list[str]:
    return [event.code for event in events if isinstance(event, Warning)]


def test_slow_partials_are_told_once_and_so_is_their_end() -> None:
    ladder = Ladder()
    told = [ladder.decoded(waited_s) for waited_s in [0.1] * 3 + [3.0] * 8 + [0.0] * 20]
    assert [warning.code for warning in told if warning] == ["partials_slow", "partials_normal"]


def test_a_wait_between_the_steps_changes_nothing() -> None:
    between_s = (SLOW_FROM_S + SLOW_UNTIL_S) / 2
    ladder = Ladder()
    assert not any(ladder.decoded(between_s) for _ in range(50))
    while ladder.step is Step.FULL:
        ladder.decoded(3 * SLOW_FROM_S)
    assert not any(ladder.decoded(between_s) for _ in range(50))


def test_one_long_utterance_without_partials_may_be_a_burst_two_are_none() -> None:
    ladder = Ladder()
    told = [ladder.missed(LONG_S, 1.0) for _ in range(NONE_FROM)]
    assert told[:-1] == [None] * (NONE_FROM - 1)
    assert told[-1]
    assert told[-1].code == "partials_off"
    assert ladder.missed(LONG_S, 1.0) is None


def test_a_short_utterance_needs_no_partial() -> None:
    ladder = Ladder()
    assert not any(ladder.missed(NONE_FROM_S / 2, 1.0) for _ in range(10))


def test_where_decodes_do_not_wait_audio_only_came_fast() -> None:
    ladder = Ladder()
    assert not any(ladder.missed(LONG_S, 0.0) for _ in range(10))


def test_partials_that_return_are_slow_before_they_are_normal() -> None:
    ladder = Ladder()
    for _ in range(NONE_FROM):
        ladder.missed(LONG_S, 1.0)
    told = [ladder.decoded(0.0) for _ in range(20)]
    assert [warning.code for warning in told if warning] == ["partials_slow", "partials_normal"]


TALK = [silence(1), *(part for n in range(4) for part in (speech(LONG_S, seed=n), silence(1.5)))]


def test_a_session_on_a_busy_device_says_so_between_its_other_events() -> None:
    def late(request: DecodeRequest) -> DecodeResult:
        return replace(scripted(request), waited_s=4.0 if request.kind is Kind.PARTIAL else 0.0)

    driver = Driver(answer=late)
    driver.hear(pcm16(*TALK))
    assert codes(driver.events) == ["partials_slow"]
    assert len(driver.finals) == 4


def test_a_session_without_partials_says_so_unless_it_wants_none() -> None:
    def finals_only(request: DecodeRequest) -> DecodeResult | None:
        return replace(scripted(request), waited_s=2.0) if request.kind is Kind.FINAL else None

    for partials, expected in ((True, ["partials_off"]), (False, [])):
        config = SessionConfig(partials=partials, endpointing_ms=300)
        driver = Driver(answer=finals_only, config=config)
        driver.hear(pcm16(*TALK))
        assert codes(driver.events) == expected
        assert len(driver.of(SpeechEnd)) == len(driver.finals) == 4
