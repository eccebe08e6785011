"""The invariants of the chaos suite notice what they are for."""

from collections.abc import Callable
from copy import deepcopy

import pytest

from tests.chaos.invariants import LOGGED, violations
from tests.support.live import Message
from tests.support.marked import Talk

SAID = Talk(b"\0" * 32_000 * 4, ("w1", "w2", "w3"))


def session() -> list[Message]:
    """A session without fault."""

    def utterance(n: int, start: float, end: float, text: str) -> list[Message]:
        return [
            {"type": "speech_start", "utterance": n, "start": start},
            {"type": "partial", "utterance": n, "text": text},
            {"type": "speech_end", "utterance": n, "end": end},
            {"type": "final", "utterance": n, "start": start, "end": end, "covered": end, "text": text},
        ]

    messages: list[Message] = [
        {"type": "ready"},
        *utterance(0, 0.5, 1.5, "w1 w2"),
        *utterance(1, 2.0, 3.0, "w3"),
        {"type": "closed", "duration": 4.0},
    ]
    return [{"seq": n, **m} for n, m in enumerate(messages, start=1)]


def found(messages: list[Message], log_of: list[Message] | None = None) -> list[str]:
    logged = [(m["seq"], m["type"]) for m in log_of or messages if m["type"] in LOGGED]
    return violations(messages, SAID, logged)


def test_a_session_without_fault_has_no_violations_even_if_partials_were_missed() -> None:
    whole = session()
    assert found(whole) == []
    assert found([m for m in whole if m["type"] != "partial"], whole) == []


def _drop(kind: str) -> Callable[[list[Message]], None]:
    return lambda messages: messages.remove(next(m for m in messages if m["type"] == kind))


def _repeat_final(messages: list[Message]) -> None:
    final = next(m for m in messages if m["type"] == "final")
    messages.insert(messages.index(final) + 1, deepcopy(final))


def _double_word(messages: list[Message]) -> None:
    next(m for m in messages if m["type"] == "final")["text"] = "w1 w2 w2"


def _overlap(messages: list[Message]) -> None:
    [m for m in messages if m["type"] == "final"][1]["start"] = 1.0


def _shorter(messages: list[Message]) -> None:
    messages[-1]["duration"] = 3.0


@pytest.mark.parametrize(
    "spoil",
    [_drop("final"), _drop("speech_end"), _drop("closed"), _repeat_final, _double_word, _overlap, _shorter],
)
def test_what_is_wrong_is_found(spoil: Callable[[list[Message]], None]) -> None:
    spoilt = session()
    spoil(spoilt)
    assert found(spoilt, session())
