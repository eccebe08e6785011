"""The model is replaced under sessions that live: they go on with the new one."""

import asyncio
import signal
from pathlib import Path

import pytest

from bench.scoring import word_errors
from client import StreamOptions, connect
from tests.support.data import clip
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = [pytest.mark.anyio, pytest.mark.model, pytest.mark.slow]

CLIPS = ("en_quilter", "en_stew", "en_wizard")
TALK = spoken(*CLIPS)
FIRST_CLIP_BYTES = len(spoken(CLIPS[0]))
CHUNK_BYTES = 3200
SPEED = 2.0
WRONG_MAX = 0.15
"""Part of the words; the smallest models mishear less of these clips."""


async def test_sessions_go_on_with_another_model(tmp_path: Path) -> None:
    with Service.running(tmp_path, model="tiny.en", modules=("api", "worker"), drain_s="10") as service:
        replaced = asyncio.Event()
        speaking = [asyncio.create_task(speak(service, replaced)) for _ in range(2)]
        service.start("worker", name="anew", environment={"STENO_MODEL": "base"})
        await asyncio.to_thread(service.wait_until_workers, 2)
        assert await asyncio.to_thread(service.end, "worker", signal.SIGTERM) == 0
        replaced.set()
        heard = await asyncio.gather(*speaking)
        assert [worker.model for worker in await asyncio.to_thread(service.workers)] == ["base"]
    said = " ".join(clip(name).text for name in CLIPS)
    for text in heard:
        assert word_errors(said, text).rate < WRONG_MAX, text


async def speak(service: Service, replaced: asyncio.Event) -> str:
    """A session of which all but the first clip is spoken to the new model. Returns its transcript."""
    async with connect(service.ws_url, options=StreamOptions(language="en")) as session:

        async def send() -> None:
            for start in range(0, len(TALK), CHUNK_BYTES):
                if start >= FIRST_CLIP_BYTES:
                    await replaced.wait()
                await session.send(TALK[start : start + CHUNK_BYTES])
                await asyncio.sleep(CHUNK_BYTES / 32000 / SPEED)
            await session.end()

        sending = asyncio.create_task(send())
        utterances = [event.utterance async for event in session if event.type == "final"]
        await sending
        assert utterances == list(range(len(utterances)))
        return session.transcript.text
