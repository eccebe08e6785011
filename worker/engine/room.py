"""How many rows fit into the device's memory at once, as far as failures have shown, and decoding within
that."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from shared.errors import DeviceFault, EngineFault, ModelUnavailable, StenoError
from worker.core.decode import DecodeRequest, DecodeResult
from worker.engine.devices import is_device_lost, is_out_of_memory, missing_library
from worker.metrics import BATCH_ROWS_MAX, OUT_OF_MEMORY

log = logging.getLogger(__name__)

_CALM_CALLS: Final = 500
"""Calls that fit before more is tried again: what took the memory may be gone."""


class Room:
    """Between one row and `most`. Halved when memory runs out, doubled after many calls that fit."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows = most
        self._calm = 0

    @property
    def rows(self) -> int:
        """Most rows of one call now."""
        return self._rows

    def ran_out(self, rows: int) -> bool:
        """A call of so many rows did not fit. Returns whether fewer may: of one row there is no less."""
        self._calm = 0
        # Another thread's call may have found out before.
        self._rows = max(1, min(self._rows, rows // 2))
        return rows > 1

    def fitted(self) -> bool:
        """A call did fit. Returns whether there is more room to be tried from now on."""
        if self._rows == self._most:
            return False
        self._calm += 1
        if self._calm < _CALM_CALLS:
            return False
        self._calm = 0
        self._rows = min(self._most, 2 * self._rows)
        return True


def within(
    room: Room,
    batch: Sequence[DecodeRequest],
    decode: Callable[[Sequence[DecodeRequest]], list[DecodeResult]],
) -> list[DecodeResult]:
    """The results of a batch, decoded in as few calls as there is room for. Raises `EngineFault` where
    `decode` raises `RuntimeError`, as a backend does, and `ModelUnavailable` where a library is missing."""
    results: list[DecodeResult] = []
    while len(results) < len(batch):
        results += _call(room, batch[len(results) : len(results) + room.rows], decode)
    return results


def _call(
    room: Room,
    part: Sequence[DecodeRequest],
    decode: Callable[[Sequence[DecodeRequest]], list[DecodeResult]],
) -> list[DecodeResult]:
    """The results of a part; none where it did not fit and a smaller one may."""
    try:
        results = decode(part)
    except RuntimeError as error:  # a backend's; its text names shapes and devices, not speech
        message = str(error)
    else:
        if room.fitted():
            _tell(room, "the device's memory has sufficed for a while")
        return results
    if not is_out_of_memory(message):
        raise _fault(message)
    OUT_OF_MEMORY.inc()
    may_fit = room.ran_out(len(part))
    _tell(room, f"the device's memory did not suffice for a batch of {len(part)}")
    if not may_fit:
        raise EngineFault(f"the device's memory does not suffice for one window: {message}")
    return []


def _tell(room: Room, why: str) -> None:
    BATCH_ROWS_MAX.set(room.rows)
    log.warning("%s: at most %d decodes in a batch from now on", why, room.rows)


def _fault(message: str) -> StenoError:
    if remedy := missing_library(message):
        return ModelUnavailable(remedy)
    fault = DeviceFault if is_device_lost(message) else EngineFault
    return fault(f"the decoder failed: {message}")
