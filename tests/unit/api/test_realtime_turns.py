"""The Realtime dialect against imagined sessions: items, their order and their text. No event loop."""

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.openai_realtime.config import initial
from api.openai_realtime.dialect import Opening, RealtimeDialect
from shared.events import Closed, Error, Partial, SpeechStart, Word
from shared.events import Final as FinalEvent
from tests.support.realtime import SILENCE, SPEECH, Imagined

PREFIX = "conversation.item.input_audio_transcription"
MANUAL: dict[str, Any] = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}
VAD: dict[str, Any] = {
    "type": "transcription",
    "audio": {"input": {"turn_detection": {"type": "server_vad"}}},
}


def connected(*, is_beta: bool = False, model: str = "whisper-1") -> Imagined:
    opening = Opening(session="0a", config=initial(model), expires_at=1, is_beta=is_beta)
    return Imagined(RealtimeDialect(opening))


def configured(session: dict[str, Any]) -> Imagined:
    client = connected()
    client.say("session.update", session=session)
    return client


def commit(client: Imagined) -> None:
    client.say("input_audio_buffer.commit")
    client.settle()


def audio(kind: bytes, ms: int) -> str:
    return base64.b64encode(kind * (ms * 48)).decode()


def append(client: Imagined, kind: bytes, ms: int) -> None:
    client.say("input_audio_buffer.append", audio=audio(kind, ms))


def completed(client: Imagined) -> list[str]:
    return [frame["transcript"] for frame in client.of(f"{PREFIX}.completed")]


def said(client: Imagined, item: str) -> str:
    return "".join(f["delta"] for f in client.of(f"{PREFIX}.delta") if f["item_id"] == item)


def test_a_turn_from_speech_to_text() -> None:
    client = configured(VAD)
    for ms in (300, 200):
        append(client, SPEECH, ms)
        append(client, SILENCE, 600)
        client.settle()
    assert [frame["type"] for frame in client.frames] == [
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        f"{PREFIX}.delta",
        f"{PREFIX}.completed",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        f"{PREFIX}.delta",
        f"{PREFIX}.completed",
    ]
    first, second = client.of("input_audio_buffer.committed")
    assert first["previous_item_id"] is None
    assert second["previous_item_id"] == first["item_id"]
    assert [f["audio_start_ms"] for f in client.of("input_audio_buffer.speech_started")] == [0, 900]
    assert completed(client) == ["s0u0w0 s0u0w1 s0u0w2", "s0u1w0 s0u1w1"]
    done = client.of(f"{PREFIX}.completed")[0]
    assert done["content_index"] == 0
    assert done["usage"] == {"type": "duration", "seconds": 0.9}
    assert done["languages"] == [{"code": "en"}]
    item = client.of("conversation.item.done")[0]["item"]
    assert item["content"] == [{"type": "input_audio", "transcript": None}]


def test_the_beta_has_other_names() -> None:
    client = connected(is_beta=True)
    client.say("transcription_session.update", session={"turn_detection": {"type": "server_vad"}})
    append(client, SPEECH, 300)
    append(client, SILENCE, 600)
    client.settle()
    kinds = [frame["type"] for frame in client.frames]
    assert kinds[:2] == ["transcription_session.created", "transcription_session.updated"]
    assert kinds.count("conversation.item.created") == 1
    assert not {"conversation.item.added", "conversation.item.done"} & set(kinds)
    session = client.frames[1]["session"]
    assert session["input_audio_format"] == "pcm16"
    assert "type" not in session


def test_deltas_come_while_audio_flows() -> None:
    client = configured(VAD)
    append(client, SPEECH, 400)
    client.sessions[0].partial()
    for _ in range(3):
        client.deliver(0)
    assert [f["delta"] for f in client.of(f"{PREFIX}.delta")] == ["s0u0w0 s0u0w1"]
    assert client.of("input_audio_buffer.committed") == []
    append(client, SILENCE, 600)
    client.settle()
    assert [f["delta"] for f in client.of(f"{PREFIX}.delta")] == ["s0u0w0 s0u0w1", " s0u0w2 s0u0w3"]


def test_speech_without_a_pause_is_one_turn() -> None:
    client = configured(VAD)
    for _ in range(8):
        append(client, SPEECH, 1000)
    append(client, SILENCE, 600)
    client.settle()
    assert client.sessions[0].begun == 3
    assert len(client.of("input_audio_buffer.speech_started")) == 1
    assert len(client.of("input_audio_buffer.speech_stopped")) == 1
    [text] = completed(client)
    assert len(text.split()) == 80


