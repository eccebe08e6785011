"""Voice activity: Silero v6 (the ONNX file in faster-whisper's wheel), kept in state from frame to frame.

faster-whisper's own wrapper starts from zero at each call; the network takes one frame with 64 samples of
left context and its LSTM state, which gives the same probabilities at 0.06 ms a frame.
"""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from shared.audio.pcm import Float32
from shared.errors import EngineFault
from worker.core.framing import FRAME_SAMPLES

_CONTEXT_SAMPLES: Final = 64
_STATE_SHAPE: Final = (1, 1, 128)


@cache
def _session() -> Any:
    """One network for all sessions of the process: it holds no state of theirs."""
    spec = importlib.util.find_spec("faster_whisper")  # found, not imported: importing loads CTranslate2
    if spec is None or spec.origin is None:
        raise EngineFault("faster-whisper is not installed, and with it the voice activity model")
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.log_severity_level = 4
    path = Path(spec.origin).parent / "assets" / "silero_vad_v6.onnx"
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def prepare() -> None:
    """Load the network and run it once, so that the first session does not wait for it."""
    SileroVad()(np.zeros(FRAME_SAMPLES, np.float32))


class SileroVad:
    """Speech probability of one stream, frame by frame."""

    def __init__(self) -> None:
        self._run = _session().run
        self.reset()

    def reset(self) -> None:
        """Forget the stream so far."""
        self._hidden = np.zeros(_STATE_SHAPE, np.float32)
        self._cell = np.zeros(_STATE_SHAPE, np.float32)
        self._input = np.zeros((1, _CONTEXT_SAMPLES + FRAME_SAMPLES), np.float32)

    def __call__(self, frame: Float32) -> float:
        """Probability, 0 to 1, that the next 512 samples hold speech."""
        self._input[0, :_CONTEXT_SAMPLES] = self._input[0, -_CONTEXT_SAMPLES:]
        self._input[0, _CONTEXT_SAMPLES:] = frame
        inputs = {"input": self._input, "h": self._hidden, "c": self._cell}
        probability, self._hidden, self._cell = self._run(None, inputs)
        return float(probability.reshape(-1)[0])

    def frames(self, samples: Float32) -> list[float]:
        """The same for every 512 of `samples`, one behind the other: the same probabilities at less than half
        of the CPU."""
        rows = samples.reshape(-1, FRAME_SAMPLES)
        if not len(rows):
            return []
        batch = np.empty((len(rows), _CONTEXT_SAMPLES + FRAME_SAMPLES), np.float32)
        batch[:, _CONTEXT_SAMPLES:] = rows
        batch[0, :_CONTEXT_SAMPLES] = self._input[0, -_CONTEXT_SAMPLES:]
        batch[1:, :_CONTEXT_SAMPLES] = rows[:-1, -_CONTEXT_SAMPLES:]
        inputs = {"input": batch, "h": self._hidden, "c": self._cell}
        probabilities, self._hidden, self._cell = self._run(None, inputs)
        self._input[0] = batch[-1]
        return probabilities.reshape(-1).tolist()
