"""Deepgram's own clients, and those of LiveKit and Pipecat, unmodified against the running service with real
weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.driving import PYTHON, driven
from tests.support.media import write_media
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = [pytest.mark.compat, pytest.mark.model]

NAMES = ("en_quilter", "en_stew")
REFERENCE = " ".join(clip(name).text for name in NAMES)
FILE = "en_stew"
FILE_REFERENCE = clip(FILE).text


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Speech to stream, raw, and other speech as a WAV."""
    folder = tmp_path_factory.mktemp("speech")
    raw = folder / "talk.raw"
    raw.write_bytes(spoken(*NAMES))
    return raw, write_media(folder / "talk.wav", np.frombuffer(spoken(FILE), "<i2") / 32767.0)


def transcript(frames: list[dict[str, Any]]) -> str:
    finals = [f for f in frames if f["type"] == "Results" and f["is_final"]]
    return " ".join(f["channel"]["alternatives"][0]["transcript"] for f in finals).strip()


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_the_python_sdk(keyed: Service, files: tuple[Path, Path], mode: str) -> None:
    found = driven([PYTHON, "deepgram_sdk.py", mode], keyed.url, *files)
    classes = {frame["class"] for frame in found["live"]}
    assert {"ListenV1Results", "ListenV1SpeechStarted", "ListenV1Metadata"} <= classes
    assert classes <= {
        *("ListenV1Results", "ListenV1SpeechStarted", "ListenV1UtteranceEnd", "ListenV1Metadata")
    }
    assert found["live"][-1]["class"] == "ListenV1Metadata"
    assert found["close"] == [1000]
    assert sum(frame.get("from_finalize") or False for frame in found["live"]) == 1
    assert wer(REFERENCE, transcript(found["live"])) <= 0.2  # `Finalize` cuts a word in two
    assert found["file"]["class"] == "ListenV1Response"
    said = found["file"]["results"]["channels"][0]["alternatives"][0]["transcript"]
    assert wer(FILE_REFERENCE, said) <= 0.2
    assert found["refused"] == 401


def test_the_npm_sdk(keyed: Service, files: tuple[Path, Path]) -> None:
    found = driven(["node", "deepgram_sdk.mjs"], keyed.url, *files)
    assert {f["type"] for f in found["live"]} <= {"Results", "SpeechStarted", "UtteranceEnd", "Metadata"}
    assert found["live"][-1]["type"] == "Metadata"
    assert (found["opened"], found["close"]) == (1, [1000])
    assert wer(REFERENCE, transcript(found["live"])) <= 0.2
    said = found["file"]["results"]["channels"][0]["alternatives"][0]["transcript"]
    assert wer(FILE_REFERENCE, said) <= 0.2
    assert found["refused"] == 401


def test_livekit_s_plugin(keyed: Service, files: tuple[Path, Path]) -> None:
    found = driven([PYTHON, "livekit_deepgram.py"], keyed.url, *files)
    kinds = [event["type"] for event in found["live"]]
    assert (
        kinds.index("start_of_speech") < kinds.index("interim_transcript") < kinds.index("final_transcript")
    )
    assert "end_of_speech" in kinds
    finals = [event for event in found["live"] if event["type"] == "final_transcript"]
    assert all(event["confidence"] > 0 and event["words"] for event in finals)
    assert wer(REFERENCE, " ".join(event["text"] for event in finals)) <= 0.2
    assert wer(FILE_REFERENCE, found["file"]) <= 0.2


def test_pipecat_s_service(keyed: Service, files: tuple[Path, Path]) -> None:
    found = driven([PYTHON, "pipecat_deepgram.py"], keyed.url, *files)
    frames = found["frames"]
    assert not [frame for frame in frames if "error" in frame]
    finals = [frame for frame in frames if frame["final"]]
    assert any(not frame["final"] for frame in frames)
    assert finals[-1]["finalized"]
    assert wer(REFERENCE, " ".join(frame["text"] for frame in finals)) <= 0.15
