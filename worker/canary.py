"""The canary: a sentence whose words are known, decoded when the worker starts and whenever it has decoded
nothing for a while, so that its readiness says more than that the process lives."""

import asyncio
import logging
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.audio.pcm import Float32, pcm16_to_float
from shared.errors import EngineFault
from worker.core.decode import DecodeRequest, Kind
from worker.core.hypothesis import fold, units
from worker.device import Device, WindowRequest
from worker.engine.api import WITHOUT_WEIGHTS
from worker.metrics import CANARY_SHARE

log = logging.getLogger(__name__)

CLIP: Final = Path(__file__).parent / "clips" / "canary.wav"
WORDS: Final = ("he", "hoped", "there", "would", "be", "stew", "for", "dinner")
LANGUAGE: Final = "en"
HEARD_MIN: Final = 0.5
"""Share of the words below which something is wrong: the smallest models hear all of them."""
_LOOK_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of it the last time."""

    share: float
    """Of the words, 0 to 1."""
    took_s: float
    """From asking to the answer: on a busy device others come first."""
    at_s: float
    """On the device's clock."""


class Canary:
    """Has the sentence decoded by a device, behind all live sessions. Run `listen_forever` as a task."""

    def __init__(
        self, device: Device, *, every_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`every_s` is the longest time without any decode. `clock` is the device's."""
        self._device = device
        self._every_s = every_s
        self._clock = clock
        self.heard: Heard | None = None
        """None: not yet, or the model does not know the language."""

    @property
    def s_ago(self) -> float | None:
        """Since it was heard the last time."""
        return None if self.heard is None else self._clock() - self.heard.at_s

    async def listen_forever(self) -> None:
        """Ends at once for an engine that hears nothing, and a model of another language."""
        info = self._device.info
        if info.name in WITHOUT_WEIGHTS or LANGUAGE not in info.languages or not self._every_s:
            return
        request = WindowRequest(
            "canary", DecodeRequest(kind=Kind.FILE, audio=_read(CLIP), language=LANGUAGE), urgent=True
        )
        while True:
            decoded_s_ago = self._device.decoded_s_ago()
            if decoded_s_ago is None or decoded_s_ago >= self._every_s:
                await self._listen(request)
            await asyncio.sleep(_LOOK_S)

    async def _listen(self, request: WindowRequest) -> None:
        began_s = self._clock()
        (answer,) = self._device.ask([request])
        result = await answer
        if result is None:
            return
        text = "" if isinstance(result, EngineFault) else result.text
        share = share_heard(text)
        self.heard = Heard(share, self._clock() - began_s, self._clock())
        CANARY_SHARE.set(share)
        if share < HEARD_MIN:
            log.error("the canary was not understood", extra={"share": round(share, 2)})


def share_heard(text: str) -> float:
    """Share of the canary's words that a text has, 0 to 1."""
    said = {fold(unit) for unit in units(text)}
    return sum(word in said for word in WORDS) / len(WORDS)


def _read(path: Path) -> Float32:
    with wave.open(str(path), "rb") as file:
        return pcm16_to_float(file.readframes(file.getnframes()))
