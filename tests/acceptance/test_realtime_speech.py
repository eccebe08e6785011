"""Real speech over `/v1/realtime` with real weights, scored against the references."""

import asyncio

import pytest

from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.encodings import encoded
from tests.support.realtime_client import COMMITTED, DELTA, realtime, transcription
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = [pytest.mark.anyio, pytest.mark.model, pytest.mark.slow]

NAMES = ("en_quilter", "en_stew", "en_wizard")
TALK = spoken(*NAMES)
REFERENCE = " ".join(clip(name).text for name in NAMES)
WER_MAX = 0.12
VAD = {"type": "server_vad", "silence_duration_ms": 600}


@pytest.mark.parametrize("turn_detection", [VAD, None], ids=["server_vad", "commit"])
async def test_english_is_understood(english: Service, turn_detection: dict[str, object] | None) -> None:
    async with realtime(english.ws_url, intent="transcription") as client:
        await client.say("session.update", session=transcription(turn_detection, rate=24_000))
        await client.audio(encoded(TALK, "pcm16", 24_000, 1))
        await client.say("input_audio_buffer.commit")
        texts = (
            await client.until_completed(last="") if turn_detection else await client.until_completed(count=1)
        )
    assert wer(REFERENCE, " ".join(texts)) <= WER_MAX
    assert "".join(frame["delta"] for frame in client.of(DELTA)) == "".join(texts)
    assert len(texts) > 3 if turn_detection else len(texts) == 1


async def test_deltas_come_while_the_person_speaks(english: Service) -> None:
    audio = clip("en_stew").pcm16()
    async with realtime(english.ws_url) as client:
        await client.say("session.update", session=transcription(None))
        clock = asyncio.get_running_loop().time
        start = clock()
        for at in range(0, len(audio), 3200):
            await client.audio(audio[at : at + 3200])
            await asyncio.sleep(max(0.0, start + (at + 3200) / 32000 - clock()))
        await client.say("input_audio_buffer.commit")
        [text] = await client.until_completed(count=1)
    committed = client.frames.index(client.of(COMMITTED)[0])
    early = "".join(frame["delta"] for frame in client.frames[:committed] if frame["type"] == DELTA)
    assert len(early) > 20
    assert text.startswith(early)
    assert wer(clip("en_stew").text, text) <= WER_MAX


async def test_another_language_over_g711(multilingual: Service) -> None:
    audio = encoded(spoken("de_zeit"), "alaw", 8_000, 1)
    async with realtime(multilingual.ws_url, model="gpt-4o-transcribe") as client:
        given = transcription(None, format={"type": "audio/pcma"}, transcription={"language": "de"})
        await client.say("session.update", session=given)
        await client.audio(audio)
        await client.say("input_audio_buffer.commit")
        [text] = await client.until_completed(count=1)
    assert wer(clip("de_zeit").text, text, language="de") <= 0.4
