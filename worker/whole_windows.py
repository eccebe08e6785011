"""Windows whose text leaves out speech: their parts are decoded by themselves (`worker.core.holes`)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from shared.audio.pcm import SAMPLE_RATE, to_samples
from shared.errors import EngineFault
from worker.core.decode import DecodeResult
from worker.core.holes import cut_beside, find_hole, in_parts
from worker.device import Answer, Device, WindowRequest

_DEPTH_MAX: Final = 2
"""How often a part is cut again."""


class Withdrawn(Exception):
    """The window is not wanted any more."""


async def whole(
    device: Device,
    window: WindowRequest,
    heard: DecodeResult,
    speech: Sequence[tuple[float, float]],
    depth: int = 0,
) -> DecodeResult:
    """What was heard of a window, or of its parts when it leaves out speech and they don't. `speech`: where
    the window has some, in its own seconds. Raises `Withdrawn`, and `EngineFault` for a part."""
    request = window.request
    hole = find_hole(heard.words, speech, request.duration_s)
    cut_s = cut_beside(hole, speech, request.duration_s) if hole and depth < _DEPTH_MAX else None
    if cut_s is None:
        return heard
    at = to_samples(cut_s)
    cut_s = at / SAMPLE_RATE
    request = replace(request, language=heard.language)
    windows = [
        replace(window, request=replace(request, audio=audio), alone=False)
        for audio in (request.audio[:at], request.audio[at:])
    ]
    speeches = [speech, [(start - cut_s, end - cut_s) for start, end in speech]]
    parts = [
        await whole(device, part, await result_of(answer), part_speech, depth + 1)
        for part, answer, part_speech in zip(windows, device.ask(windows), speeches, strict=True)
    ]
    return in_parts(heard, parts, cut_s)


async def result_of(answer: asyncio.Future[Answer]) -> DecodeResult:
    """The result that was asked for. Raises `Withdrawn`, or the `EngineFault` that it became."""
    result = await answer
    if result is None:
        raise Withdrawn
    if isinstance(result, EngineFault):
        raise result
    return result
