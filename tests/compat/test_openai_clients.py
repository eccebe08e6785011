"""OpenAI's own clients, and those of Vercel, LiveKit and Pipecat, unmodified against the running service with
real weights."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.driving import PYTHON, driven
from tests.support.media import write_media
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = [pytest.mark.compat, pytest.mark.model]

NAMES = ("en_quilter",)
REFERENCE = " ".join(clip(name).text for name in NAMES)
WER_MAX = 0.12


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same speech raw and as a WAV."""
    folder = tmp_path_factory.mktemp("speech")
    raw = folder / "talk.raw"
    raw.write_bytes(spoken(*NAMES))
    return raw, write_media(folder / "talk.wav", np.frombuffer(raw.read_bytes(), "<i2") / 32767.0)


def is_right(text: str) -> bool:
    return wer(REFERENCE, text) <= WER_MAX


def test_the_python_sdk(keyed: Service, files: tuple[Path, Path]) -> None:
    found = driven([PYTHON, "openai_sdk.py"], keyed.url, *files)
    for name in ("json", "text"):
        assert is_right(found[name])
    assert found["srt"].startswith("1\n00:00:0")
    assert found["vtt"].startswith("WEBVTT")
    verbose = found["verbose"]
    assert is_right(verbose["text"])
    assert verbose["language"] == "english"
    assert len(verbose["words"]) == len(verbose["text"].split())
    assert all(-2 < s["avg_logprob"] < 0 and s["tokens"] for s in verbose["segments"])
    assert all(0 <= s["no_speech_prob"] <= 1 < s["compression_ratio"] for s in verbose["segments"])
    assert is_right(found["diarized"]["text"])
    assert is_right("".join(row["token"] for row in found["logprobs"]))
    assert all(row["logprob"] <= 0 for row in found["logprobs"])
    *deltas, done = found["stream"]
    assert "".join(event["delta"] for event in deltas) == done["text"]
    assert is_right(done["text"])
    assert {"whisper-1", "tiny.en"} <= set(found["models"])
    assert found["errors"] == {
        "model": ["NotFoundError", "model_not_found", "model", "invalid_request_error"],
        "format": ["BadRequestError", "bad_parameter", "response_format", "invalid_request_error"],
        "key": ["AuthenticationError", "invalid_api_key", None, "invalid_request_error"],
    }


def test_the_npm_sdk(keyed: Service, files: tuple[Path, Path]) -> None:
    found = driven(["node", "openai_sdk.mjs"], keyed.url, *files)
    for name in ("json", "text", "chunked"):
        assert is_right(found[name])
    assert found["srt"].startswith("1\n00:00:0")
    assert {"words", "segments"} <= set(found["verbose"])
    assert found["stream"][-1]["type"] == "transcript.text.done"
    assert found["errors"] == {
        "model": ["NotFoundError", "model_not_found", 404],
        "key": ["AuthenticationError", "invalid_api_key", 401],
    }


def test_the_ai_sdk(keyed: Service, files: tuple[Path, Path]) -> None:
    found = driven(["node", "ai_sdk.mjs"], keyed.url, *files)
    whisper, other = found["results"]
    assert is_right(whisper["text"])
    assert is_right(other["text"])
    assert whisper["language"] == "en"
    assert whisper["segments"]
    assert whisper["durationInSeconds"] > 1
    assert [error[:2] for error in found["errors"]] == [["AI_APICallError", 404]]


def test_livekit_s_plugin(keyed: Service, files: tuple[Path, Path]) -> None:
    found = driven([PYTHON, "livekit_openai.py"], keyed.url, *files)
    assert len(found) == 2
    assert all(map(is_right, found.values()))


def test_pipecat_s_service(keyed: Service, files: tuple[Path, Path]) -> None:
    found = driven([PYTHON, "pipecat_openai.py"], keyed.url, *files)
    for frames in found.values():
        assert [frame["kind"] for frame in frames] == ["TranscriptionFrame"]
        assert is_right(frames[0]["text"])
