"""Transcripts of files as Deepgram writes them."""

import io
import json

import numpy as np
import pytest

from api.deepgram.query import parse
from api.deepgram.recorded import answer, wave_header
from api.deepgram.shapes import Request
from shared.audio.convert import AudioFormat
from shared.audio.media import decode_chunks
from shared.events import Word
from shared.transcript import Segment, Transcript

REQUEST = Request(id="req", created="2026-01-01T00:00:00.000Z", model="base")


def line(start: float, *texts: str, channel: int | None = None) -> Segment:
    words = tuple(
        Word(text=text, start=start + i, end=start + i + 0.5, probability=0.8) for i, text in enumerate(texts)
    )
    return Segment(start=start, end=words[-1].end, text=" ".join(texts), words=words, channel=channel)


def said(*lines: Segment, **query: str) -> dict:
    transcript = Transcript(language="de", duration=9.0, segments=lines)
    return answer(transcript, parse(query.items(), live=False), REQUEST, sha256="0" * 64, channels=4)


def test_trap_22_all_that_clients_read_is_there() -> None:
    document = said(line(0.0, "Hello", "you."), line(3.0, "Yes."))
    about = document["metadata"]
    assert about.keys() == {
        *("transaction_key", "request_id", "sha256", "created", "duration", "channels"),
        *("models", "model_info"),
    }
    assert (about["duration"], about["channels"], about["request_id"]) == (9.0, 1, "req")
    (model,) = about["models"]
    assert about["model_info"][model]["name"] == "base"
    assert about["model_info"][model].keys() == {"name", "version", "arch"}
    (channel,) = document["results"]["channels"]
    (reading,) = channel["alternatives"]
    assert reading["transcript"] == "Hello you. Yes."
    assert reading["confidence"] == pytest.approx(0.8)
    assert [word["word"] for word in reading["words"]] == ["hello", "you", "yes"]
    assert "utterances" not in document["results"]
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_silence_is_an_empty_transcript() -> None:
    (channel,) = said()["results"]["channels"]
    assert channel["alternatives"] == [{"transcript": "", "confidence": 0.0, "words": []}]


def test_each_channel_has_its_own_transcript() -> None:
    document = said(
        line(0, "one", channel=0), line(1, "two", channel=2), multichannel="true", utterances="true"
    )
    texts = [channel["alternatives"][0]["transcript"] for channel in document["results"]["channels"]]
    assert texts == ["one", "", "two", ""]
    assert document["metadata"]["channels"] == 4
    assert [(u["transcript"], u["channel"]) for u in document["results"]["utterances"]] == [
        ("one", 0),
        ("two", 2),
    ]


def test_utterances_are_cut_at_pauses() -> None:
    document = said(line(0.0, "a", "b"), line(2.0, "c"), line(4.0, "d"), utterances="true")
    found = document["results"]["utterances"]
    assert [(u["transcript"], u["start"], u["end"]) for u in found] == [("a b c", 0.0, 2.5), ("d", 4.0, 4.5)]
    assert all(u["id"] and u["words"] and u["confidence"] > 0 for u in found)
    split = said(line(0.0, "a", "b"), utterances="true", utt_split="0.5")
    assert [u["transcript"] for u in split["results"]["utterances"]] == ["a", "b"]


def test_languages_tags_and_detection() -> None:
    document = said(line(0, "ja"), language="multi", tag="x")
    assert document["results"]["channels"][0]["alternatives"][0]["languages"] == ["de"]
    assert document["metadata"]["tags"] == ["x"]
    assert said(line(0, "ja"), detect_language="true")["results"]["channels"][0]["detected_language"] == "de"


@pytest.mark.parametrize("encoding", ["pcm16", "float32", "mulaw", "alaw"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_header_makes_a_file_of_raw_audio(encoding: str, channels: int) -> None:
    width = {"pcm16": 2, "float32": 4}.get(encoding, 1)
    raw = np.zeros(16_000 * channels * width, np.uint8).tobytes()
    header = wave_header(AudioFormat(encoding, 8000, channels), raw[:16])
    heard = b"".join(decode_chunks(io.BytesIO(header + raw)))
    assert len(heard) == pytest.approx(2 * 32_000, abs=64)


@pytest.mark.parametrize("beginning", [b"RIFF....WAVE", b"OggS", b"ID3", b"\0\0\0\x20ftypM4A "])
def test_a_file_that_says_what_it_is_gets_none(beginning: bytes) -> None:
    assert wave_header(AudioFormat(), beginning) == b""
