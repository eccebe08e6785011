"""The native dialect: messages to acts, events to frames."""

import json

import pytest

from api.dialect import Act, Audio, Close, End, Fail, Finalize, Open, Send
from api.native import Frame, NativeDialect, parse_wish
from shared.errors import BadMessage
from shared.events import Closed, Error, Event, Finalized, SessionConfig

OPEN = Open(config=SessionConfig())


def said(event: Event) -> list[Act[Frame]]:
    return list(NativeDialect(OPEN).said(0, 7, event))


def test_it_opens_its_session_and_takes_audio_and_wishes() -> None:
    dialect = NativeDialect(OPEN)
    assert list(dialect.begin()) == [OPEN]
    assert list(dialect.received(b"ab")) == [Audio(0, b"ab")]
    assert list(dialect.received('{"type":"finalize"}')) == [Finalize(0, "")]
    assert list(dialect.received('{"type":"finalize","id":"x"}')) == [Finalize(0, "x")]
    assert list(dialect.received('{"type":"end"}')) == [End(0)]
    assert list(dialect.received('{"type":"keepalive"}')) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '{"type":"stop"}',
        '{"type":["end"]}',
        '{"type":"finalize","id":5}',
        '{"type":"finalize","id":"\\ud800"}',
        json.dumps({"type": "finalize", "id": "x" * 65}),
        "[" * 100_000,
    ],
)
def test_other_text_ends_the_session(text: str) -> None:
    (act,) = NativeDialect(OPEN).received(text)
    assert isinstance(act, Fail)
    assert isinstance(act.error, BadMessage)
    with pytest.raises(BadMessage):
        parse_wish(text)


def test_an_event_is_a_numbered_message() -> None:
    (act,) = said(Finalized(number=1, id="a", covered=1.5, utterances=2))
    assert isinstance(act, Send)
    assert json.loads(act.frame) == {
        "type": "finalized",
        "seq": 7,
        "number": 1,
        "id": "a",
        "covered": 1.5,
        "utterances": 2,
    }


def test_the_last_event_closes_with_its_code() -> None:
    assert said(Closed(reason="end", duration=0.0, utterances=0))[-1] == Close(1000)
    assert said(Error(code="bad_message", message=""))[-1] == Close(1008, "bad_message")
    assert said(Error(code="engine_fault", message=""))[-1] == Close(1011, "engine_fault")


@pytest.mark.parametrize(("code", "close"), [("taken_over", 4001), ("must_resume", 4002)])
def test_what_is_about_the_connection_is_said_by_the_close_alone(code: str, close: int) -> None:
    assert said(Error(code=code, message="")) == [Close(close, code)]
