"""How often text can be decoded again while somebody speaks, and how thoroughly: measured when an engine is
made ready."""

import logging
import time
import wave
from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.audio.pcm import SAMPLE_RATE, Float32, pcm16_to_float
from worker.canary import CLIP
from worker.core.decode import DecodeRequest, Kind
from worker.core.effects import SessionOptions
from worker.engine.api import Engine

log = logging.getLogger(__name__)

CHUNKS_S: Final = (0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 4.0)
"""Intervals to choose from. Text that moves more often than five times a second is no easier to read, and for
less than the first of them there are hardly new words."""
SHARE: Final = 0.5
"""Part of one decoding thread that partials may take while somebody speaks. The rest is for finals, which
nobody should wait for, and for a decode that takes longer than most."""
WHOLE_S: Final = 0.2
"""Most that a partial may take to be decoded as the service does it. What is measured is one with most of its
words committed; one with none takes half as long again, and text is to be there 0.35 s behind a chunk."""
EARLY: Final = 0.5
"""See `SessionOptions.partial_early`: audio in chunks is heard at the one that is nearest to the interval."""
LEAN_KEEP_S: Final = 3.0
"""Committed audio that stays in the window of a lean partial: to hear more takes longer than it may."""
_REPEATS: Final = 4
_REPEATS_S_MAX: Final = 2.0
"""Time from which on it is not measured again: a large model on a slow machine takes as long for one."""
_NEW_WORDS: Final = 3
"""Words that a partial has to find behind those that are committed."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was found out, or decided."""

    chunk_s: float
    """New audio for which text is decoded again."""
    cost_s: float | None = None
    """What such a decode takes; None when it was not measured."""
    is_lean: bool = False
    """Whether partials are as cheap as can be: greedy, in the shortest window, without what was said before.
    Finals are what they are."""

    @property
    def keeps_up(self) -> bool:
        """Whether partials at that interval take no more of the device than they may."""
        return self.cost_s is None or self.cost_s <= SHARE * self.chunk_s

    def options(self) -> SessionOptions:
        """A session's options with it."""
        usual = SessionOptions()
        return SessionOptions(
            partial_step_s=self.chunk_s,
            partial_step_s_max=max(usual.partial_step_s_max, self.chunk_s),
            partial_share=SHARE,
            partial_beam=1 if self.is_lean else usual.partial_beam,
            partial_window_s=0.0 if self.is_lean else usual.partial_window_s,
            partial_tight=self.is_lean,
            window_keep_s=LEAN_KEEP_S if self.is_lean else usual.window_keep_s,
            partial_early=EARLY,
        )


def measure(engine: Engine, wanted_s: float = 0.0) -> Tuned:
    """The smallest interval that a prepared engine keeps up with, lean where a whole partial takes too long;
    `wanted_s`, and whole ones, when that is not 0. Blocks for some partial decodes."""
    if wanted_s:
        return Tuned(wanted_s)
    cost_s = partial_cost_s(engine, SessionOptions())
    is_lean = cost_s > WHOLE_S
    if is_lean:
        cost_s = partial_cost_s(engine, Tuned(0.0, is_lean=True).options())
    tuned = Tuned(choose(cost_s), cost_s, is_lean)
    found = {"chunk_s": tuned.chunk_s, "decode_s": round(cost_s, 3), "model": engine.info.model}
    if tuned.keeps_up:
        how = "leanly decoded" if is_lean else "decoded"
        log.info("text is %s again for every %g s of new audio", how, tuned.chunk_s, extra=found)
    else:
        log.warning(
            "this machine does not keep up with the model: text comes late; a smaller one may", extra=found
        )
    return tuned


def choose(cost_s: float) -> float:
    """The smallest of `CHUNKS_S` that decodes of that cost keep up with; the largest if none is enough."""
    return next((chunk_s for chunk_s in CHUNKS_S if cost_s <= SHARE * chunk_s), CHUNKS_S[-1])


def partial_cost_s(engine: Engine, options: SessionOptions) -> float:
    """Time of a partial as sessions ask for it in the middle of a long utterance: as much audio as they leave
    in a window, with all but the last words committed."""
    audio = _speech(options.window_trim_s)

    def decode(prefix: str) -> str:
        request = DecodeRequest(
            kind=Kind.PARTIAL,
            audio=audio,
            language="en",
            words=True,
            beam=options.partial_beam,
            tight=options.partial_tight,
            prefix=prefix,
        )
        return engine.decode([request])[0].text

    prefix = " ".join(decode("").split()[:-_NEW_WORDS])
    times_s: list[float] = []
    while len(times_s) < _REPEATS and sum(times_s) < _REPEATS_S_MAX:
        began_s = time.perf_counter()
        decode(prefix)
        times_s.append(time.perf_counter() - began_s)
    # The least: what else the machine did meanwhile is not the model's. Sessions ask less often by themselves
    # where decodes turn out to be dearer.
    return min(times_s)


def _speech(seconds: float) -> Float32:
    """So much speech: the worker's own clip, again and again."""
    with wave.open(str(CLIP)) as file:
        clip = pcm16_to_float(file.readframes(file.getnframes()))
    return np.resize(clip, round(seconds * SAMPLE_RATE)).astype(np.float32)
