"""Deepgram's live protocol, message by message, without a socket."""

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any

import pytest

from api.deepgram.hearing import Coded, Decoded, Heard, Undecodable
from api.deepgram.live import IDLE_S, DeepgramLive
from api.deepgram.query import parse
from api.deepgram.shapes import Request, bare
from api.dialect import Abandon, Act, Audio, Close, End, Finalize, Open, Send
from shared.audio.convert import CANONICAL, AudioFormat
from shared.events import (
    Closed,
    Error,
    Event,
    Final,
    Finalized,
    Language,
    Limits,
    Partial,
    Ready,
    SpeechEnd,
    SpeechStart,
    Warning,
    Word,
)

READY = Ready(
    session="s", token="t", model="base", limits=Limits(message_bytes_max=1, session_s_max=1, resume_s=1)
)
SECOND = bytes(32_000)


class Talk:
    """A dialect, and what it sent."""

    def __init__(self, **query: str) -> None:
        values = {"encoding": "linear16", "sample_rate": "16000", **query}
        items = [(name, value) for name, value in values.items() if value]
        self.now = 100.0
        self.frames: list[dict[str, Any]] = []
        self.acts: list[Act[str]] = []
        request = Request(id="req", created="2026-01-01T00:00:00.000Z")
        self.dialect = DeepgramLive(parse(items, live=True), request, clock=lambda: self.now, tenant="me")
        self._take(self.dialect.begin())

    def hear(self, message: Heard) -> list[dict[str, Any]]:
        return self._take(self.dialect.received(message))

    def tell(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        return self.hear(json.dumps({"type": kind, **fields}))

    def say(self, *events: Event, key: int = 0) -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = []
        for number, event in enumerate(events, 1):
            said += self._take(self.dialect.said(key, number, event))
        return said

    def of(self, kind: type[Any]) -> list[Any]:
        return [act for act in self.acts if isinstance(act, kind)]

    def _take(self, acts: Sequence[Act[str]]) -> list[dict[str, Any]]:
        frames = [json.loads(act.frame) for act in acts if isinstance(act, Send)]
        self.acts += [act for act in acts if not isinstance(act, Send)]
        self.frames += frames
        return frames


def words(*texts: str, start: float = 0.0, probability: float = 0.9) -> tuple[Word, ...]:
    return tuple(
        Word(text=text, start=start + i * 0.5, end=start + i * 0.5 + 0.4, probability=probability)
        for i, text in enumerate(texts)
    )


def final(text: str, start: float, end: float, *, utterance: int = 0, **more: Any) -> Final:
    more = {"words": words(*text.split(), start=start), "confidence": 0.8, "language": "en", **more}
    return Final(
        text=text,
        utterance=utterance,
        start=start,
        end=end,
        committed=len(text),
        offset=0,
        covered=end,
        **more,
    )


def partial(text: str, start: float, end: float, *, utterance: int = 0, **more: Any) -> Partial:
    more = {"words": words(*text.split(), start=start), "language": "en", **more}
    return Partial(text=text, utterance=utterance, start=start, end=end, committed=0, offset=0, **more)


def utterance(
    text: str, start: float, end: float, *, number: int = 0, reason: Any = "silence"
) -> list[Event]:
    return [
        SpeechStart(utterance=number, start=start),
        SpeechEnd(utterance=number, end=end, reason=reason),
        final(text, start, end, utterance=number),
    ]


REQUIRED = {
    "Results": {"channel_index", "duration", "start", "is_final", "speech_final", "channel", "metadata"},
    "Metadata": {"transaction_key", "request_id", "sha256", "created", "duration", "channels"},
    "SpeechStarted": {"channel", "timestamp"},
    "UtteranceEnd": {"channel", "last_word_end"},
    "Error": {"variant", "description"},
    "ConfigureSuccess": {"request_id"},
    "ConfigureFailure": {"request_id", "code", "description"},
}


def test_traps_21_22_no_other_message_and_no_field_missing() -> None:
    talk = Talk(interim_results="true", vad_events="true", utterance_end_ms="1000")
    talk.say(
        READY,
        Warning(code="lagging", message="slow"),
        SpeechStart(utterance=0, start=0.1),
        Language(language="de", previous="en", probability=0.9, utterance=0),
        partial("Hello", 0.1, 0.9),
        SpeechEnd(utterance=0, end=1.0, reason="silence"),
        final("Hello there.", 0.1, 1.0),
    )
    talk.now += 1
    talk.hear(SECOND * 3)
    talk.hear("no JSON")
    talk.tell("Configure", keyterms=["x"])
    talk.tell("Configure")
    talk.tell("CloseStream")
    talk.say(Closed(reason="end", duration=3.0, utterances=1))
    assert [frame["type"] for frame in talk.frames] == [
        *("SpeechStarted", "Results", "Results", "UtteranceEnd"),
        *("Error", "ConfigureFailure", "ConfigureSuccess", "Results", "Metadata"),
    ]
    for frame in talk.frames:
        assert frame.keys() >= REQUIRED[frame["type"]]
        if frame["type"] == "Results":
            assert frame["metadata"].keys() == {"request_id", "model_uuid", "model_info"}
            assert frame["metadata"]["model_info"].keys() == {"name", "version", "arch"}
            assert frame["metadata"]["model_info"]["name"] == "base"
            for reading in frame["channel"]["alternatives"]:
                assert reading.keys() == {"transcript", "confidence", "words"}


def test_a_final_says_what_was_said() -> None:
    (frame,) = Talk().say(READY, *utterance("Hello, World!", 0.2, 1.4))
    assert (frame["is_final"], frame["speech_final"], frame["from_finalize"]) == (True, True, False)
    assert (frame["start"], frame["duration"], frame["channel_index"]) == (0.0, 1.4, [0, 1])
    (reading,) = frame["channel"]["alternatives"]
    assert reading["transcript"] == "Hello, World!"
    assert [(w["word"], w["punctuated_word"]) for w in reading["words"]] == [
        ("hello", "Hello,"),
        ("world", "World!"),
    ]
    assert [(w["start"], w["end"]) for w in reading["words"]] == [(0.2, 0.6), (0.7, 1.1)]


def test_trap_24_a_text_has_confidence_from_its_words() -> None:
    (frame,) = Talk().say(final("a b", 0, 1, words=words("a", "b", probability=0.7)))
    assert frame["channel"]["alternatives"][0]["confidence"] == pytest.approx(0.7)
    (frame,) = Talk().say(final("a b", 0, 1, words=None, confidence=0.6))
    assert frame["channel"]["alternatives"][0]["confidence"] == 0.6
    (frame,) = Talk().say(final("a", 0, 1, words=words("a", probability=0.0)))
    assert frame["channel"]["alternatives"][0]["confidence"] > 0
    (frame,) = Talk().say(final("", 0, 1, words=(), confidence=0.5))
    assert frame["channel"]["alternatives"] == [{"transcript": "", "confidence": 0.0, "words": []}]


def test_finals_tile_the_stream() -> None:
    talk = Talk(interim_results="true")
    talk.say(
        *utterance("one", 0.5, 1.2),
        SpeechStart(utterance=1, start=1.1),
        partial("two", 1.1, 1.9, utterance=1),
        SpeechEnd(utterance=1, end=2.5, reason="length"),
        final("two", 1.1, 2.5, utterance=1),
        *utterance("three", 4.0, 5.0, number=2),
    )
    talk.tell("CloseStream")
    talk.say(Closed(reason="end", duration=6.0, utterances=3))
    finals = [f for f in talk.frames if f["type"] == "Results" and f["is_final"]]
    edges = [(f["start"], round(f["start"] + f["duration"], 3)) for f in finals]
    assert edges == [(0.0, 1.2), (1.2, 2.5), (2.5, 5.0), (5.0, 6.0)]
    assert [f["speech_final"] for f in finals] == [True, False, True, True]
    for frame in talk.frames:
        for said in frame.get("channel", {}).get("alternatives", []) if frame["type"] == "Results" else []:
            for word in said["words"]:
                assert frame["start"] <= word["start"] <= word["end"]
                assert word["end"] <= round(frame["start"] + frame["duration"], 3)
    (interim,) = [f for f in talk.frames if f["type"] == "Results" and not f["is_final"]]
    assert (interim["start"], interim["duration"], interim["speech_final"]) == (1.2, 0.7, False)


def test_interim_results_are_for_those_who_ask() -> None:
    assert Talk().say(partial("one", 0, 1)) == []
    talk = Talk(interim_results="true")
    assert talk.say(partial("", 0, 1, words=())) == []
    (frame,) = talk.say(partial("one two", 0, 1))
    assert (frame["is_final"], frame["speech_final"]) == (False, False)
    assert frame["channel"]["alternatives"][0]["confidence"] == pytest.approx(0.9)


def test_an_interim_result_has_all_its_words_when_only_the_end_is_decoded_again() -> None:
    talk = Talk(interim_results="true")
    talk.say(partial("one two three", 0, 2))
    (frame,) = talk.say(partial("one two three four", 0, 2.5, words=words("three", "four", start=1.0)))
    assert [w["word"] for w in frame["channel"]["alternatives"][0]["words"]] == [
        "one",
        "two",
        "three",
        "four",
    ]


def test_trap_23_finalize_is_answered_once_and_nothing_closes() -> None:
    talk = Talk()
    talk.tell("Finalize")
    assert talk.of(Finalize) == [Finalize(0)]
    talk.say(*utterance("one", 0.1, 1.0, reason="finalize"))
    assert talk.say(Finalized(number=1, covered=1.0, utterances=1)) == []
    (first,) = talk.frames
    assert (first["is_final"], first["speech_final"], first["from_finalize"]) == (True, True, True)

    talk.tell("Finalize")
    (empty,) = talk.say(Finalized(number=2, covered=1.5, utterances=1))
    assert (empty["from_finalize"], empty["is_final"], empty["start"], empty["duration"]) == (
        True,
        True,
        1.0,
        0.5,
    )
    assert empty["channel"]["alternatives"] == [{"transcript": "", "confidence": 0.0, "words": []}]
    assert talk.of(Close) == talk.of(End) == []


def test_a_final_that_was_due_anyway_does_not_answer_finalize() -> None:
    talk = Talk()
    talk.tell("Finalize")
    talk.say(*utterance("one", 0.1, 1.0), Finalized(number=1, covered=1.9, utterances=1))
    assert [frame["from_finalize"] for frame in talk.frames] == [False, True]


def test_trap_25_close_stream_says_all_then_metadata_then_closes_normally() -> None:
    talk = Talk()
    talk.hear(SECOND)
    talk.hear(SECOND * 2)
    talk.tell("CloseStream")
    assert talk.of(End) == [End(0)]
    assert talk.of(Close) == []
    talk.hear(SECOND)  # behind the end
    talk.say(READY, final("one", 0.1, 1.0), Closed(reason="end", duration=3.0, utterances=1))
    assert [frame["type"] for frame in talk.frames] == ["Results", "Results", "Metadata"]
    said = talk.frames[-1]
    assert said["sha256"] == hashlib.sha256(SECOND * 3).hexdigest()
    assert (said["duration"], said["channels"], said["request_id"]) == (3.0, 1, "req")
    assert (said["created"], said["transaction_key"]) == ("2026-01-01T00:00:00.000Z", "deprecated")
    assert said["models"] == list(said["model_info"])
    assert talk.of(Close) == [Close(1000, "")]


def test_an_empty_message_ends_the_stream_too() -> None:
    talk = Talk()
    talk.hear(b"")
    assert talk.of(End) == [End(0)]


def test_who_says_nothing_is_sent_away_but_not_who_waits_for_the_end() -> None:
    talk = Talk()
    assert talk.dialect.idle_s == IDLE_S == 10.0
    assert list(talk.dialect.idle()) == [Close(1011, "NET-0001")]
    assert talk.tell("KeepAlive") == []
    talk.tell("CloseStream")
    assert list(talk.dialect.idle()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"type":"Hello"}', '{"a":1}', "[" * 10_000])
def test_a_bad_text_message_is_told_and_nothing_else_happens(text: str) -> None:
    talk = Talk()
    (frame,) = talk.hear(text)
    assert (frame["type"], frame["variant"]) == ("Error", "SchemaError")
    assert text.startswith(frame["message"])
    assert len(frame["message"]) <= 1000
    assert talk.of(Close) == []


@pytest.mark.parametrize(
    "bad", [{"keyterms": "x"}, {"keyterms": [1]}, {"features": []}, {"features": {"a": 1}}]
)
def test_a_malformed_configure_is_a_schema_error(bad: dict[str, Any]) -> None:
    assert Talk().tell("Configure", **bad)[0]["variant"] == "SchemaError"


def test_configure_succeeds_where_it_changes_nothing() -> None:
    talk = Talk(keyterm="Steno", numerals="true")
    (same,) = talk.tell("Configure", keyterms=["Steno"], features={"numerals": True})
    assert same == {"type": "ConfigureSuccess", "request_id": "req", "keyterms": ["Steno"]}
    (other,) = talk.tell("Configure", keyterms=[])
    assert (other["type"], other["code"]) == ("ConfigureFailure", "CONFIGURE_KEYTERMS_NOT_SUPPORTED")
    (switched,) = talk.tell("Configure", features={"numerals": False})
    assert (switched["type"], switched["code"]) == ("ConfigureFailure", "CONFIGURE_INTERNAL_ERROR")


def test_utterance_end_follows_the_last_word_by_the_audio_clock() -> None:
    talk = Talk(utterance_end_ms="1000")
    talk.hear(SECOND * 2)
    talk.say(*utterance("one two", 0.0, 1.0))  # its last word ends at 0.9
    assert talk.hear(b"\0\0") == []  # speech may still be heard to begin
    talk.now += 1
    (frame,) = talk.hear(b"\0\0")
    assert frame == {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 0.9}
    assert talk.hear(SECOND * 5) == []


def test_utterance_end_does_not_come_before_its_time_or_while_somebody_speaks() -> None:
    talk = Talk(utterance_end_ms="1000")
    talk.hear(SECOND)
    talk.say(*utterance("one two", 0.0, 1.0))
    talk.now += 1
    assert talk.hear(bytes(16_000)) == []  # 1.5 s sent
    talk.say(SpeechStart(utterance=1, start=1.4))
    assert talk.hear(SECOND * 2) == []
    assert talk.say(final("", 1.4, 2.0, utterance=1, words=())) == [talk.frames[-1]]
    assert talk.hear(SECOND) == []  # no word to follow


def test_a_late_utterance_end_comes_before_the_next_speech() -> None:
    talk = Talk(utterance_end_ms="1000", vad_events="true")
    talk.say(*utterance("one", 0.0, 0.5))
    frames = talk.say(SpeechStart(utterance=1, start=2.0))
    assert [frame["type"] for frame in frames] == ["UtteranceEnd", "SpeechStarted"]


def test_utterance_end_is_for_those_who_ask() -> None:
    talk = Talk()
    talk.say(*utterance("one", 0.0, 0.5))
    talk.now += 1
    assert talk.hear(SECOND * 9) == []


def test_speech_started_is_for_those_who_ask() -> None:
    assert Talk().say(SpeechStart(utterance=0, start=0.3)) == []
    (frame,) = Talk(vad_events="true").say(SpeechStart(utterance=0, start=0.3))
    assert frame == {"type": "SpeechStarted", "channel": [0, 1], "timestamp": 0.3}


def test_languages_are_named_with_multi() -> None:
    (frame,) = Talk(language="multi").say(final("oui", 0, 1, language="fr"))
    (reading,) = frame["channel"]["alternatives"]
    assert reading["languages"] == ["fr"]
    assert reading["words"][0]["language"] == "fr"


def test_each_channel_is_a_session_of_its_own() -> None:
    talk = Talk(channels="2", multichannel="true")
    first, second = talk.of(Open)
    assert (first.key, second.key, first.is_admitted, second.is_admitted) == (0, 1, True, False)
    assert first.audio == second.audio == AudioFormat("pcm16", 16000, 1)
    assert first.config.tenant == "me"
    talk.hear(b"aAbBc")
    talk.hear(b"CdD")
    heard = {key: b"".join(a.data for a in talk.of(Audio) if a.key == key) for key in (0, 1)}
    assert heard == {0: b"aAcC", 1: b"bBdD"}
    talk.tell("Finalize", channel=1)
    talk.tell("Finalize")
    assert [act.key for act in talk.of(Finalize)] == [1, 0, 1]
    (frame,) = talk.say(final("one", 0, 1), key=1)
    assert frame["channel_index"] == [1, 2]
    talk.tell("CloseStream")
    talk.say(Closed(reason="end", duration=1.0, utterances=1), key=1)
    assert talk.of(Close) == []
    talk.say(Closed(reason="end", duration=1.0, utterances=0))
    assert talk.frames[-1]["channels"] == 2
    assert talk.of(Close) == [Close(1000, "")]


def test_channels_are_heard_as_one_unless_asked() -> None:
    (opened,) = Talk(channels="2").of(Open)
    assert opened.audio == AudioFormat("pcm16", 16000, 2)


def test_finalize_for_a_channel_that_is_not_there() -> None:
    assert Talk().tell("Finalize", channel=3)[0]["variant"] == "SchemaError"
    assert Talk().tell("Finalize", channel=[0, 1]) == []


def test_audio_in_a_container() -> None:
    talk = Talk(encoding="", sample_rate="")
    assert [act.audio for act in talk.of(Open)] == [CANONICAL]
    talk.hear(Coded(b"OggS"))
    talk.hear(Decoded((SECOND,)))
    assert talk.of(Audio) == [Audio(0, SECOND)]
    talk.tell("CloseStream")
    talk.say(Closed(reason="end", duration=1.0, utterances=0))
    assert talk.frames[-1]["sha256"] == hashlib.sha256(b"OggS").hexdigest()


def test_channels_of_a_container_are_known_when_they_come() -> None:
    talk = Talk(encoding="", sample_rate="", multichannel="true")
    assert talk.of(Open) == []
    assert talk.tell("Finalize")[0]["from_finalize"] is True  # nothing to wait for
    talk.hear(Decoded((b"aa", b"bb")))
    talk.hear(Decoded((b"cc",)))
    assert [act.key for act in talk.of(Open)] == [0, 1]
    assert talk.of(Audio) == [Audio(0, b"aa"), Audio(1, b"bb"), Audio(0, b"cc"), Audio(1, b"\0\0")]


def test_a_stream_that_never_had_audio_ends_too() -> None:
    talk = Talk(encoding="", sample_rate="", multichannel="true")
    (frame,) = talk.tell("CloseStream")
    assert (frame["type"], frame["duration"]) == ("Metadata", 0.0)
    assert talk.of(Close) == [Close(1000, "")]


def test_what_is_no_audio_is_said_and_closed() -> None:
    talk = Talk(encoding="", sample_rate="")
    (frame,) = talk.hear(Undecodable("no audio"))
    assert (frame["type"], frame["variant"]) == ("Error", "bad_audio")
    assert talk.of(Close) == [Close(1008, "DATA-0000")]


@pytest.mark.parametrize("code", ["no_capacity", "broker_lost", "engine_fault", "must_resume"])
def test_a_failure_is_said_and_closed_so_that_clients_connect_again(code: str) -> None:
    talk = Talk()
    (frame,) = talk.say(Error(code=code, message="why"))
    assert (frame["type"], frame["variant"], frame["description"]) == ("Error", code, "why")
    assert talk.of(Close) == [Close(1011, "NET-0000")]
    assert talk.of(Abandon) == []


@pytest.mark.parametrize(
    ("text", "inner"),
    [("Hello,", "hello"), ("«Ja»", "ja"), ("don't", "don't"), ("…", "…"), ("$5.20", "5.20")],
)
def test_a_bare_word(text: str, inner: str) -> None:
    assert bare(text) == inner


def test_numbers_are_numbers() -> None:
    (frame,) = Talk().say(final("a", 0, 1, words=words("a", probability=1.5)))
    reading = frame["channel"]["alternatives"][0]
    assert reading["confidence"] == 1.0
    assert all(math.isfinite(word["confidence"]) for word in reading["words"])
