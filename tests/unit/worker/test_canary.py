"""The canary: asked for at the start and after silence, behind everything live, and told whatever it
heard."""

import asyncio
import logging
from collections.abc import Sequence

import pytest

from shared.audio.pcm import Float32
from shared.errors import EngineFault
from shared.tasks import end_tasks
from worker.canary import WORDS, Canary, share_heard
from worker.core.decode import DecodeRequest, DecodeResult, EngineInfo, Kind
from worker.device import Device

pytestmark = pytest.mark.anyio

EVERY_S = 60.0


class Engine:
    """Hears what it is told to."""

    def __init__(self, *texts: str, languages: tuple[str, ...] = ("en",)) -> None:
        self._texts = list(texts)
        self._languages = languages
        self.asked: list[DecodeRequest] = []

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(name="e", model="m", device="cpu", compute_type="none", languages=self._languages)

    def prepare(self) -> None: ...

    def decode(self, batch: Sequence[DecodeRequest]) -> list[DecodeResult]:
        self.asked += batch
        text = self._texts.pop(0)
        if not text:
            raise EngineFault("broken")
        return [DecodeResult(text=text, language="en") for _ in batch]

    def close(self) -> None: ...


class Clock:
    """Time that a test sets."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def until_heard(canary: Canary, at_s: float) -> float:
    """Wait until the canary was heard at that time; returns the share of its words."""
    async with asyncio.timeout(60):
        while canary.heard is None or canary.heard.at_s != at_s:  # noqa: ASYNC110 - a thread decodes
            await asyncio.sleep(0.01)
    return canary.heard.share


async def test_it_is_heard_at_the_start_and_after_silence(caplog: pytest.LogCaptureFixture) -> None:
    engine, clock = Engine(" ".join(WORDS), "Thank you.", ""), Clock()
    device = Device(engine, clock=clock)
    canary = Canary(device, every_s=EVERY_S, clock=clock)
    listening = asyncio.create_task(canary.listen_forever())
    try:
        with caplog.at_level(logging.ERROR):
            assert await until_heard(canary, 0.0) == 1.0
            assert [record.message for record in caplog.records] == []
            clock.now_s = EVERY_S + 1
            assert await until_heard(canary, EVERY_S + 1) == 0.0
            assert [record.message for record in caplog.records] == ["the canary was not understood"]
            assert "Thank" not in caplog.text
            clock.now_s = 3 * EVERY_S
            assert await until_heard(canary, 3 * EVERY_S) == 0.0
        assert canary.s_ago == 0.0
    finally:
        await end_tasks([listening])
        await device.close()
    audio: Float32 = engine.asked[0].audio
    assert {request.kind for request in engine.asked} == {Kind.FILE}
    assert 2 < len(audio) / 16_000 < 3
    assert len(engine.asked) == 3


@pytest.mark.parametrize(("languages", "every_s"), [(("de", "fr"), EVERY_S), (("en",), 0.0)])
async def test_who_does_not_know_its_language_or_was_not_asked_is_left_alone(
    languages: tuple[str, ...], every_s: float
) -> None:
    engine = Engine(languages=languages)
    device = Device(engine)
    await Canary(device, every_s=every_s).listen_forever()
    await device.close()
    assert engine.asked == []


def test_words_are_counted_however_they_are_written() -> None:
    assert share_heard("He HOPED there would be stew, for dinner.") == 1.0
    assert share_heard("he hoped there") == pytest.approx(3 / 8)
    assert share_heard("") == 0.0
