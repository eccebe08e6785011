"""Between a session and the one who takes its events: at the client's pace, unless it has none."""

import asyncio

import pytest

from api.mailbox import Mailbox
from api.metrics import PARTIALS_DROPPED
from api.outbox import SLOW_FROM
from shared.errors import MustResume, TakenOver
from shared.events import Ack
from tests.support.wire import final, partial

pytestmark = pytest.mark.anyio


async def replay(to: Mailbox, count: int) -> None:
    for seq in range(1, count + 1):
        await to.room()
        to.push(seq, final("x"))
        await asyncio.sleep(0)  # reading the log takes its time too
    to.finish()


async def test_a_client_that_reads_gets_the_log_however_long_it_is() -> None:
    mailbox = Mailbox(stalled_s=60.0)
    putting = asyncio.create_task(replay(mailbox, SLOW_FROM * 20))
    seqs: list[int] = []
    while (item := await mailbox.take()) is not None:
        seqs.append(item[0])
    await putting
    assert seqs == list(range(1, SLOW_FROM * 20 + 1))


async def test_one_that_reads_nothing_is_to_resume() -> None:
    with pytest.raises(MustResume, match="does not read"):
        await replay(Mailbox(stalled_s=0.05), SLOW_FROM * 20)


async def test_partials_that_a_slow_client_misses_are_counted() -> None:
    before = PARTIALS_DROPPED._value.get()
    mailbox = Mailbox()
    for seq in range(1, 10 * SLOW_FROM + 1):
        mailbox.push(seq, partial("x"))
    mailbox.finish()
    taken = 0
    while await mailbox.take() is not None:
        taken += 1
    assert 0 < taken < 10 * SLOW_FROM
    assert PARTIALS_DROPPED._value.get() - before == 10 * SLOW_FROM - taken


async def test_an_error_comes_before_what_waits() -> None:
    mailbox = Mailbox()
    mailbox.push(1, final("x"))
    mailbox.fail(TakenOver("first"))
    mailbox.fail(MustResume("second"))
    with pytest.raises(TakenOver, match="first"):
        await mailbox.take()
    with pytest.raises(TakenOver):
        await mailbox.failed()


async def test_what_waits_comes_before_the_end() -> None:
    mailbox = Mailbox()
    mailbox.push(1, final("x"))
    mailbox.finish()
    assert await mailbox.take() == (1, final("x"))
    assert await mailbox.take() is None


async def test_what_is_discarded_does_not_come_and_does_not_fail() -> None:
    mailbox = Mailbox()
    mailbox.push(1, final("x"))
    mailbox.discard()
    mailbox.fail(MustResume("late"))
    assert await mailbox.take() is None


async def test_what_has_no_number_waits_for_the_first_that_has() -> None:
    mailbox, ack = Mailbox(), Ack(sample=0, finalized=0)
    mailbox.push_own(ack)
    mailbox.push(4, final("x"))
    mailbox.push_own(ack)
    assert [await mailbox.take(), await mailbox.take()] == [(4, final("x")), (4, ack)]
