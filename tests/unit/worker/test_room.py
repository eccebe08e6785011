"""Batches that don't fit into the device's memory: fewer rows at once, and more again later."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import DeviceFault, EngineFault, ModelUnavailable
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.engine.devices import is_device_lost, is_out_of_memory
from worker.engine.room import Room, within
from worker.metrics import BATCH_ROWS_MAX, OUT_OF_MEMORY

REQUESTS = [
    DecodeRequest(kind=Kind.PARTIAL, audio=np.full(1, n / 100, np.float32), language="en") for n in range(16)
]
CUDA_OOM = "CUDA failed with error out of memory"


@dataclass
class Card:
    """A backend's calls on a device with memory for so many rows."""

    holds: int
    fault: str = CUDA_OOM
    calls: list[int] = field(default_factory=list[int])

    def decode(self, rows: Sequence[DecodeRequest]) -> list[DecodeResult]:
        self.calls.append(len(rows))
        if len(rows) > self.holds:
            raise RuntimeError(self.fault)
        return [DecodeResult(text=f"{row.audio[0]:.2f}", language="en") for row in rows]


def test_a_batch_that_does_not_fit_is_halved_until_it_does_and_the_next_is_small_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    room, card, before = Room(16), Card(holds=5), OUT_OF_MEMORY._value.get()
    with caplog.at_level(logging.WARNING):
        results = within(room, REQUESTS, card.decode)
    assert [result.text for result in results] == [f"{n / 100:.2f}" for n in range(16)]
    assert card.calls == [16, 8, 4, 4, 4, 4]
    assert caplog.messages[-1].endswith("a batch of 8: at most 4 decodes in a batch from now on")
    assert (BATCH_ROWS_MAX._value.get(), OUT_OF_MEMORY._value.get() - before) == (4, 2)
    card.calls.clear()
    within(room, REQUESTS[:6], card.decode)
    assert card.calls == [4, 2]


def test_a_window_that_does_not_fit_alone_fails_and_breaks_nothing() -> None:
    with pytest.raises(EngineFault, match="one window") as raised:
        within(Room(16), REQUESTS[:3], Card(holds=0).decode)
    assert not isinstance(raised.value, DeviceFault)


def test_after_many_calls_that_fit_more_is_tried_again() -> None:
    room, card = Room(16), Card(holds=4)
    within(room, REQUESTS, card.decode)
    card.holds = 16
    calls = 0
    while room.rows < 16:
        within(room, REQUESTS[: room.rows], card.decode)
        calls += 1
    assert calls > 100
    card.calls.clear()
    within(room, REQUESTS, card.decode)
    assert card.calls == [16]


@pytest.mark.parametrize(
    ("message", "raised", "says"),
    [
        ("CUDA failed with error an illegal memory access was encountered", DeviceFault, "illegal"),
        ("Invalid input features shape", EngineFault, "shape"),
        ("Library libcublas.so.12 is not found or cannot be loaded", ModelUnavailable, "nvidia-cublas-cu12"),
        ("Library libfoo.so.3 is not found or cannot be loaded", ModelUnavailable, r"libfoo\.so\.3"),
    ],
)
def test_other_failures_are_raised_at_once_for_what_they_are(
    message: str, raised: type[Exception], says: str
) -> None:
    card = Card(holds=0, fault=message)
    with pytest.raises(raised, match=says):
        within(Room(16), REQUESTS, card.decode)
    assert card.calls == [16]


@pytest.mark.parametrize(
    "message",
    [
        CUDA_OOM,
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB",
        "cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED",
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes",
    ],
)
def test_memory_that_ran_out_is_known_by_what_the_libraries_say(message: str) -> None:
    assert is_out_of_memory(message)
    assert not is_device_lost(message)


@given(st.integers(1, 16), st.integers(1, 40), st.integers(1, 40))
def test_every_request_is_answered_once_in_order_whatever_fits(most: int, holds: int, count: int) -> None:
    requests = (REQUESTS * 3)[:count]
    texts = [result.text for result in within(Room(most), requests, Card(holds).decode)]
    assert texts == [f"{request.audio[0]:.2f}" for request in requests]
