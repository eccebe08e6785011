"""The microphone by way of AVAudioEngine.

The engine calls its tap on a thread of its own, with 10 to 400 ms of audio however much was asked for; the
buffer is valid only there. So the tap copies and returns, and a worker thread converts and cuts. An engine
whose microphone has changed stops by itself, and one may run without ever calling its tap: both are told as a
loss.
"""

import queue
import threading
from collections.abc import Callable
from typing import Any, Final

from client.dictation.errors import DesktopError, NoMicrophone, PermissionMissing
from client.dictation.macos.converter import Converter
from client.dictation.macos.frameworks import Frameworks
from client.dictation.macos.links import ADVICE
from client.dictation.macos.pieces import Pieces

_BUS: Final = 0
_TAP_FRAMES: Final = 1024
"""Asked for; the system gives what it likes."""
_WAITING_MAX: Final = 512
"""Buffers that wait for the worker: more than 5 s of the shortest."""
_FIRST_S_MAX: Final = 4.0
"""How long the first audio may take: headphones need two seconds to change to their microphone."""
_NEXT_S_MAX: Final = 1.5
"""Longest time between two buffers of a microphone that works."""
_JOIN_S_MAX: Final = 2.0

_GONE: Final = "the microphone is gone: it was unplugged, or another one was chosen"
_SILENT: Final = "the microphone is gone silent: another program may have it, or it must be plugged in again"
_BROKEN: Final = "the microphone is gone: its audio can't be read; choose another one"
_LATE: Final = "audio was lost: this computer is too busy"

_Item = bytes | str | None
"""Samples; why nothing comes any more; or None for the end."""


class MacCapture:
    """`Capture` on macOS."""

    def __init__(self, mac: Frameworks) -> None:
        self._mac = mac
        self._engine: Any = None
        self._observer: Any = None
        self._worker: threading.Thread | None = None
        self._waiting: queue.Queue[_Item] = queue.Queue(_WAITING_MAX)

    def start(self, on_audio: Callable[[bytes], None], on_loss: Callable[[str], None]) -> None:
        """See the port."""
        self.stop()
        av = self._mac.avfoundation
        allowed = av.AVCaptureDevice.authorizationStatusForMediaType_(av.AVMediaTypeAudio)
        if allowed in (av.AVAuthorizationStatusDenied, av.AVAuthorizationStatusRestricted):
            raise PermissionMissing(ADVICE["microphone"])  # the engine would run, and hear silence
        with self._mac.objc.autorelease_pool():
            self._start(on_audio, on_loss)

    def _start(self, on_audio: Callable[[bytes], None], on_loss: Callable[[str], None]) -> None:
        av = self._mac.avfoundation
        if av.AVCaptureDevice.defaultDeviceWithMediaType_(av.AVMediaTypeAudio) is None:
            raise NoMicrophone("there is no microphone; plug one in")
        engine = av.AVAudioEngine.alloc().init()
        node = engine.inputNode()
        # The format of the hardware: a tap with another rate is never called, or ends the process.
        form = node.inputFormatForBus_(_BUS)
        if not form.sampleRate() or not form.channelCount():
            raise NoMicrophone(
                "the microphone can't be opened; choose another one in System Settings > Sound"
            )
        converter = Converter(self._mac, form.sampleRate())
        waiting = self._waiting = queue.Queue(_WAITING_MAX)
        has_lost = threading.Event()
        node.installTapOnBus_bufferSize_format_block_(_BUS, _TAP_FRAMES, form, _tap(waiting, has_lost))
        self._engine = engine
        self._watch(engine, waiting)
        worker = _Worker(self._mac, converter, waiting, has_lost, on_audio, on_loss)
        self._worker = threading.Thread(target=worker.run, name="microphone", daemon=True)
        self._worker.start()
        engine.prepare()
        is_running, _error = engine.startAndReturnError_(None)
        if not is_running:
            self.stop()
            raise NoMicrophone("the microphone can't be opened; another program may have it to itself")

    def _watch(self, engine: Any, waiting: "queue.Queue[_Item]") -> None:
        av = self._mac.avfoundation
        center = self._mac.foundation.NSNotificationCenter.defaultCenter()

        def changed(_note: Any) -> None:
            _put(waiting, _GONE)

        self._observer = center.addObserverForName_object_queue_usingBlock_(
            av.AVAudioEngineConfigurationChangeNotification, engine, None, changed
        )

    def stop(self) -> None:
        """See the port."""
        engine, self._engine = self._engine, None
        if engine is None:
            return
        with self._mac.objc.autorelease_pool():
            self._mac.foundation.NSNotificationCenter.defaultCenter().removeObserver_(self._observer)
            self._observer = None
            engine.inputNode().removeTapOnBus_(_BUS)
            engine.stop()
        _put(self._waiting, None)
        if self._worker is not None and self._worker is not threading.current_thread():
            self._worker.join(_JOIN_S_MAX)
        self._worker = None


def _tap(waiting: "queue.Queue[_Item]", has_lost: threading.Event) -> Callable[[Any, Any], None]:
    def tap(buffer: Any, _when: Any) -> None:
        channels = buffer.floatChannelData()
        if channels is None:
            return
        # The first channel alone: microphones with more have them for their own noise suppression.
        samples = bytes(channels[0].as_buffer(buffer.frameLength()))
        try:
            waiting.put_nowait(samples)
        except queue.Full:
            has_lost.set()

    return tap


def _put(waiting: "queue.Queue[_Item]", item: _Item) -> None:
    """Also into a queue that is full: what waits there is not wanted any more."""
    while True:
        try:
            return waiting.put_nowait(item)
        except queue.Full:
            try:
                waiting.get_nowait()
            except queue.Empty:
                continue


class _Worker:
    """Turns what the tap copied into frames."""

    def __init__(
        self,
        mac: Frameworks,
        converter: Converter,
        waiting: "queue.Queue[_Item]",
        has_lost: threading.Event,
        on_audio: Callable[[bytes], None],
        on_loss: Callable[[str], None],
    ) -> None:
        self._mac = mac
        self._converter = converter
        self._waiting = waiting
        self._has_lost = has_lost
        self._on_audio = on_audio
        self._on_loss = on_loss

    def run(self) -> None:
        """Until the end, or a loss that ends it."""
        pieces = Pieces()
        patience_s = _FIRST_S_MAX
        while True:
            try:
                item = self._waiting.get(timeout=patience_s)
            except queue.Empty:
                item = _SILENT
            if item is None:
                return
            if isinstance(item, str):
                self._on_loss(item)
                return
            patience_s = _NEXT_S_MAX
            if self._has_lost.is_set():
                self._has_lost.clear()
                self._on_loss(_LATE)
            try:
                with self._mac.objc.autorelease_pool():
                    audio = self._converter.convert(item)
            except DesktopError as error:
                self._on_loss(str(error))
                return
            except Exception:  # noqa: BLE001 - a thread that ended without a word would be a dead microphone
                self._on_loss(_BROKEN)
                return
            for frame in pieces.put(audio):
                self._on_audio(frame)
