"""The model, or the engine, is replaced under sessions that live, and rolled back: one variable of the
workers. The sessions go on with what is there."""

import asyncio
import signal
from pathlib import Path

import pytest

from bench.scoring import word_errors
from client import StreamOptions, connect
from tests.support.data import clip
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = [pytest.mark.anyio, pytest.mark.model, pytest.mark.timeout(600)]

CLIPS = ("en_quilter", "en_stew", "en_wizard")
TALKS = [spoken(name) for name in CLIPS]
CHUNK_BYTES = 3200
SPEED = 2.0
WRONG_MAX = 0.15
"""Part of the words; the smallest models mishear less of these clips."""


@pytest.mark.parametrize(
    ("change", "attribute", "before", "after"),
    [
        pytest.param({"STENO_MODEL": "base"}, "model", "tiny.en", "base", marks=pytest.mark.slow, id="model"),
        pytest.param(
            {"STT_BACKEND": "huggingface"},
            "device",
            "cpu int8_float32",
            "cpu float32",
            marks=pytest.mark.huggingface,
            id="engine",
        ),
    ],
)
async def test_sessions_go_on_through_a_change_and_its_rollback(
    tmp_path: Path, change: dict[str, str], attribute: str, before: str, after: str
) -> None:
    # As operators set it: STENO_ENGINE would win over the other name of the variable.
    # A lease outlasts the test: what moves was handed over. PyTorch is slow, and two workers share cores.
    settings = {"lease_s": "20", "drain_s": "15", "threads": "1"}
    with Service.running(tmp_path, model="tiny.en", modules=("api", "worker"), **settings) as service:
        service.environment.pop("STENO_ENGINE")
        service.start("worker", name="second")
        await asyncio.to_thread(service.wait_until_workers, 2)
        stages = [asyncio.Event() for _ in TALKS]
        stages[0].set()
        speaking = [asyncio.create_task(speak(service, stages)) for _ in range(2)]
        await replace(service, ["worker", "second"], change, suffix=" changed")
        assert await serving(service, attribute) == {after}
        stages[1].set()
        await replace(service, ["worker changed", "second changed"], {}, suffix=" back")
        assert await serving(service, attribute) == {before}
        stages[2].set()
        heard = await asyncio.gather(*speaking)
        lines = service.log.read_text().splitlines()
    assert not [line for line in lines if "went to another worker" in line], "handed over, not lost"
    said = " ".join(clip(name).text for name in CLIPS)
    for text in heard:
        assert word_errors(said, text).rate < WRONG_MAX, text


async def replace(service: Service, names: list[str], change: dict[str, str], *, suffix: str) -> None:
    """A rolling update: one worker after the other, the new one first."""
    for name in names:
        service.start("worker", name=name + suffix, environment=change)
        await asyncio.to_thread(service.wait_until_workers, len(names) + 1)
        assert await asyncio.to_thread(service.end, name, signal.SIGTERM) == 0


async def serving(service: Service, attribute: str) -> set[str]:
    """What the workers say that they are."""
    return {getattr(worker, attribute) for worker in await asyncio.to_thread(service.workers)}


async def speak(service: Service, stages: list[asyncio.Event]) -> str:
    """A session of which each clip is spoken when its stage begins. Returns its transcript."""
    async with connect(service.ws_url, options=StreamOptions(language="en")) as session:

        async def send() -> None:
            for talk, stage in zip(TALKS, stages, strict=True):
                await stage.wait()
                for start in range(0, len(talk), CHUNK_BYTES):
                    await session.send(talk[start : start + CHUNK_BYTES])
                    await asyncio.sleep(CHUNK_BYTES / 32000 / SPEED)
            await session.end()

        sending = asyncio.create_task(send())
        utterances = [event.utterance async for event in session if event.type == "final"]
        await sending
        assert utterances == list(range(len(utterances)))
        return session.transcript.text
