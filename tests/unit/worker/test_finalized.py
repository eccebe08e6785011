"""`finalize` is answered: when all that was said before it has its final, once, whoever the owner is."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events import Final, Finalized, Partial, SessionConfig
from tests.support.machine import Driver, scripted
from tests.support.sound import loudness_vad, pcm16, silence, speech
from worker.core.effects import Decode, Effect, Emit, SessionOptions
from worker.core.session import Session


def answers(driver: Driver) -> list[Finalized]:
    return [event for event in driver.events if isinstance(event, Finalized)]


def test_in_silence_it_is_answered_at_once() -> None:
    driver = Driver()
    driver.apply(driver.session.finalize(1, "before any audio"))
    driver.hear(pcm16(silence(2)))
    driver.apply(driver.session.finalize(2))
    assert answers(driver) == [
        Finalized(number=1, id="before any audio", covered=0.0, utterances=0),
        Finalized(number=2, covered=2.0, utterances=0),
    ]


def test_the_answer_comes_behind_the_final() -> None:
    driver = Driver()
    driver.hear(pcm16(speech(2)))
    driver.apply(driver.session.finalize(1, "a"))
    last = driver.events[-2:]
    assert isinstance(last[0], Final)
    assert last[1] == Finalized(number=1, id="a", covered=2.0, utterances=1)


def test_each_of_two_at_one_place_is_answered() -> None:
    driver = Driver()
    driver.hear(pcm16(speech(2)))
    driver.apply(driver.session.finalize(1, "a"))
    driver.apply(driver.session.finalize(2, "b"))
    assert [(a.number, a.id) for a in answers(driver)] == [(1, "a"), (2, "b")]


def test_without_a_number_nothing_is_answered() -> None:
    """An edge of another version did not count."""
    driver = Driver()
    driver.hear(pcm16(speech(2)))
    driver.apply(driver.session.finalize())
    assert driver.finals
    assert answers(driver) == []


def test_nothing_of_a_later_utterance_comes_before_the_answer() -> None:
    session = Session(SessionConfig(language="en"), loudness_vad, options=SessionOptions())
    events: list[object] = []
    held: list[Decode] = []

    def do(effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Emit):
                events.extend(effect.events)
            elif isinstance(effect, Decode):
                held.append(effect)

    def answer_all() -> None:
        while held:
            decode = held.pop(0)
            do(session.decoded(decode.ticket, scripted(decode.request)))

    talk = pcm16(speech(2))
    do(session.audio(0, talk))
    do(session.finalize(1))
    more = pcm16(speech(4, seed=2))
    do(session.audio(len(talk) // 2, more))
    assert not any(isinstance(event, Finalized) for event in events)
    answer_all()
    do(session.end())
    answer_all()
    place = next(i for i, event in enumerate(events) if isinstance(event, Finalized))
    assert events[place] == Finalized(number=1, covered=2.0, utterances=1)
    said = [(i, e.utterance) for i, e in enumerate(events) if isinstance(e, Final | Partial)]
    assert {utterance for i, utterance in said if i < place} == {0}
    assert {utterance for i, utterance in said if i > place} == {1}


def test_one_that_waits_is_answered_before_the_session_closes() -> None:
    driver = Driver(answer=lambda request: None)
    driver.hear(pcm16(speech(2)))
    session, held = driver.session, list[Decode]()
    for effect in [*session.finalize(1), *session.end()]:
        if isinstance(effect, Decode):
            held.append(effect)
    driver.answer = scripted
    driver.apply(list(held))
    kinds = [event.type for event in driver.events if not isinstance(event, Partial)]
    assert kinds[-3:] == ["final", "finalized", "closed"]


@settings(max_examples=40, deadline=None)
@given(
    marks=st.lists(st.integers(0, 60), min_size=1, max_size=5).map(sorted),
    death=st.integers(0, 60),
    lost=st.integers(0, 3),
)
def test_a_successor_answers_what_the_owner_did_not(marks: list[int], death: int, lost: int) -> None:
    """The owner dies after some tenth of a second, and its last writes never arrive. Redis keeps marks from
    the covered sample on."""
    talk = pcm16(silence(0.5), speech(2), silence(1), speech(1.5, seed=4), silence(1))
    said, covered, left = _live(talk, marks, until=death, drop=lost)
    first = [event for event in said if isinstance(event, Finalized)]
    second = Driver(committed=covered, checkpoint=left)
    _hear(second, talk, marks, begin=covered, until=60)
    second.apply(second.session.end())
    numbers = [a.number for a in (*first, *answers(second))]
    assert numbers == list(range(1, len(marks) + 1))


def _live(talk: bytes, marks: list[int], *, until: int, drop: int) -> tuple[list[object], int, object]:
    """What an owner had written when it died."""
    writes: list[Emit] = []

    class Owner(Driver):
        def apply(self, effects: list[Effect]) -> None:
            for effect in effects:
                if isinstance(effect, Emit):
                    writes.append(effect)
                super().apply([effect])

    _hear(Owner(), talk, marks, begin=0, until=until)
    kept = Driver()
    for write in writes[: len(writes) - drop]:
        kept.apply([write])
    return list(kept.events), kept.covered[-1] if kept.covered else 0, kept.left


def _hear(driver: Driver, talk: bytes, marks: list[int], *, begin: int, until: int) -> None:
    """Audio from a sample on, and the marks that are kept, each in its place."""
    for tenth in range(until + 1):
        at = tenth * 1600
        start = max(begin, at - 1600)
        if start < at:
            driver.hear(talk[start * 2 : at * 2], start=start)
        for number, mark in enumerate(marks, 1):
            if mark == tenth and at >= begin:
                driver.apply(driver.session.finalize(number))
