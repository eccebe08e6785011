"""What the load generator makes of Deepgram's messages."""

import json
from typing import Any

from bench.surface_deepgram import Deepgram


def results(text: str, start: float, duration: float, **more: bool) -> dict[str, Any]:
    about = {"is_final": True, "speech_final": True, **more}
    channel = {"alternatives": [{"transcript": text, "confidence": 0.9, "words": []}]}
    return {"type": "Results", "start": start, "duration": duration, "channel": channel, **about}


def test_frames_become_native_messages() -> None:
    surface = Deepgram()
    said = [
        message
        for frame in (
            {"type": "ConfigureSuccess", "request_id": "r"},
            {"type": "SpeechStarted", "channel": [0, 1], "timestamp": 0.5},
            results("one", 0.0, 1.0, is_final=False, speech_final=False),
            results("one two", 0.0, 2.0),
            results("three", 2.0, 1.0, speech_final=False),
            results("", 3.0, 1.0),
            {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 2.0},
            {"type": "Metadata", "duration": 4.0},
        )
        for message in surface.received(json.dumps(frame))
    ]
    kinds = [message["type"] for message in said]
    assert kinds == ["ready", "speech_start", "partial", "speech_end", "final", "final", "closed"]
    assert [m["utterance"] for m in said if m["type"] == "final"] == [0, 1]
    assert said[4] | {"text": "one two", "start": 0.0, "end": 2.0} == said[4]
    assert said[-1] == {"type": "closed", "reason": "end", "duration": 4.0, "utterances": 2}


def test_an_error_is_one() -> None:
    frame = {"type": "Error", "variant": "no_capacity", "description": "full"}
    assert Deepgram().received(json.dumps(frame)) == [
        {"type": "error", "code": "no_capacity", "message": "full"}
    ]


def test_it_asks_for_what_the_native_surface_says_by_itself() -> None:
    surface = Deepgram()
    address = surface.address("ws://h:1/v1/stream", {"language": "auto", "sample_rate": "16000"})
    assert address.startswith(
        "ws://h:1/v1/listen?model=nova-3&language=multi&encoding=linear16&sample_rate=16000"
    )
    assert surface.opening({}) == ['{"type": "Configure"}']
    assert surface.end() == ['{"type": "CloseStream"}']
    assert surface.audio(b"ab") == b"ab"
