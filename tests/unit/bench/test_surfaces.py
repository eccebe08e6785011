"""What each surface says, as the report reads it: native events, whole and in order."""

import json
from typing import Any

from api.openai_realtime.config import initial
from api.openai_realtime.dialect import Opening, RealtimeDialect
from bench.dataset import Passage
from bench.latency import Arrival, broken_promises, transcript
from bench.live import plan_of
from bench.surfaces import SURFACES, Realtime
from shared.codec import event_from_map
from tests.support.realtime import SILENCE, SPEECH, Imagined


def test_realtime_is_read_as_native_events() -> None:
    surface = Realtime()
    client = Imagined(RealtimeDialect(Opening(session="0a", config=initial("whisper-1"), expires_at=1)))

    def say(message: str | bytes) -> None:
        client.do(client.dialect.received(message))

    for message in surface.opening({"sample_rate": "16000", "language": "en"}):
        say(message)
    for kind, ms in ((SPEECH, 500), (SILENCE, 1000), (SPEECH, 300)):
        say(surface.audio(kind * (32 * ms)))
    for message in surface.end():
        say(message)
    client.settle()
    told: list[dict[str, Any]] = []
    for frame in client.frames:
        told += surface.received(json.dumps(frame))
    assert [m["type"] for m in told if m["type"] != "partial"] == [
        "ready",
        "speech_start",
        "speech_end",
        "speech_start",
        "speech_end",
        "final",
        "final",
        "closed",
    ]
    arrivals = [Arrival(0.0, event_from_map(message | {"seq": n})) for n, message in enumerate(told, 1)]
    assert broken_promises(arrivals) == []
    assert transcript(arrivals) == "s0u0w0 s0u0w1 s0u0w2 s0u0w3 s0u0w4 s0u1w0 s0u1w1 s0u1w2"


def test_a_refusal_is_an_error() -> None:
    error = {"type": "error", "error": {"code": "invalid_value", "message": "No."}}
    [told] = Realtime().received(json.dumps(error))
    assert (told["type"], told["code"]) == ("error", "invalid_value")


def test_native_is_passed_on() -> None:
    native = SURFACES["native"]()
    assert native.address("ws://h/v1/stream", {"a": "b"}) == "ws://h/v1/stream?a=b"
    assert native.received('{"type": "closed", "seq": 4}') == [{"type": "closed", "seq": 4}]
    assert native.end() == ['{"type": "end"}']


def test_surfaces_are_compared_on_the_same_programs() -> None:
    passages = [
        Passage(name=name, language="en", text="", pcm16=bytes(32_000 * seconds))
        for name, seconds in (("a", 5), ("b", 6))
    ]
    plan = plan_of(passages, 5, 2, seconds=1)
    assert [program.passages[0].name for program in plan] == ["a", "a", "b", "b", "a"]
