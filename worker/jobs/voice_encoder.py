"""How alike two voices sound: a speaker encoder in numpy, so that telling speakers apart needs no framework.

Three LSTM layers and a projection turn 1.6 s of speech into a vector of length 1; vectors of one speaker
point the same way (Wan et al., "Generalized End-to-End Loss for Speaker Verification", 2018). The weights
are those that the PyPI package Resemblyzer carries (Apache-2.0), taken out of its wheel and never imported.
"""

import io
import pickle
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from shared.audio.pcm import SAMPLE_RATE, Float32
from shared.errors import ModelUnavailable

WINDOW_FRAMES: Final = 160
"""Of 10 ms: what one vector is made of."""
FRAME_SAMPLES: Final = SAMPLE_RATE // 100
VECTOR: Final = 256
_FFT_SAMPLES: Final = 400
_MELS: Final = 40
_LAYERS: Final = 3
_BATCH: Final = 32
_LOUDNESS: Final = 10 ** (-30 / 20)
"""Root mean square that quieter audio is raised to, as in training."""


class VoiceEncoder:
    """The network. `tensors` are its parameters by name. Raises `ModelUnavailable` when one is missing."""

    def __init__(self, tensors: dict[str, Float32]) -> None:
        try:
            self._layers = [
                (
                    tensors[f"lstm.weight_ih_l{n}"].T.copy(),
                    tensors[f"lstm.weight_hh_l{n}"].T.copy(),
                    tensors[f"lstm.bias_ih_l{n}"] + tensors[f"lstm.bias_hh_l{n}"],
                )
                for n in range(_LAYERS)
            ]
            self._projection = tensors["linear.weight"].T.copy(), tensors["linear.bias"]
        except KeyError as error:
            raise ModelUnavailable(f"the speaker encoder has no {error}") from None

    @classmethod
    def load(cls, path: Path) -> "VoiceEncoder":
        """Read a checkpoint. Raises `ModelUnavailable`."""
        try:
            return cls(_read_checkpoint(path.read_bytes()))
        except (OSError, ValueError, EOFError, pickle.UnpicklingError, KeyError) as error:
            raise ModelUnavailable(f"the speaker encoder {path.name} can't be read") from error

    def vectors(self, audio: Float32, starts: list[int]) -> Float32:
        """One vector for each window of `WINDOW_FRAMES` that begins at that frame; one a row. What a window
        lacks at the end of the audio is silence."""
        mel = _mel(_raised(audio))
        need = max(starts, default=0) + WINDOW_FRAMES
        mel = np.pad(mel, ((0, max(0, need - len(mel))), (0, 0)))
        rows = [
            self._run(np.stack([mel[s : s + WINDOW_FRAMES] for s in starts[at : at + _BATCH]], axis=1))
            for at in range(0, len(starts), _BATCH)
        ]
        return np.concatenate(rows) if rows else np.zeros((0, VECTOR), np.float32)

    def _run(self, steps: Float32) -> Float32:
        """`steps`: time, window, mel band."""
        for weights, recurrent, bias in self._layers:
            given = steps @ weights + bias
            hidden = np.zeros((steps.shape[1], VECTOR), np.float32)
            cell = np.zeros_like(hidden)
            out = np.empty((*steps.shape[:2], VECTOR), np.float32)
            for t, now in enumerate(given):
                gates = now + hidden @ recurrent
                let_in, keep, show = (_sigmoid(gates[:, n * VECTOR : (n + 1) * VECTOR]) for n in (0, 1, 3))
                cell = keep * cell + let_in * np.tanh(gates[:, 2 * VECTOR : 3 * VECTOR])
                hidden = show * np.tanh(cell)
                out[t] = hidden
            steps = out
        raw = np.maximum(steps[-1] @ self._projection[0] + self._projection[1], 0)
        return raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-6)


def _sigmoid(x: Float32) -> Float32:
    return np.float32(0.5) * (np.tanh(np.float32(0.5) * x) + np.float32(1))


def _raised(audio: Float32) -> Float32:
    rms = float(np.sqrt(np.mean(np.square(audio)))) if len(audio) else 0.0
    return audio * np.float32(_LOUDNESS / rms) if 1e-4 < rms < _LOUDNESS else audio


def _mel(audio: Float32) -> Float32:
    """Power in 40 bands, every 10 ms; frames are centred, so the edges are mirrored."""
    padded = np.pad(audio, _FFT_SAMPLES // 2, mode="reflect" if len(audio) > _FFT_SAMPLES else "constant")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT_SAMPLES)[::FRAME_SAMPLES]
    window = np.hanning(_FFT_SAMPLES + 1)[:-1].astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(frames * window, axis=1))).astype(np.float32)
    return power @ _bands()


@cache
def _bands() -> Float32:
    """Triangles on Slaney's mel scale (linear below 1 kHz, logarithmic above), each of area 1."""
    top = 15 + np.log(SAMPLE_RATE / 2 / 1000) / (np.log(6.4) / 27)
    mels = np.linspace(0, top, _MELS + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))
    bins = np.fft.rfftfreq(_FFT_SAMPLES, 1 / SAMPLE_RATE)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])
    return triangles.astype(np.float32)


class _Reader(pickle.Unpickler):
    """A checkpoint names few things; no other is looked up, so reading it runs nothing."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module_name, global_name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module_name == "torch" and global_name.endswith("Storage"):
            return global_name
        raise pickle.UnpicklingError(f"{module_name}.{global_name} does not belong into a checkpoint")

    def persistent_load(self, pid: Any, /) -> Any:
        return {"kind": pid[1], "key": pid[2]}


def _tensor(storage: dict[str, str], offset: int, size: tuple[int, ...], *_: object) -> Any:
    return storage["kind"], storage["key"], offset, size


def _read_checkpoint(data: bytes) -> dict[str, Float32]:
    """The parameters in a file that torch wrote before its format was a zip archive: pickles of a header, of
    the contents with names for storages, and of those names; then each storage as its length and numbers."""
    file = io.BytesIO(data)
    for _ in range(3):
        _Reader(file).load()
    state = cast(dict[str, Any], _Reader(file).load()["model_state"])
    keys = cast(list[str], _Reader(file).load())
    found: dict[str, Float32] = {}
    at = file.tell()
    for key in keys:
        count = int(np.frombuffer(data, "<i8", 1, at)[0])
        for name, (kind, held_in, offset, size) in state.items():
            # Several may lie in one storage.
            if (kind, held_in) == ("FloatStorage", key):
                numbers = np.frombuffer(data, "<f4", count, at + 8)
                found[name] = numbers[offset : offset + int(np.prod(size))].reshape(size)
        at += 8 + 4 * count
    return found
