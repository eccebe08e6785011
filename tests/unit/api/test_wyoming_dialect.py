"""Wyoming's dialect: a transcript for every utterance, in order, whatever happens."""

from collections.abc import Iterable
from typing import Any

import pytest

from api.dialect import Act, Audio, Close, End, Open, Send
from api.wyoming.catalog import Catalog
from api.wyoming.dialect import IDLE_S, STALLED_S, TURNS_MAX, WyomingDialect
from api.wyoming.framing import WyomingEvent
from shared.events import Closed, Error, Event, Final, Partial, SpeechStart
from shared.jobs import TEXT_CHARS_MAX
from shared.redis.presence import WorkerPresence

PCM = {"rate": 16000, "width": 2, "channels": 1}
CLOSED = Closed(reason="end", duration=1.0, utterances=1)
SECOND = b"\1\0" * 16_000


def dialect() -> WyomingDialect:
    return WyomingDialect(Catalog("tiny.en"))


def do(to: WyomingDialect, kind: str, data: dict[str, Any] | None = None, payload: bytes = b"") -> list[Any]:
    return list(to.received(WyomingEvent(kind, data or {}, payload)))


def sent(acts: Iterable[Act[WyomingEvent]]) -> list[tuple[str, str]]:
    return [(a.frame.type, a.frame.data.get("text", "")) for a in acts if isinstance(a, Send)]


def final(text: str, offset: int, **more: Any) -> Final:
    return Final(text=text, utterance=0, start=0, end=1, committed=len(text), offset=offset, **more)


def partial(text: str, committed: int, offset: int = 0) -> Partial:
    return Partial(text=text, utterance=0, start=0, end=1, committed=committed, offset=offset)


def said(to: WyomingDialect, key: int, *events: Event) -> list[tuple[str, str]]:
    return [item for event in events for item in sent(to.said(key, 1, event))]


def utterance(to: WyomingDialect) -> list[Any]:
    return [*do(to, "audio-start", PCM), *do(to, "audio-chunk", PCM, SECOND), *do(to, "audio-stop")]


def test_home_assistant_s_flow() -> None:
    d = dialect()
    assert do(d, "transcribe", {"language": "en"}) == []
    assert do(d, "audio-start", PCM) == []
    opened, first = do(d, "audio-chunk", PCM, SECOND)
    assert isinstance(opened, Open)
    assert opened.config.language == "en"
    assert first == Audio(opened.key, SECOND)
    assert do(d, "audio-chunk", PCM, SECOND) == [Audio(opened.key, SECOND)]
    assert do(d, "audio-stop") == [Audio(opened.key, b""), End(opened.key)]
    key = opened.key
    assert said(d, key, partial("turn on", 0), SpeechStart(utterance=0, start=0)) == []
    assert said(d, key, partial("turn on the lamp", 7)) == [
        ("transcript-start", ""),
        ("transcript-chunk", "turn on"),
    ]
    assert said(d, key, final("turn on the light", 0)) == [("transcript-chunk", " the light")]
    assert said(d, key, final("now", 18), CLOSED) == [
        ("transcript-chunk", " now"),
        ("transcript", "turn on the light now"),
        ("transcript-stop", ""),
    ]


def test_the_transcript_names_the_language_that_was_heard() -> None:
    d = dialect()
    utterance(d)
    list(d.said(1, 1, final("ja", 0, language="de")))
    frames = [act.frame for act in d.said(1, 1, CLOSED) if isinstance(act, Send)]
    assert next(f for f in frames if f.type == "transcript").data == {"text": "ja", "language": "de"}


def test_silence_has_a_transcript() -> None:
    """Trap 31."""
    d = dialect()
    utterance(d)
    assert ("transcript", "") in said(d, 1, CLOSED)
    assert ("transcript", "") in sent(do(d, "audio-stop"))
    assert ("transcript", "") in sent([*do(d, "audio-start", PCM), *do(d, "audio-stop")])


