"""OpenAI's audio API with real weights: the text is right, and what is said of it is the decoder's own."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.service import Service

pytestmark = [pytest.mark.model, pytest.mark.slow]

WER_MAX = 0.12
SPOKEN = clip("en_quilter")


def asked(service: Service, path: Path = SPOKEN.path, **fields: Any) -> httpx.Response:
    files = {"file": (path.name, path.read_bytes())}
    url = f"{service.url}/v1/audio/transcriptions"
    answer = httpx.post(url, files=files, data={"model": "whisper-1", **fields}, timeout=90)
    assert answer.status_code == 200
    return answer


def test_text_tokens_and_probabilities_belong_together(english: Service) -> None:
    body = asked(
        english,
        response_format="verbose_json",
        **{"timestamp_granularities[]": ["word", "segment"], "include[]": "logprobs"},
    ).json()
    assert wer(SPOKEN.text, body["text"]) <= WER_MAX
    assert b"".join(bytes(row["bytes"]) for row in body["logprobs"]).decode().strip() == body["text"]
    said = [row["logprob"] for row in body["logprobs"]]
    assert max(said) <= 0.0
    assert len(set(said)) > len(said) / 2
    for segment in body["segments"]:
        assert -1.0 < segment["avg_logprob"] < 0.0
        assert 0.0 < segment["no_speech_prob"] < 0.6
        assert 0.5 < segment["compression_ratio"] < 2.4
        assert segment["temperature"] in (0.0, 0.2, 0.6)
        assert segment["tokens"]
    # The decoder's mean and that of the alignment are of the same tokens, but for their last one.
    assert sum(said) / len(said) == pytest.approx(body["segments"][0]["avg_logprob"], abs=0.3)
    assert [word["word"] for word in body["words"]] == body["text"].split()


def test_a_stream_says_the_same(english: Service) -> None:
    lines = asked(english, stream="true").text.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    text = "".join(event["delta"] for event in events[:-1])
    assert text == events[-1]["text"]
    assert wer(SPOKEN.text, text) <= WER_MAX


def test_what_is_not_english_is_translated(multilingual: Service) -> None:
    path = clip("de_zeit").path
    url = f"{multilingual.url}/v1/audio/translations"
    files = {"file": (path.name, path.read_bytes())}
    data = {"model": "whisper-1", "response_format": "verbose_json"}
    body = httpx.post(url, files=files, data=data, timeout=90).json()
    assert (body["task"], body["language"]) == ("translate", "english")
    assert {"men", "women"} <= set(body["text"].lower().split())
    heard = asked(multilingual, path, response_format="verbose_json").json()
    assert heard["language"] == "german"
    assert wer(clip("de_zeit").text, heard["text"], language="de") <= 0.4
