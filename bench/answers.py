"""An engine that answers the same question once: variants of an experiment that ask for the same decode get
the same answer, so that they differ only where they ask for others, and cost no more than that."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from worker.core.decode import DecodeRequest, DecodeResult, EngineInfo
from worker.engine.api import Engine

_NO_AUDIO = np.zeros(0, np.float32)


@dataclass(slots=True)
class Between:
    """Stands between sessions and an engine."""

    engine: Engine

    @property
    def info(self) -> EngineInfo:
        """As the engine."""
        return self.engine.info

    def prepare(self) -> None:
        """As the engine."""
        self.engine.prepare()

    def close(self) -> None:
        """As the engine."""
        self.engine.close()


@dataclass(slots=True)
class Remembered(Between):
    """See the module. Batches of several rows are not remembered: their windows are made alike."""

    answers: dict[tuple[str, bytes], DecodeResult] = field(
        default_factory=dict[tuple[str, bytes], DecodeResult]
    )

    def decode(self, batch: Sequence[DecodeRequest]) -> list[DecodeResult]:
        """As the engine, or from memory."""
        if len(batch) != 1:
            return self.engine.decode(batch)
        question = _question(batch[0])
        if question not in self.answers:
            (self.answers[question],) = self.engine.decode(batch)
        return [self.answers[question]]


def _question(request: DecodeRequest) -> tuple[str, bytes]:
    """What tells requests apart: everything but the audio as text, and a digest of the audio."""
    return repr(replace(request, audio=_NO_AUDIO)), hashlib.sha256(request.audio.tobytes()).digest()
