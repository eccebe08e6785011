"""Sound cues: short tones, made here, through PortAudio."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np

from client.dictation.core.view import Cue
from client.dictation.portaudio import load
from client.errors import NotInstalled
from shared.audio.pcm import Float32

_RATE: Final = 48_000
_TONE_S: Final = 0.07
_FADE_S: Final = 0.01
_VOLUME: Final = 0.15
_TONES: Final[dict[Cue, tuple[float, ...]]] = {
    Cue.START: (660.0, 880.0),
    Cue.STOP: (880.0, 660.0),
    Cue.ERROR: (330.0, 0.0, 330.0),
}
"""Frequencies in Hz, one after another; 0 is a pause."""


def tones(cue: Cue) -> Float32:
    """The samples of a cue, at 48 kHz."""
    time = np.arange(round(_RATE * _TONE_S), dtype=np.float32) / _RATE
    ramp = np.minimum(1.0, np.minimum(time, time[::-1]) / _FADE_S)
    waves = [np.sin(2 * np.pi * frequency * time) * ramp for frequency in _TONES[cue]]
    return (np.concatenate(waves) * _VOLUME).astype(np.float32)


class Cues:
    """Plays cues one after another, on a thread of its own. Without a sound device it is silent."""

    def __init__(self) -> None:
        self._playing = ThreadPoolExecutor(1, "cues")

    def play(self, cue: Cue) -> None:
        """Play it after those before. Returns at once."""
        with contextlib.suppress(RuntimeError):  # closed
            self._playing.submit(self._play, cue)

    def close(self) -> None:
        """Let what is playing end, and drop the rest."""
        self._playing.shutdown(cancel_futures=True)

    @staticmethod
    def _play(cue: Cue) -> None:
        with contextlib.suppress(NotInstalled):
            sounddevice: Any = load()
            with contextlib.suppress(sounddevice.PortAudioError, ValueError):  # no sound device
                sounddevice.play(tones(cue), _RATE, blocking=True)
