"""Numbers written into the lowest bits of samples: audio that says exactly what stands in it, wherever a
window of it begins. Inaudible, so that the carrier may be real speech for a real voice detector.

For tests and load: the scripted engine with the model `marks` hears a word for each number.
"""

from typing import Final

import numpy as np

from shared.audio.pcm import Float32

_SYNC: Final = bytes(int(bit) for bit in f"{0xD1CE5EED:032b}")
"""Where a number begins; by chance once in four billion samples."""
_NUMBER_BITS: Final = 24
MARK_SAMPLES: Final = len(_SYNC) + _NUMBER_BITS

COMMANDS: Final = 0xFFFF00
"""From here on a number is not a word but what happens to the engine that hears it."""
FAULT: Final = COMMANDS + 1
"""The decode fails."""
DEVICE_FAULT: Final = COMMANDS + 2
"""The device is lost."""
CRASH: Final = COMMANDS + 3
"""The process is aborted, as by native code."""
HANG: Final = COMMANDS + 4
"""The decode never ends."""


def write(pcm16: bytes, numbers: dict[int, int]) -> bytes:
    """The audio with numbers written at samples."""
    samples = np.frombuffer(pcm16, "<i2").copy()
    for at, number in numbers.items():
        bits = _SYNC + bytes(int(bit) for bit in f"{number:0{_NUMBER_BITS}b}")
        place = samples[at : at + MARK_SAMPLES]
        place[:] = (place & ~1) | np.frombuffer(bits, np.uint8)
    return samples.tobytes()


def read(audio: Float32) -> list[tuple[int, int]]:
    """Numbers that lie whole in the audio, with their samples, in order."""
    bits = (np.round(audio * 32768).astype(np.int32) & 1).astype(np.uint8).tobytes()
    found: list[tuple[int, int]] = []
    at = bits.find(_SYNC)
    while at >= 0 and at + MARK_SAMPLES <= len(bits):
        number = bits[at + len(_SYNC) : at + MARK_SAMPLES]
        found.append((at, int("".join(map(str, number)), 2)))
        at = bits.find(_SYNC, at + MARK_SAMPLES)
    return found