def test_a_commit_is_one_item_however_many_pauses() -> None:
    client = configured(MANUAL)
    for _ in range(3):
        append(client, SPEECH, 300)
        append(client, SILENCE, 1000)
    append(client, SPEECH, 200)
    commit(client)
    [text] = completed(client)
    assert len(text.split()) == 11
    assert client.of("input_audio_buffer.speech_started") == []
    assert client.of(f"{PREFIX}.completed")[0]["usage"]["seconds"] == 4.1
    item = client.of("input_audio_buffer.committed")[0]["item_id"]
    assert said(client, item) == text


def test_a_commit_of_silence_is_completed_with_no_text() -> None:
    client = configured(MANUAL)
    append(client, SILENCE, 500)
    commit(client)
    assert completed(client) == [""]


def test_a_commit_with_turn_detection_ends_the_turn() -> None:
    client = configured(VAD)
    append(client, SPEECH, 300)
    client.say("input_audio_buffer.commit")
    append(client, SILENCE, 300)
    commit(client)
    assert completed(client) == ["s0u0w0 s0u0w1 s0u0w2", ""]
    assert len(client.of("input_audio_buffer.committed")) == 2


@pytest.mark.parametrize("session", [MANUAL, VAD])
def test_what_is_cleared_gets_no_item(session: dict[str, Any]) -> None:
    client = configured(session)
    append(client, SPEECH, 300)
    client.say("input_audio_buffer.clear")
    append(client, SPEECH, 200)
    commit(client)
    assert len(client.of("input_audio_buffer.cleared")) == 1
    assert completed(client) == ["s0u1w0 s0u1w1"]


def test_what_was_begun_before_a_clear_is_not_spoken_of_again() -> None:
    client = configured(VAD)
    append(client, SPEECH, 300)
    client.deliver(0)
    client.deliver(0)
    assert len(client.of("input_audio_buffer.speech_started")) == 1
    client.say("input_audio_buffer.clear")
    before = len(client.frames)
    client.settle()
    assert len(client.frames) == before


@pytest.mark.parametrize("ms", [0, 60])
def test_too_little_to_commit(ms: int) -> None:
    client = connected()
    append(client, SPEECH, ms)
    client.say("input_audio_buffer.commit", event_id="mine")
    [error] = client.of("error")
    assert error["error"] == {
        "type": "invalid_request_error",
        "code": "input_audio_buffer_commit_empty",
        "message": "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
        f"but buffer only has {ms}.00ms of audio.",
        "param": None,
        "event_id": "mine",
    }
    assert client.closed is None


def test_audio_before_a_configuration_is_held_for_it() -> None:
    client = connected()
    append(client, SPEECH, 500)
    assert client.sessions == {}
    pcmu = {"format": {"type": "audio/pcmu"}, "transcription": {"language": "de"}, "turn_detection": None}
    client.say("session.update", session={"audio": {"input": pcmu}})
    commit(client)
    assert client.of(f"{PREFIX}.completed")[0]["usage"]["seconds"] == 3.0
    assert client.sessions[0].config.language == "de"
    assert client.sessions[0].audio.encoding == "mulaw"
    assert client.sessions[0].at_ms == 3000


def test_audio_without_a_configuration_is_heard_in_the_end() -> None:
    client = connected()
    append(client, SPEECH, 900)
    assert client.sessions == {}
    append(client, SPEECH, 100)
    assert client.sessions[0].at_ms == 1000


def test_a_change_of_language_opens_another_session_and_keeps_the_item() -> None:
    client = configured(MANUAL)
    append(client, SPEECH, 300)
    client.say("session.update", session={"audio": {"input": {"transcription": {"language": "de"}}}})
    append(client, SPEECH, 200)
    client.say("input_audio_buffer.commit")
    assert [s.config.language for s in client.sessions.values()] == ["auto", "de"]
    client.sessions[1].decide()  # the newer one is quicker
    for _ in range(5):
        client.deliver(1)
    assert client.of(f"{PREFIX}.delta") == []
    client.settle()
    assert completed(client) == ["s0u0w0 s0u0w1 s0u0w2 s1u0w0 s1u0w1"]


def test_what_changes_nothing_keeps_the_session() -> None:
    client = configured(VAD)
    append(client, SPEECH, 300)
    client.say("session.update", session={"audio": {"input": {"noise_reduction": {"type": "near_field"}}}})
    append(client, SPEECH, 300)
    assert list(client.sessions) == [0]
    assert client.of("session.updated")[1]["session"]["audio"]["input"]["noise_reduction"] == {
        "type": "near_field"
    }


def test_a_commit_after_the_change_takes_what_was_said_before_it() -> None:
    client = configured(MANUAL)
    append(client, SPEECH, 300)
    client.say("session.update", session={"audio": {"input": {"transcription": {"language": "de"}}}})
    commit(client)
    assert completed(client) == ["s0u0w0 s0u0w1 s0u0w2"]
    assert list(client.sessions) == [0]


