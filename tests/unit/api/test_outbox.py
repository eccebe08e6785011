"""What waits for a slow client: partials are replaced, finals are kept, and too many end the connection."""

import pytest

from api.outbox import SLOW_FROM, WAITING_MAX, Outbox
from shared.errors import MustResume
from shared.events import Ack, Event
from tests.support.wire import final, partial


def all_of(outbox: Outbox) -> list[tuple[int, Event]]:
    taken: list[tuple[int, Event]] = []
    while item := outbox.take():
        taken.append(item)
    return taken


def test_a_client_that_reads_gets_everything() -> None:
    outbox = Outbox()
    said = [(1, partial("a")), (2, partial("b")), (3, final("c"))]
    for item in said:
        outbox.push(item)
    assert all_of(outbox) == said
    assert outbox.take() is None
    assert outbox.dropped == 0


def test_for_a_slow_one_the_newest_partial_replaces_those_before() -> None:
    outbox = Outbox()
    for seq in range(WAITING_MAX * 4):
        outbox.push((seq, partial(str(seq))))
    taken = all_of(outbox)
    assert len(taken) <= SLOW_FROM
    assert taken[-1] == (WAITING_MAX * 4 - 1, partial(str(WAITING_MAX * 4 - 1)))
    assert outbox.dropped == WAITING_MAX * 4 - len(taken)


def test_a_final_replaces_the_partials_and_is_never_dropped() -> None:
    outbox = Outbox()
    for seq in range(SLOW_FROM):
        outbox.push((seq, partial(str(seq))))
    finals = [(1000 + n, final("x", utterance=n)) for n in range(WAITING_MAX)]
    for item in finals:
        outbox.push(item)
    assert all_of(outbox) == finals


def test_too_many_finals_end_the_connection_not_the_session() -> None:
    outbox = Outbox()
    for n in range(WAITING_MAX):
        outbox.push((n, final("x", utterance=n)))
    with pytest.raises(MustResume, match="resume"):
        outbox.push((WAITING_MAX, final("x")))


def test_of_waiting_acks_only_the_last_counts() -> None:
    outbox = Outbox()
    for n in range(WAITING_MAX):
        outbox.push((1, Ack(sample=n, finalized=0)))
    assert all_of(outbox)[-1] == (1, Ack(sample=WAITING_MAX - 1, finalized=0))
    assert outbox.dropped > 0