@pytest.mark.parametrize("code", ["no_capacity", "broker_lost", "bad_parameter", "engine_fault"])
def test_a_session_that_fails_has_a_transcript_behind_the_error(code: str) -> None:
    d = dialect()
    utterance(d)
    said_of = said(d, 1, Error(code=code, message="why"))
    assert said_of[0] == ("error", "why")
    assert ("transcript", "") in said_of
    assert said(d, 1, CLOSED) == []


def test_what_was_sent_before_a_failure_stands_in_the_transcript() -> None:
    d = dialect()
    utterance(d)
    said(d, 1, final("first", 0))
    assert ("transcript", "first") in said(d, 1, Error(code="engine_fault", message=""))


def test_a_failure_in_the_middle_is_told_once_and_the_next_utterance_is_heard() -> None:
    d = dialect()
    do(d, "audio-start", PCM)
    do(d, "audio-chunk", PCM, SECOND)
    assert ("transcript", "") in said(d, 1, Error(code="no_capacity", message=""))
    assert do(d, "audio-chunk", PCM, SECOND) == []
    assert do(d, "audio-stop") == []
    assert isinstance(utterance(d)[0], Open)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 0},
        {"rate": 10**9},
        {"rate": "16000"},
        {"rate": True},
        {"width": 8},
        {"width": [2]},
        {"channels": 0},
        {"channels": 99},
        {"channels": None},
    ],
)
def test_a_format_that_nobody_reads_has_an_error_and_one_transcript(wrong: dict[str, Any]) -> None:
    for start in ("audio-start", "audio-chunk"):
        d = dialect()
        acts = do(d, start, PCM | wrong, SECOND)
        acts += do(d, "audio-chunk", PCM | wrong, SECOND) + do(d, "audio-stop")
        kinds = [kind for kind, _ in sent(acts)]
        assert kinds.count("error") == kinds.count("transcript") == 1
        assert isinstance(utterance(d)[0], Open)


def test_a_format_that_turns_wrong_ends_the_session() -> None:
    d = dialect()
    do(d, "audio-start", PCM)
    do(d, "audio-chunk", PCM, SECOND)
    acts = do(d, "audio-chunk", PCM | {"width": 9}, SECOND)
    assert End(1) in acts
    assert ("transcript", "all") in said(d, 1, final("all", 0), CLOSED)


@pytest.mark.parametrize(
    ("rate", "width", "channels"),
    [(22050, 2, 1), (48000, 2, 2), (44100, 4, 2), (8000, 1, 1), (96000, 3, 1)],
)
def test_any_format_becomes_canonical(rate: int, width: int, channels: int) -> None:
    """Trap 32."""
    d, form = dialect(), {"rate": rate, "width": width, "channels": channels}
    data = b"\0" * (rate * width * channels)
    acts = [*do(d, "audio-start", form), *do(d, "audio-chunk", form, data), *do(d, "audio-stop")]
    assert sum(len(act.data) for act in acts if isinstance(act, Audio)) == pytest.approx(32_000, abs=4)


def test_the_format_may_change_in_the_middle() -> None:
    d = dialect()
    do(d, "audio-start", PCM)
    acts = do(d, "audio-chunk", PCM, SECOND)
    acts += do(d, "audio-chunk", {"rate": 8000, "width": 2, "channels": 1}, SECOND)
    acts += do(d, "audio-stop")
    assert sum(len(act.data) for act in acts if isinstance(act, Audio)) == pytest.approx(96_000, abs=4)


def test_audio_without_a_start_is_heard() -> None:
    acts = do(dialect(), "audio-chunk", PCM, SECOND)
    assert [type(act) for act in acts] == [Open, Audio]


def test_transcripts_come_in_the_order_of_their_utterances() -> None:
    d = dialect()
    utterance(d)
    utterance(d)
    assert said(d, 2, final("second", 0), CLOSED) == []
    texts = [text for kind, text in said(d, 1, final("first", 0), CLOSED) if kind == "transcript"]
    assert texts == ["first", "second"]


