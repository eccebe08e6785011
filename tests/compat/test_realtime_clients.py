"""Clients of OpenAI's Realtime API, unmodified, against the running service with real weights."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from client.cli.dev_cert import dev_cert
from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.driving import KEY, PYTHON, driven
from tests.support.encodings import encoded
from tests.support.service import Service
from tests.support.sound import pcm16, silence
from tests.support.speech import spoken

pytestmark = [pytest.mark.compat, pytest.mark.model]

NAMES = ("en_quilter", "en_stew")
REFERENCE = " ".join(clip(name).text for name in NAMES)
WER_MAX = 0.12
PREFIX = "conversation.item.input_audio_transcription"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The same speech as pcm16 of 16 and of 24 kHz."""
    folder, talk = tmp_path_factory.mktemp("speech"), spoken(*NAMES) + pcm16(silence(1.0))
    paths = {rate: folder / f"talk{rate}.raw" for rate in (16_000, 24_000)}
    paths[16_000].write_bytes(talk)
    paths[24_000].write_bytes(encoded(talk, "pcm16", 24_000, 1))
    return paths


@pytest.fixture(scope="module")
def over_tls(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Service, Path]]:
    """The service with a certificate of its own, and the authority to trust."""
    folder = tmp_path_factory.mktemp("tls")
    dev_cert(names=[], out=folder)
    cert, key, ca = (folder / name for name in ("cert.pem", "key.pem", "ca.pem"))
    settings = {"api_keys": KEY, "tls_cert": str(cert), "tls_key": str(key)}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(ca))
        with Service.running(folder, model="tiny.en", **settings) as running:
            yield running, ca


def check(events: list[dict[str, Any]]) -> None:
    """The events of a client that leaves turns to the server and commits at the end."""
    assert not [e for e in events if e["type"] == "error"]
    committed = [e["item_id"] for e in events if e["type"] == "input_audio_buffer.committed"]
    texts = {e["item_id"]: e["transcript"] for e in events if e["type"] == f"{PREFIX}.completed"}
    assert set(committed) == set(texts)
    for item, text in texts.items():
        deltas = [e["delta"] for e in events if e["type"] == f"{PREFIX}.delta" and e["item_id"] == item]
        assert "".join(deltas) == text
    assert wer(REFERENCE, " ".join(texts[item] for item in committed)) <= WER_MAX


@pytest.mark.parametrize("mode", ["intent", "model", "beta"])
def test_the_python_package(keyed: Service, files: dict[int, Path], mode: str) -> None:
    found = driven([PYTHON, "realtime_openai.py", mode], keyed.url, files[24_000])
    check(found["events"])
    kinds = [event["type"] for event in found["events"]]
    expected = "transcription_session." if mode == "beta" else "session."
    assert kinds[:2] == [f"{expected}created", f"{expected}updated"]
    assert ("conversation.item.created" in kinds) is (mode == "beta")
    assert found["refused"] == 401


@pytest.mark.parametrize("mode", ["intent", "model"])
def test_the_npm_package(over_tls: tuple[Service, Path], files: dict[int, Path], mode: str) -> None:
    """Trap 10: it forces wss."""
    service, ca = over_tls
    url = service.url.replace("http:", "https:")
    found = driven(["node", "realtime_openai.mjs", mode], url, files[24_000], ca=ca)
    assert found["errors"] == []
    check(found["events"])
    assert "401" in found["refused"]


@pytest.mark.parametrize("socket", ["ws", "web"])
def test_the_ai_sdk(keyed: Service, files: dict[int, Path], socket: str) -> None:
    """Trap 11: the key is a subprotocol, and one must be echoed."""
    node = ["node", "--experimental-websocket"] if socket == "web" else ["node"]
    found = driven([*node, "realtime_ai_sdk.mjs", socket], keyed.url, files[24_000])
    kinds = [part["type"] for part in found["parts"]]
    assert kinds[0] == "stream-start"
    assert kinds[-2:] == ["transcript-final", "finish"]
    deltas = "".join(part["delta"] for part in found["parts"] if part["type"] == "transcript-delta")
    assert deltas == found["parts"][-1]["text"]
    assert wer(REFERENCE, deltas) <= WER_MAX
    assert found["refused"].startswith("refused")


@pytest.mark.parametrize("model", ["gpt-4o-mini-transcribe", "gpt-realtime-whisper"])
def test_livekit_s_plugin(keyed: Service, files: dict[int, Path], model: str) -> None:
    found = driven([PYTHON, "realtime_livekit.py", model], keyed.url, files[24_000])
    finals = [event["text"] for event in found["events"] if event["type"] == "final_transcript"]
    kinds = {event["type"] for event in found["events"]}
    assert {"start_of_speech", "interim_transcript", "end_of_speech"} <= kinds
    assert wer(REFERENCE, " ".join(finals)) <= WER_MAX
    if model == "gpt-realtime-whisper":
        assert len(finals) == 1


@pytest.mark.parametrize("mode", ["local", "server"])
def test_pipecat_s_service(keyed: Service, files: dict[int, Path], mode: str) -> None:
    """Trap 14: it says nothing before `session.created`."""
    found = driven([PYTHON, "realtime_pipecat.py", mode], keyed.url, files[16_000])
    assert not [frame for frame in found["frames"] if "error" in frame]
    finals = [frame["text"] for frame in found["frames"] if frame["final"]]
    interim = "".join(frame["text"] for frame in found["frames"] if not frame["final"])
    assert wer(REFERENCE, " ".join(finals)) <= WER_MAX
    assert wer(REFERENCE, interim.replace("  ", " ")) <= 0.4  # turns are not told apart in them
    if mode == "local":
        assert len(finals) == 1
