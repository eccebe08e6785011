"""What clients configure, and what it is here: shapes, merging, clamping. No event loop."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.openai.models import DEFAULT_ALIASES
from api.openai_realtime.commands import Append, Refused, parse
from api.openai_realtime.config import RealtimeConfig, SemanticVad, ServerVad, initial, updated
from api.openai_realtime.door import is_beta
from api.openai_realtime.names import served_model, transcription_model
from api.openai_realtime.native import native
from api.openai_realtime.shapes import session_object
from shared.errors import UnknownModel
from shared.events import SessionConfig
from shared.redis.presence import WorkerPresence


def ga(**given: Any) -> dict[str, Any]:
    return {"type": "transcription", "audio": {"input": given}}


def served(config: RealtimeConfig) -> SessionConfig:
    return native(config, lambda _name: "", [])[0]


def worker(model: str, languages: tuple[str, ...]) -> WorkerPresence:
    return WorkerPresence(worker="w", model=model, device="cpu", languages=languages, capacity=1, active=0)


def test_what_is_absent_is_kept_and_null_switches_off() -> None:
    full = ga(
        format={"type": "audio/pcm", "rate": 16000},
        transcription={"model": "gpt-4o-transcribe", "language": "de", "prompt": "P", "keywords": ["a", "b"]},
        turn_detection={"type": "server_vad", "threshold": 0.4},
        noise_reduction={"type": "far_field"},
    )
    config = updated(initial("whisper-1"), full | {"include": ["item.input_audio_transcription.logprobs"]})
    assert updated(config, {}) == config
    assert updated(config, ga()) == config
    assert updated(config, ga(transcription={})) == config
    assert updated(config, ga(turn_detection={"silence_duration_ms": 700})).turn_detection == ServerVad(
        0.4, 700
    )
    off = updated(config, ga(transcription={"language": None}, turn_detection=None, noise_reduction=None))
    assert off.turn_detection is None
    assert off.transcription
    assert (off.transcription.language, off.transcription.prompt) == ("", "P")
    assert off.noise_reduction == ""
    assert updated(off, ga(transcription=None)).transcription is None


def test_the_beta_shape_says_the_same() -> None:
    beta = {
        "input_audio_format": "g711_alaw",
        "input_audio_transcription": {"model": "whisper-1", "language": "fr", "prompt": "P"},
        "turn_detection": {"type": "semantic_vad", "eagerness": "high"},
        "input_audio_noise_reduction": {"type": "near_field"},
    }
    same = ga(
        format={"type": "audio/pcma"},
        transcription={"model": "whisper-1", "language": "fr", "prompt": "P"},
        turn_detection={"type": "semantic_vad", "eagerness": "high"},
        noise_reduction={"type": "near_field"},
    )
    config = updated(initial("whisper-1"), beta)
    assert config == updated(initial("whisper-1"), same)
    shown = session_object("sess_1", config, expires_at=1, is_beta=True)
    assert {name: shown[name] for name in beta} == beta


@pytest.mark.parametrize("model", ["gpt-realtime-whisper", "gpt-live-transcribe-2026"])
def test_live_models_have_no_turn_detection_unless_asked_for(model: str) -> None:
    config = updated(initial("whisper-1"), ga(transcription={"model": model}))
    assert config.turn_detection is None
    assert updated(config, ga(turn_detection={"type": "server_vad"})).turn_detection == ServerVad()
    assert initial(model).turn_detection is None
    assert initial("whisper-1").turn_detection == ServerVad()


@pytest.mark.parametrize(
    ("vad", "endpointing_ms", "native_vad"),
    [
        ({"type": "server_vad"}, 500, 0.5),
        ({"type": "server_vad", "threshold": 0.9, "silence_duration_ms": 350}, 350, 0.0),
        ({"type": "server_vad", "threshold": 1.0, "silence_duration_ms": 1}, 200, 0.0),
        ({"type": "server_vad", "threshold": 0.0, "silence_duration_ms": 99_999}, 10_000, 1.0),
        ({"type": "semantic_vad"}, 800, None),
        ({"type": "semantic_vad", "eagerness": "low"}, 1500, None),
        (None, None, None),
    ],
)
def test_turn_detection_as_our_own(
    vad: dict[str, Any] | None, endpointing_ms: int | None, native_vad: float | None
) -> None:
    config = served(updated(initial("whisper-1"), ga(turn_detection=vad)))
    assert (config.endpointing_ms, config.vad) == (endpointing_ms, native_vad)


def test_the_rest_as_our_own() -> None:
    told = {"languages": ["en", "de-AT"], "keywords": ["Quilter", "x" * 3000, "late"], "delay": "high"}
    config = served(updated(initial("whisper-1"), ga(transcription=told | {"prompt": "a" * 3000 + "end"})))
    assert (config.language, config.languages) == ("auto", ("en", "de"))
    assert config.hotwords == "Quilter"
    assert config.partial_interval_ms == 1000
    assert (len(config.prompt), config.prompt[-3:]) == (2000, "end")
    one = served(updated(initial("whisper-1"), ga(transcription={"languages": ["en-US"]})))
    assert (one.language, one.languages) == ("en", ())
    last = updated(initial("whisper-1"), ga(transcription={"languages": ["en", "de"]}))
    last = updated(last, ga(transcription={"language": "fr"}))
    assert served(last).language == "fr"


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"format": {"type": "audio/mp3"}}, "format.type"),
        ({"format": {"type": "audio/pcm", "rate": 4000}}, "format.rate"),
        ({"format": {"type": "audio/pcm", "rate": True}}, "format.rate"),
        ({"format": 3}, "format"),
        ({"transcription": {"model": 3}}, "transcription.model"),
        ({"transcription": {"keywords": "a"}}, "transcription.keywords"),
        ({"transcription": {"delay": "endless"}}, "transcription.delay"),
        ({"transcription": "whisper"}, "transcription"),
        ({"turn_detection": {"type": "psychic"}}, "turn_detection.type"),
        ({"turn_detection": {"type": "server_vad", "threshold": 2}}, "turn_detection.threshold"),
        ({"turn_detection": {"silence_duration_ms": "long"}}, "turn_detection.silence_duration_ms"),
        ({"turn_detection": {"type": "semantic_vad", "eagerness": "very"}}, "turn_detection.eagerness"),
        ({"noise_reduction": 1}, "noise_reduction"),
    ],
)
def test_what_can_not_be_is_refused_by_name(given: dict[str, Any], param: str) -> None:
    with pytest.raises(Refused) as caught:
        updated(initial("whisper-1"), ga(**given))
    assert caught.value.param == f"session.audio.input.{param}"


def test_languages_that_no_worker_knows_are_refused() -> None:
    english = [worker("tiny.en", ("en",))]
    config = updated(initial("whisper-1"), ga(transcription={"language": "de"}))
    with pytest.raises(Refused, match="language 'de'"):
        native(config, lambda _name: "", english)
    with pytest.raises(Refused) as caught:
        native(updated(config, ga(transcription={"language": "tlh"})), lambda _name: "", [])
    assert caught.value.param == "session.audio.input.transcription.language"


def test_model_names() -> None:
    workers = [worker("turbo", ("en", "de"))]
    for name in (
        "whisper-1",
        "gpt-4o-transcribe",
        "gpt-4o-mini-transcribe-2025-12-15",
        "gpt-realtime-whisper",
    ):
        assert served_model(name, DEFAULT_ALIASES, workers) == ""
    assert served_model("turbo", DEFAULT_ALIASES, workers) == "turbo"
    assert served_model("turbo", DEFAULT_ALIASES, []) == "turbo"
    with pytest.raises(UnknownModel, match="turbo"):
        served_model("parakeet", DEFAULT_ALIASES, workers)
    assert transcription_model("gpt-realtime") == "whisper-1"
    assert transcription_model("") == "whisper-1"
    assert transcription_model("gpt-realtime-whisper") == "gpt-realtime-whisper"


def test_who_speaks_the_beta() -> None:
    assert is_beta("realtime=v1", [])
    assert is_beta("assistants=v2, realtime=v1", [])
    assert is_beta("", ["realtime", "openai-beta.realtime-v1"])
    assert not is_beta("", ["realtime"])


def test_base64_of_any_length_is_read_whole() -> None:
    command, event_id = parse(
        json.dumps({"type": "input_audio_buffer.append", "audio": "AAEC", "event_id": "e"})
    )
    assert (command, event_id) == (Append(b"\x00\x01\x02"), "e")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMED = st.sampled_from(
    [
        "type",
        "audio",
        "input",
        "format",
        "rate",
        "transcription",
        "turn_detection",
        "include",
        "language",
        "model",
    ]
)
SESSIONS = st.dictionaries(
    NAMED,
    st.dictionaries(NAMED, st.dictionaries(NAMED, JSON, max_size=4) | JSON, max_size=4) | JSON,
    max_size=5,
)


@given(SESSIONS)
def test_any_session_is_served_or_refused(session: dict[str, Any]) -> None:
    with contextlib.suppress(Refused):
        config = updated(initial("whisper-1"), session)
        native(config, lambda _name: "", [])
        shown = session_object("sess_1", config, expires_at=1, is_beta=False)
        json.dumps(shown, ensure_ascii=False).encode()


@given(JSON)
def test_any_message_is_a_command_or_refused(message: Any) -> None:
    for text in (json.dumps(message), json.dumps({"type": message}), str(message)):
        with contextlib.suppress(Refused):
            parse(text)


def test_semantic_vad_keeps_its_manner() -> None:
    config = updated(initial("whisper-1"), ga(turn_detection={"type": "semantic_vad", "eagerness": "low"}))
    assert updated(config, ga(turn_detection={"type": "semantic_vad"})).turn_detection == SemanticVad("low")