def test_a_commit_when_all_sessions_are_over() -> None:
    client = configured(MANUAL)
    append(client, SPEECH, 300)
    client.do(client.dialect.idle())
    client.settle()
    client.say("input_audio_buffer.commit")
    assert completed(client) == ["s0u0w0 s0u0w1 s0u0w2"]


def test_a_client_that_leaves_turns_to_the_server_gets_what_it_had_not_committed() -> None:
    client = configured(MANUAL)
    append(client, SPEECH, 300)
    client.say("session.update", session=VAD)
    append(client, SPEECH, 200)
    append(client, SILENCE, 600)
    client.settle()
    assert completed(client) == ["s0u0w0 s0u0w1 s0u0w2", "s1u0w0 s1u0w1"]
    assert client.of("input_audio_buffer.speech_started")[0]["audio_start_ms"] == 300


def test_a_quiet_client_keeps_no_session() -> None:
    client = configured(VAD)
    append(client, SPEECH, 300)
    client.do(client.dialect.idle())
    client.do(client.dialect.idle())
    client.settle()
    assert completed(client) == ["s0u0w0 s0u0w1 s0u0w2"]
    append(client, SPEECH, 300)
    assert list(client.sessions) == [0, 1]


@pytest.mark.parametrize(
    ("code", "retryable", "close", "kind"),
    [
        ("engine_fault", True, 1013, "server_error"),
        ("no_capacity", True, 1013, "server_error"),
        ("internal", False, 1011, "server_error"),
        ("bad_parameter", False, 1008, "invalid_request_error"),
    ],
)
def test_a_session_that_fails_fails_its_items(code: str, retryable: bool, close: int, kind: str) -> None:
    client = configured(MANUAL)
    append(client, SPEECH, 300)
    client.say("input_audio_buffer.commit")
    client.do(client.dialect.said(0, 9, Error(code=code, message="It broke.", retryable=retryable)))
    [failed] = client.of(f"{PREFIX}.failed")
    assert failed["item_id"] == client.of("input_audio_buffer.committed")[0]["item_id"]
    assert failed["error"] == {"type": kind, "code": code, "message": "It broke.", "param": None}
    assert client.frames[-1]["error"]["code"] == code
    assert client.closed == (close, code)
    client.say("input_audio_buffer.commit")  # too late, and nothing happens
    assert client.frames[-1]["error"]["code"] == code


def test_the_longest_session_is_told_as_openai_tells_it() -> None:
    client = configured(VAD)
    append(client, SPEECH, 300)
    client.do(client.dialect.said(0, 9, Closed(reason="limit", duration=0.3, utterances=0)))
    assert client.frames[-1]["error"]["code"] == "session_expired"
    assert client.closed == (1001, client.frames[-1]["error"]["message"])


def test_probabilities_of_words_when_asked_for() -> None:
    client = connected()
    include = ["item.input_audio_transcription.logprobs"]
    client.say("session.update", session={**MANUAL, "include": include})
    append(client, SILENCE, 300)
    assert client.sessions[0].config.words
    words = tuple(
        Word(text=text, start=0, end=1, probability=p) for text, p in (("a", 1.0), ("b,", 0.5), ("a", 0.0))
    )
    told: dict[str, Any] = {"utterance": 0, "start": 0, "end": 1, "offset": 0, "words": words}
    client.do(client.dialect.said(0, 1, SpeechStart(utterance=0, start=0)))
    client.do(client.dialect.said(0, 2, Partial(text="a b, a", committed=1, **told)))
    client.do(client.dialect.said(0, 3, FinalEvent(text="a b, a", committed=6, language="en", **told)))
    commit(client)
    tokens = [
        {"token": "a", "logprob": 0.0, "bytes": [97]},
        {"token": " b,", "logprob": -0.6931, "bytes": [32, 98, 44]},
        {"token": " a", "logprob": -13.8155, "bytes": [32, 97]},
    ]
    assert [f["logprobs"] for f in client.of(f"{PREFIX}.delta")] == [tokens[:1], tokens[1:]]
    assert client.of(f"{PREFIX}.completed")[0]["logprobs"] == tokens


def test_transcription_can_be_switched_off() -> None:
    client = configured({**VAD, "audio": {"input": {"transcription": None}}})
    append(client, SPEECH, 300)
    append(client, SILENCE, 600)
    client.settle()
    kinds = {frame["type"] for frame in client.frames}
    assert "input_audio_buffer.committed" in kinds
    assert not any(kind.startswith(PREFIX) for kind in kinds)


