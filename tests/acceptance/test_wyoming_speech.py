"""Home Assistant's way to a transcript, with real weights."""

import signal

import numpy as np
import pytest
import soxr
from wyoming.asr import Transcribe

from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.service import Service
from tests.support.speech import spoken
from tests.support.wyoming_client import client_of, heard, say, started

pytestmark = [pytest.mark.anyio, pytest.mark.model, pytest.mark.slow]

NAMES = ("en_quilter", "en_wizard")
REFERENCE = " ".join(clip(name).text for name in NAMES)


async def test_speech_is_understood_in_any_format(english: Service) -> None:
    port = started(english)
    talk = spoken(*NAMES)
    stereo = np.repeat(soxr.resample(np.frombuffer(talk, "<i2"), 16000, 48000)[:, None], 2, axis=1)
    try:
        async with client_of(port) as client:
            await client.write_event(Transcribe(language="en").event())
            await say(client, talk)
            assert wer(REFERENCE, await heard(client)) <= 0.12
            await say(client, stereo.astype("<i2").tobytes(), rate=48000, channels=2)
            assert wer(REFERENCE, await heard(client)) <= 0.12
    finally:
        assert english.end("wyoming", signal.SIGTERM) == 0
