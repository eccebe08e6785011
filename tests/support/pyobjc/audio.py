"""What AVFoundation does, as far as our code depends on it: an engine with a microphone, buffers, a
converter."""

from collections.abc import Callable
from typing import Any

import numpy as np
import soxr

from tests.support.pyobjc.runtime import Runtime


class VarList:
    """`objc.varlist`: memory of the framework's."""

    def __init__(self, memory: bytearray, item_bytes: int) -> None:
        self._memory = memory
        self._item_bytes = item_bytes

    def as_buffer(self, count: int) -> memoryview:
        """The first `count` elements, not bytes."""
        assert count * self._item_bytes <= len(self._memory), "beyond the end of the buffer"
        return memoryview(self._memory)[: count * self._item_bytes]


class Microphone:
    """The one there is; tests speak into it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.is_there = True
        self.authorized = 3
        self.answer: Callable[[Any], None] | None = None
        """How to answer the question of whether it may be heard."""
        self.rate = 48000.0
        self.channels = 2
        self.can_start = True
        self.is_running = False
        self.tap: Any = None
        self.tap_format: Any = None
        self.on_change: Callable[[Any], None] | None = None

    def speak(self, samples: "np.ndarray[Any, Any]", at_once: int) -> None:
        """Hand samples to the tap in pieces, as the engine's thread does; each piece is void afterwards."""
        for start in range(0, len(samples), at_once):
            piece = samples[start : start + at_once].astype("<f4")
            other = np.zeros_like(piece)
            memory = [
                bytearray(piece.tobytes()),
                *(bytearray(other.tobytes()) for _ in range(self.channels - 1)),
            ]
            buffer = self._runtime.make(
                "AVAudioPCMBuffer", memory=memory, item_bytes=4, framelength=len(piece)
            )
            if self.is_running and self.tap is not None:
                self.tap(buffer, None)
            for channel in memory:
                channel[:] = b"\xff" * len(channel)


def audio_behaviours(runtime: Runtime) -> dict[str, Any]:
    """By class."""
    mic = Microphone(runtime)
    node = runtime.make("AVAudioInputNode")

    def pcm_format(kind: int, rate: float, channels: int) -> Any:
        return runtime.make("AVAudioFormat", kind=kind, samplerate=rate, channelcount=channels)

    class Engine:
        microphone = mic

        def inputNode(self: Any) -> Any:
            return node

        def startAndReturnError_(self: Any, _error: None) -> tuple[bool, Any]:
            assert mic.tap is None or mic.tap_format.state.samplerate == mic.rate, "no buffer would ever come"
            mic.is_running = mic.can_start
            return mic.can_start, None if mic.can_start else runtime.make("NSError", code=-10877)

        def stop(self: Any) -> None:
            mic.is_running = False

    class Node:
        def inputFormatForBus_(self: Any, bus: int) -> Any:
            assert bus == 0
            return pcm_format(1, mic.rate, mic.channels)

        def installTapOnBus_bufferSize_format_block_(
            self: Any, bus: int, _size: int, form: Any, block: Any
        ) -> None:
            assert bus == 0
            assert mic.tap is None, "a bus has one tap"
            mic.tap, mic.tap_format = block, form

        def removeTapOnBus_(self: Any, _bus: int) -> None:
            mic.tap = None

    class Format:
        def initWithCommonFormat_sampleRate_channels_interleaved_(
            self: Any, kind: int, rate: float, channels: int, _interleaved: bool
        ) -> Any:
            return pcm_format(kind, rate, channels) if rate > 0 else None

    class Buffer:
        def initWithPCMFormat_frameCapacity_(self: Any, form: Any, capacity: int) -> Any:
            self.state.item_bytes = {1: 4, 3: 2}[form.state.kind]
            self.state.memory = [bytearray(self.state.item_bytes * capacity)]
            self.state.framelength = 0
            self.state.framecapacity = capacity
            return self

        def floatChannelData(self: Any) -> Any:
            return _channels(self) if self.state.item_bytes == 4 else None

        def int16ChannelData(self: Any) -> Any:
            return _channels(self) if self.state.item_bytes == 2 else None

    class Converter:
        def initFromFormat_toFormat_(self: Any, source: Any, target: Any) -> Any:
            if source.state.samplerate > 192_000:
                return None
            self.state.stream = soxr.ResampleStream(source.state.samplerate, target.state.samplerate, 1)
            self.state.rest = np.zeros(0, "<i2")
            return self

        def convertToBuffer_error_withInputFromBlock_(
            self: Any, out: Any, _error: None, feed: Any
        ) -> tuple[int, Any]:
            asked = 0
            while True:
                given, status = feed(1024, None)
                asked += 1
                assert asked < 10, "the block gives the same samples without end"
                assert status != 2, "the end of the stream: the filter would be emptied"
                if status == 1:
                    break
                raw = bytes(given.floatChannelData()[0].as_buffer(given.frameLength()))
                samples = self.state.stream.resample_chunk(np.frombuffer(raw, "<f4"))
                made = np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2")
                self.state.rest = np.concatenate([self.state.rest, made])
            count = min(len(self.state.rest), out.state.framecapacity)
            out.state.memory[0][: 2 * count] = self.state.rest[:count].tobytes()
            self.state.rest = self.state.rest[count:]
            out.state.framelength = count
            return (0 if count else 1), None

    class Device:
        def authorizationStatusForMediaType_(cls: Any, kind: str) -> int:
            assert kind == "AVMediaTypeAudio"
            return mic.authorized

        def requestAccessForMediaType_completionHandler_(cls: Any, _kind: str, answer: Any) -> None:
            mic.answer = answer

        def defaultDeviceWithMediaType_(cls: Any, _kind: str) -> Any:
            return runtime.make("AVCaptureDevice") if mic.is_there else None

    return {
        "AVAudioEngine": Engine,
        "AVAudioNode": Node,
        "AVAudioFormat": Format,
        "AVAudioPCMBuffer": Buffer,
        "AVAudioConverter": Converter,
        "AVCaptureDevice": Device,
    }


def _channels(buffer: Any) -> tuple[VarList, ...]:
    return tuple(VarList(memory, buffer.state.item_bytes) for memory in buffer.state.memory)
