"""The device: decodes that fail, hang or raise something unknown."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from shared.audio.pcm import SAMPLE_RATE
from shared.errors import DeviceFault, EngineFault
from worker.core.decode import DecodeRequest, DecodeResult, EngineInfo, Kind
from worker.device import FAULTS_MAX, HANG_S, Device
from worker.engine.devices import is_device_lost

pytestmark = pytest.mark.anyio

SECOND = DecodeRequest(kind=Kind.FINAL, audio=np.zeros(SAMPLE_RATE, np.float32))
HEARD = DecodeResult(text="x", language="en")


class Engine:
    """Does what it is told."""

    def __init__(self, decode: Callable[[], DecodeResult]) -> None:
        self._decode = decode

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(name="e", model="m", device="cpu", compute_type="none", languages=("en",))

    def prepare(self) -> None: ...

    def decode(self, batch: Sequence[DecodeRequest]) -> list[DecodeResult]:
        return [self._decode() for _ in batch]

    def close(self) -> None: ...


def fail(error: Exception) -> Callable[[], DecodeResult]:
    def decode() -> DecodeResult:
        raise error

    return decode


async def test_what_an_engine_raises_unexpectedly_is_a_fault_of_the_decode() -> None:
    device = Device(Engine(fail(MemoryError("no text here"))))
    with pytest.raises(EngineFault, match="MemoryError"):
        await device.decode("k", SECOND)
    await device.close()


async def test_a_lost_device_ends_the_watch() -> None:
    device = Device(Engine(fail(DeviceFault("lost"))))
    with pytest.raises(DeviceFault):
        await device.decode("k", SECOND)
    with pytest.raises(DeviceFault, match="lost"):
        await device.watch_forever()
    await device.close()


async def test_faults_in_succession_end_the_watch_and_single_ones_do_not() -> None:
    outcomes = iter([EngineFault("a"), None] * FAULTS_MAX + [EngineFault("b")] * FAULTS_MAX)

    def decode() -> DecodeResult:
        if error := next(outcomes):
            raise error
        return HEARD

    device = Device(Engine(decode))
    watch = asyncio.create_task(device.watch_forever())
    for _ in range(FAULTS_MAX):
        with pytest.raises(EngineFault):
            await device.decode("k", SECOND)
        assert await device.decode("k", SECOND)
    assert not watch.done()
    for _ in range(FAULTS_MAX):
        with pytest.raises(EngineFault):
            await device.decode("k", SECOND)
    with pytest.raises(DeviceFault, match="in succession"):
        await watch
    await device.close()


async def test_a_decode_that_hangs_ends_the_watch_and_names_whose_it_was() -> None:
    go_on = threading.Event()
    now = 0.0

    def decode() -> DecodeResult:
        go_on.wait()
        return HEARD

    def clock() -> float:
        nonlocal now
        now += 0.5
        return now

    device = Device(Engine(decode), clock=clock, look_s=0.01)
    device.offer("session", 1, SECOND, lambda _answer: None)
    with pytest.raises(DeviceFault, match="hangs"):
        await device.watch_forever()
    assert device.broken_by == {"session"}
    assert now > HANG_S
    await device.close()
    go_on.set()


async def test_a_process_that_was_stopped_has_not_decoded_meanwhile() -> None:
    go_on = threading.Event()
    times = iter([0.0, 0.0, 1000.0])
    looked = asyncio.Event()

    def clock() -> float:
        time = next(times, 1000.0)
        if time:
            looked.set()
        return time

    def decode() -> DecodeResult:
        go_on.wait()
        return HEARD

    device = Device(Engine(decode), clock=clock)
    device.offer("session", 1, SECOND, lambda _answer: None)
    watch = asyncio.create_task(device.watch_forever())
    await looked.wait()
    await asyncio.sleep(0)
    assert not watch.done()
    watch.cancel()
    go_on.set()
    await asyncio.gather(watch, return_exceptions=True)
    await device.close()


@pytest.mark.parametrize(
    ("message", "lost"),
    [
        ("CUDA failed with error an illegal memory access was encountered", True),
        ("cuBLAS failed with status CUBLAS_STATUS_NOT_INITIALIZED", True),
        ("CUDA failed with error out of memory", False),
        ("Invalid input features shape", False),
    ],
)
def test_errors_of_a_lost_cuda_context_are_known(message: str, lost: bool) -> None:
    assert is_device_lost(message) is lost
