"""Nothing that a server may still lack is forgotten, and all of it is written again in its place."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.resend import KEEP_S, ResendBuffer, Wish
from client.resuming import Resume

FRAME = 4
PER_S = 40


def buffer(*, is_kept: bool = True) -> ResendBuffer:
    return ResendBuffer(frame_bytes=FRAME, bytes_per_s=PER_S, is_kept=is_kept)


def written(outgoing: ResendBuffer, bytes_max: int = 10**6) -> list[bytes | Wish]:
    pieces: list[bytes | Wish] = []
    while (piece := outgoing.next(bytes_max)) is not None:
        pieces.append(piece)
    return pieces


def test_what_is_put_is_written_once_and_in_order() -> None:
    outgoing = buffer()
    outgoing.audio(b"12345678")
    outgoing.finalize()
    outgoing.audio(b"9")
    outgoing.end()
    assert written(outgoing, 5) == [b"12345", b"678", Wish("finalize", 1), b"9", Wish("end")]
    assert outgoing.next(5) is None


def test_a_wish_that_arrived_is_not_said_again_and_one_that_did_not_is() -> None:
    outgoing = buffer()
    for piece in (b"aaaa", b"bbbb"):
        outgoing.audio(piece)
        outgoing.finalize()
    outgoing.end()
    written(outgoing)
    outgoing.rewind(1, 1, ended=False)
    assert written(outgoing) == [b"bbbb", Wish("finalize", 2), Wish("end")]
    outgoing.rewind(0, 1, ended=False)
    assert written(outgoing) == [b"aaaa", b"bbbb", Wish("finalize", 2), Wish("end")]
    outgoing.rewind(2, 1, ended=False)
    assert written(outgoing) == [Wish("finalize", 2), Wish("end")]


def test_after_the_end_arrived_nothing_is_sent() -> None:
    outgoing = buffer()
    outgoing.audio(b"aaaa")
    outgoing.end()
    written(outgoing)
    outgoing.rewind(1, 0, ended=True)
    assert written(outgoing) == []


def test_the_last_seconds_are_kept_though_the_server_has_them() -> None:
    outgoing = buffer()
    for _ in range(20):
        outgoing.audio(b"x" * PER_S)
    written(outgoing)
    outgoing.acked(20 * PER_S // FRAME, 0)
    assert outgoing.unacked_bytes == 0
    kept_from = (20 - int(KEEP_S)) * PER_S // FRAME
    outgoing.rewind(kept_from, 0, ended=False)
    assert outgoing.unacked_bytes == KEEP_S * PER_S
    with pytest.raises(LookupError):
        outgoing.rewind(kept_from - 20, 0, ended=False)


def test_a_place_that_was_never_sent_is_refused() -> None:
    outgoing = buffer()
    outgoing.audio(b"aaaa")
    with pytest.raises(LookupError):
        outgoing.rewind(2, 0, ended=False)


def test_without_a_resume_nothing_is_kept() -> None:
    outgoing = buffer(is_kept=False)
    outgoing.audio(b"aaaa")
    assert outgoing.unacked_bytes == 4
    written(outgoing)
    assert outgoing.unacked_bytes == 0
    with pytest.raises(LookupError):
        outgoing.rewind(0, 0, ended=False)


_PIECES = st.lists(st.one_of(st.binary(min_size=1, max_size=30), st.just(None)), max_size=30)


@given(_PIECES, st.data())
def test_a_server_that_loses_connections_hears_everything_once(
    pieces: list[bytes | None], data: st.DataObject
) -> None:
    """The server takes a prefix of what is written, says so or not, and asks again for what it lacks. `None`
    stands for `finalize`."""
    outgoing = buffer()
    got, finalized, places = b"", 0, list[int]()
    waiting = list(pieces)
    for _ in range(200):
        if waiting:
            piece = waiting.pop(0)
            outgoing.finalize() if piece is None else outgoing.audio(piece)
        position = data.draw(st.integers(0, len(got) // FRAME)) if got else 0
        match data.draw(st.sampled_from(("write", "cut", "ack"))):
            case "cut":
                outgoing.rewind(len(got) // FRAME, finalized, ended=False)
                got = got[: len(got) // FRAME * FRAME]
            case "ack":
                outgoing.acked(position, 0)
            case _:
                said = outgoing.next(data.draw(st.integers(1, 9)))
                if isinstance(said, bytes):
                    got += said
                elif said:
                    finalized += 1
                    assert said.number == finalized
                    places.append(len(got))
        if not waiting:
            break
    outgoing.rewind(len(got) // FRAME, finalized, ended=False)
    got = got[: len(got) // FRAME * FRAME]
    for said in written(outgoing):
        if isinstance(said, bytes):
            got += said
        else:
            places.append(len(got))
    assert got == b"".join(piece or b"" for piece in pieces)
    expected = [sum(len(p or b"") for p in pieces[:i]) for i, piece in enumerate(pieces) if piece is None]
    assert places == expected


def test_attempts_are_spread_and_grow_to_a_bound() -> None:
    resume = Resume(delay_s=0.5, delay_s_max=4.0)
    longest = [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    for seed in range(50):
        delays = resume.delays_s(random.Random(seed))
        assert all(0 <= next(delays) <= bound for bound in longest)
    first = {next(resume.delays_s(random.Random(seed))) for seed in range(20)}
    assert len(first) == 20