def test_a_start_in_the_middle_begins_the_next_utterance() -> None:
    d = dialect()
    do(d, "audio-start", PCM)
    do(d, "audio-chunk", PCM, SECOND)
    assert End(1) in do(d, "audio-start", PCM)
    assert isinstance(do(d, "audio-chunk", PCM, SECOND)[0], Open)


def test_more_utterances_than_may_wait_end_the_connection() -> None:
    d = dialect()
    for _ in range(TURNS_MAX):
        utterance(d)
    for _ in range(50):
        do(d, "audio-stop")
        do(d, "audio-start", PCM | {"rate": 1})
    do(d, "audio-start", PCM)
    assert Close() in do(d, "audio-chunk", PCM, SECOND)
    assert len(said(d, 1, CLOSED)) == 3


def test_describe_is_answered_at_once_and_shows_the_languages() -> None:
    """Traps 29 and 30: no wait is possible here, and Home Assistant reads installed models' languages."""
    catalog = Catalog("tiny.en")
    (info,) = WyomingDialect(catalog).received(WyomingEvent("describe"))
    assert isinstance(info, Send)
    asr = info.frame.data["asr"][0]
    assert asr["installed"] is True
    assert asr["supports_transcript_streaming"] is True
    assert [(m["name"], m["installed"], m["languages"]) for m in asr["models"]] == [("tiny.en", True, ["en"])]
    catalog.learn([worker("base", "de", "en"), worker("tiny.en", "en")])
    models = catalog.info()["asr"][0]["models"]
    assert [(m["name"], m["languages"]) for m in models] == [("base", ["de", "en"]), ("tiny.en", ["en"])]
    catalog.learn([])
    assert catalog.models["base"] == ("de", "en")
    assert len(Catalog("base").models["base"]) > 90


def worker(model: str, *languages: str) -> WorkerPresence:
    return WorkerPresence(worker=model, model=model, device="cpu", languages=languages, capacity=1, active=0)


def test_ping_and_what_is_not_for_this_server() -> None:
    d = dialect()
    assert sent(do(d, "ping", {"text": "x"})) == [("pong", "x")]
    assert sent(do(d, "ping", {"text": ["x"]})) == [("pong", None)]
    for kind in ("select-program", "synthesize", "run-pipeline", "detect", "no-such-event", ""):
        assert do(d, kind, {"name": "steno"}) == []


@pytest.mark.parametrize(
    ("asked", "heard"),
    [("en", "en"), ("en-US", "en"), ("pt_BR", "pt"), ("NB", "no"), ("", "auto"), (None, "auto"), (5, "auto")],
)
def test_languages_as_clients_write_them(asked: object, heard: str) -> None:
    d = dialect()
    do(d, "transcribe", {"language": asked})
    opened = utterance(d)[0]
    assert opened.config.language == heard


def test_model_and_bias_lists() -> None:
    d = dialect()
    names, terms = ["Sønderbo", 5, "\ud800", ""], ["x" * TEXT_CHARS_MAX, "lamp"]
    do(d, "transcribe", {"name": "tiny.en", "transcript_names": names, "transcript_terms": terms})
    config = utterance(d)[0].config
    assert (config.model, config.hotwords) == ("tiny.en", "Sønderbo, lamp")
    do(d, "transcribe", {"name": "other", "transcript_names": "no list"})
    config = utterance(d)[0].config
    assert (config.model, config.hotwords) == ("", "")


def test_who_is_silent_is_sent_away_but_not_who_waits() -> None:
    d = dialect()
    assert d.idle_s == IDLE_S
    assert list(d.idle()) == [Close()]
    do(d, "audio-chunk", PCM, SECOND)
    assert d.idle_s == STALLED_S
    do(d, "audio-stop")
    assert list(d.idle()) == []
    do(d, "audio-start", PCM)
    do(d, "audio-chunk", PCM, SECOND)
    acts = list(d.idle())
    assert [text for kind, text in sent(acts) if kind == "transcript"] == ["", ""]
    assert acts[-1] == Close()
