"""Real speech through Deepgram's protocol with real weights."""

import asyncio

import httpx
import pytest

from tests.integration.test_live_stream import encoded
from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.deepgram import listened, listening
from tests.support.live import transcribe
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = [pytest.mark.anyio, pytest.mark.model, pytest.mark.slow]

NAMES = ("en_quilter", "en_stew")
REFERENCE = " ".join(clip(name).text for name in NAMES)
TALK = spoken(*NAMES)


async def test_it_is_understood_as_through_the_native_protocol(english: Service) -> None:
    session = await listened(
        english.ws_url, TALK, language="en-US", interim_results="true", smart_format="true"
    )
    native = await transcribe(english.ws_url, TALK, language="en", numerals="digits")
    # On a busy machine partials come at other moments, and what they commit binds the final: a word or two.
    assert wer(native.transcript, session.transcript()) <= 0.05
    assert wer(REFERENCE, session.transcript()) <= 0.12
    session.check_tiles(len(TALK) / 32_000)
    for frame in session.finals():
        (said,) = frame["channel"]["alternatives"]
        if said["transcript"]:
            assert 0 < said["confidence"] <= 1
            assert all(0 < word["confidence"] <= 1 for word in said["words"])
            assert wer(said["transcript"], " ".join(w["punctuated_word"] for w in said["words"])) == 0


async def test_a_telephone_line_with_a_pause_of_25_ms_asked_for(english: Service) -> None:
    """8 kHz µ-law, as Twilio sends it, and `endpointing=25`, as LiveKit does."""
    audio = encoded(TALK, "mulaw", 8000, 1)
    query = {"encoding": "mulaw", "sample_rate": 8000, "endpointing": 25}
    session = await listened(english.ws_url, audio, query)
    assert wer(REFERENCE, session.transcript()) <= 0.2
    session.check_tiles(len(TALK) / 32_000)


async def test_interim_results_are_all_of_what_was_said_so_far(english: Service) -> None:
    audio = clip("en_stew").pcm16()
    async with listening(english.ws_url, interim_results="true") as session:
        clock = asyncio.get_running_loop().time
        start = clock()
        for i in range(0, len(audio), 3200):
            await session.socket.send(audio[i : i + 3200])
            await asyncio.sleep(max(0.0, start + (i + 3200) / 32_000 - clock()))
        await session.say("Finalize")
        await session.until("Results", from_finalize=True)
        await session.say("CloseStream")
        assert (await session.until_closed())[0] == 1000
    interims = [frame for frame in session.of("Results") if not frame["is_final"]]
    assert len(interims) >= 5
    for frame in interims:
        (said,) = frame["channel"]["alternatives"]
        assert wer(said["transcript"], " ".join(w["punctuated_word"] for w in said["words"])) == 0
        assert said["confidence"] > 0
    assert wer(clip("en_stew").text, session.transcript()) <= 0.2


async def test_a_file_is_understood(english: Service) -> None:
    data = clip("en_years").path.read_bytes()  # Ogg Opus
    async with httpx.AsyncClient(base_url=english.url, timeout=60, trust_env=False) as http:
        answer = await http.post("/v1/listen", content=data, params={"utterances": "true"})
    assert answer.status_code == 200, answer.text
    (said,) = answer.json()["results"]["channels"][0]["alternatives"]
    assert wer(clip("en_years").text, said["transcript"]) <= 0.3
    assert all(word["confidence"] > 0 for word in said["words"])