def test_few_events_come_behind_a_commit() -> None:
    """Trap 20: a client that only waits for `completed` may not read what is before it."""
    client = configured(MANUAL)
    for _ in range(4):
        append(client, SPEECH, 3000)
        append(client, SILENCE, 1000)
    client.say("input_audio_buffer.commit")
    before = len(client.frames)
    for _ in range(50):
        client.sessions[0].partial()
        client.deliver(0)
    client.settle()
    assert len(client.frames) - before <= 16
    assert len(completed(client)) == 1


def test_long_audio_goes_on_in_pieces() -> None:
    client = configured(VAD)
    acts = client.dialect.received(
        '{"type": "input_audio_buffer.append", "audio": "' + audio(SPEECH, 200_000) + '"}'
    )
    assert len(acts) > 100


STEPS = st.one_of(
    st.tuples(st.just("speech"), st.sampled_from([20, 100, 400, 1500])),
    st.tuples(st.just("silence"), st.sampled_from([20, 200, 900])),
    st.tuples(st.just("commit"), st.none()),
    st.tuples(st.just("clear"), st.none()),
    st.tuples(st.just("manual"), st.none()),
    st.tuples(st.just("vad"), st.none()),
    st.tuples(st.just("language"), st.sampled_from(["en", "de", None])),
    st.tuples(st.just("idle"), st.none()),
    st.tuples(st.just("partial"), st.none()),
    st.tuples(st.just("decide"), st.integers(0, 3)),
    st.tuples(st.just("deliver"), st.integers(0, 3)),
)


def step(client: Imagined, name: str, value: Any) -> None:
    language = {"audio": {"input": {"transcription": {"language": value}}}}
    sessions = list(client.sessions.values())[-3:]
    if name in ("speech", "silence"):
        append(client, SPEECH if name == "speech" else SILENCE, value)
    elif name in ("commit", "clear"):
        client.say(f"input_audio_buffer.{name}")
    elif name in ("manual", "vad", "language"):
        update = {"manual": MANUAL, "vad": VAD, "language": language}[name]
        client.say("session.update", session=update)
    elif name == "idle":
        client.do(client.dialect.idle())
    elif name == "partial":
        for session in sessions:
            session.partial()
    for session in sessions[value : value + 1] if name in ("decide", "deliver") else ():
        if name == "decide":
            session.decide()
        else:
            client.deliver(session.key)


@settings(max_examples=400)
@given(st.lists(STEPS, max_size=60))
def test_every_item_is_told_as_promised(steps: list[tuple[str, Any]]) -> None:
    """Deltas only append and are the transcript; every committed item completes exactly once; items are a
    chain; ids are unique; nothing but a commit that is too short is an error."""
    client = connected()
    for name, value in steps:
        step(client, name, value)
    client.do(client.dialect.idle())
    client.settle()

    ids = [frame["event_id"] for frame in client.frames]
    assert len(ids) == len(set(ids))
    committed = client.of("input_audio_buffer.committed")
    items = [frame["item_id"] for frame in committed]
    assert len(items) == len(set(items))
    assert [frame["previous_item_id"] for frame in committed] == [None, *items][: len(items)]
    for kind in ("conversation.item.added", "conversation.item.done"):
        assert [frame["item"]["id"] for frame in client.of(kind)] == items
    done = client.of(f"{PREFIX}.completed")
    assert sorted(frame["item_id"] for frame in done) == sorted(items)
    for frame in done:
        assert said(client, frame["item_id"]) == frame["transcript"]
        own = [f["type"] for f in client.frames if f.get("item_id") == frame["item_id"]]
        assert own[-1] == f"{PREFIX}.completed"
    starts = [frame["item_id"] for frame in client.of("input_audio_buffer.speech_started")]
    stops = [frame["item_id"] for frame in client.of("input_audio_buffer.speech_stopped")]
    assert len(starts) == len(set(starts))
    assert set(stops) <= set(starts) & set(items)
    assert {e["error"]["code"] for e in client.of("error")} <= {"input_audio_buffer_commit_empty"}
    assert client.closed is None


@settings(max_examples=200)
@given(st.lists(STEPS, max_size=40))
def test_without_clears_every_word_is_said_once_and_in_order(steps: list[tuple[str, Any]]) -> None:
    client = connected()
    for name, value in steps:
        if name != "clear":
            step(client, name, value)
    client.say("session.update", session=MANUAL)
    client.say("session.update", session=VAD)  # what is not committed is, with this
    client.do(client.dialect.idle())
    client.settle()
    texts = {frame["item_id"]: frame["transcript"] for frame in client.of(f"{PREFIX}.completed")}
    told = [word for f in client.of("input_audio_buffer.committed") for word in texts[f["item_id"]].split()]
    assert told == sorted(
        told, key=lambda word: [int(part) for part in word[1:].replace("u", "w").split("w")]
    )
    assert len(told) == len(set(told))
