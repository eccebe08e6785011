"""Messages from the server become events, and events become the transcript."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.errors import BadReply, ConnectionLost
from client.incoming import LiveTranscript, Received, closed_early, parse
from shared.codec import event_to_map
from shared.errors import BadRequest, NoCapacity, StenoError, TooLarge
from shared.events import Event, SpeechStart
from shared.transcript import Tail, join
from tests.support.wire import READY, final, partial


@pytest.mark.parametrize(
    "event", [READY, partial("hello"), final("hello"), SpeechStart(utterance=1, start=0.5)]
)
def test_an_event_comes_back_as_it_was_sent(event: Event) -> None:
    assert parse(json.dumps({**event_to_map(event), "seq": 7})) == Received(7, event)


def test_a_field_of_a_newer_server_is_ignored() -> None:
    message = {**event_to_map(final("hello")), "seq": 1, "mood": "good"}
    assert parse(json.dumps(message)) == Received(1, final("hello"))


def test_a_message_of_a_newer_server_is_passed_over() -> None:
    assert parse('{"type": "applause", "seq": 3}') is None


@pytest.mark.parametrize(
    "message",
    [
        "",
        "hello",
        "[]",
        "3",
        b"\xff\xfe",
        '{"type": "final", "seq": 1}',
        '{"type": "ready"}',
        '{"seq": "1"}',
        "[" * 9999,
    ],
)
def test_what_is_not_the_protocol_is_a_bad_reply(message: str | bytes) -> None:
    with pytest.raises(BadReply, match="Steno server"):
        parse(message)


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        (1000, ConnectionLost),
        (1006, ConnectionLost),
        (1011, ConnectionLost),
        (1008, BadRequest),
        (1009, TooLarge),
        (1013, NoCapacity),
    ],
)
def test_a_close_without_a_word_is_explained_by_its_code(code: int, cls: type[StenoError]) -> None:
    error = closed_early(code, "because")
    assert type(error) is cls
    assert f"({code} because)" in str(error)


def test_a_partial_replaces_the_one_before_and_the_final_replaces_it() -> None:
    transcript = LiveTranscript()
    for event in (final("Hello."), partial("how", offset=7), partial("who are", offset=7, committed=3)):
        transcript = transcript.after(event)
    assert transcript == LiveTranscript("Hello. who are", 10, "Hello.")
    assert transcript.after(final("How?", offset=7)) == _finals("Hello. How?")


def test_an_empty_final_takes_its_partials_back() -> None:
    transcript = _finals("Hello.").after(partial("hm", offset=7))
    assert transcript.after(final("", offset=6)) == _finals("Hello.")


def test_an_event_without_text_leaves_the_transcript() -> None:
    transcript = _finals("Hello.")
    assert transcript.after(SpeechStart(utterance=1, start=2.0)) is transcript


_TEXTS = st.lists(st.text(st.sampled_from("ab é日本ก."), max_size=6).map(str.strip), max_size=8)


@given(_TEXTS, _TEXTS)
def test_finals_put_in_place_are_the_joined_transcript(texts: list[str], guesses: list[str]) -> None:
    """Whatever the partials in between said."""
    tail, transcript, whole = Tail(), LiveTranscript(), ""
    for number, text in enumerate(texts):
        for guess in guesses:
            transcript = transcript.after(partial(guess, offset=tail.offset_of(guess)))
        transcript = transcript.after(final(text, offset=tail.offset_of(text), utterance=number))
        tail, whole = tail.after(text), join(whole, text)
        assert transcript == _finals(whole)


def _finals(text: str) -> LiveTranscript:
    """The transcript when no utterance is open."""
    return LiveTranscript(text, len(text), text)
