"""The microphone through PortAudio."""

import threading
from collections.abc import Callable
from typing import Any, Final

from client.dictation.errors import NoMicrophone
from client.dictation.ports import FRAME_BYTES
from client.errors import NotInstalled
from shared.audio.convert import AudioFormat, StreamConverter
from shared.audio.pcm import SAMPLE_RATE

_BLOCK_S: Final = 0.02


class PortAudioCapture:
    """The port `Capture`. `device`: part of a device's name; empty for the system's default."""

    def __init__(self, device: str = "") -> None:
        self._device = device
        self._stream: Any = None
        self._converter: StreamConverter | None = None
        self._rest = bytearray()
        self._on_audio: Callable[[bytes], None] | None = None
        self._on_loss: Callable[[str], None] | None = None
        self._lock = threading.Lock()
        self._late = 0

    def start(self, on_audio: Callable[[bytes], None], on_loss: Callable[[str], None]) -> None:
        """See `Capture`."""
        sounddevice = load()
        self._rest.clear()
        self._on_audio, self._on_loss = on_audio, on_loss
        try:
            self._stream = self._open(sounddevice)
        except (sounddevice.PortAudioError, ValueError):
            # PortAudio knows the devices of the time when it was started.
            sounddevice._terminate()
            sounddevice._initialize()
            try:
                self._stream = self._open(sounddevice)
            except (sounddevice.PortAudioError, ValueError) as error:
                self._on_audio = self._on_loss = None
                raise NoMicrophone(f"The microphone can't be opened: {_reason(error)}.") from None

    def stop(self) -> None:
        """See `Capture`."""
        with self._lock:
            self._on_audio = self._on_loss = None
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.abort(ignore_errors=True)
            finally:
                stream.close(ignore_errors=True)

    def _open(self, sounddevice: Any) -> Any:
        """The stream, started: at 16 kHz if the device does that, else at its own rate and converted here."""
        try:
            return self._start(sounddevice, SAMPLE_RATE, None)
        except sounddevice.PortAudioError:
            rate = round(sounddevice.query_devices(self._device or None, "input")["default_samplerate"])
            if rate == SAMPLE_RATE:
                raise
            return self._start(sounddevice, rate, AudioFormat(sample_rate=rate).converter())

    def _start(self, sounddevice: Any, rate: int, converter: StreamConverter | None) -> Any:
        self._converter = converter
        stream = sounddevice.RawInputStream(
            samplerate=rate,
            blocksize=round(rate * _BLOCK_S),
            device=self._device or None,
            channels=1,
            dtype="int16",
            latency="low",
            callback=self._take,
            finished_callback=self._finished,
        )
        try:
            stream.start()
        except BaseException:
            stream.close(ignore_errors=True)
            raise
        return stream

    def _take(self, data: Any, _frames: int, _time: Any, status: Any) -> None:
        """Called by PortAudio's thread, 50 times a second."""
        with self._lock:
            if self._on_audio is None or self._on_loss is None:
                return
            if status.input_overflow:
                self._on_loss("Some audio was lost: this machine is too busy.")
            audio = bytes(data)
            self._rest += audio if self._converter is None else self._converter.push(audio)
            while len(self._rest) >= FRAME_BYTES:
                self._on_audio(bytes(self._rest[:FRAME_BYTES]))
                del self._rest[:FRAME_BYTES]

    def _finished(self) -> None:
        """PortAudio has ended the stream. Where we did not, its device is gone."""
        with self._lock:
            if self._on_loss is not None:
                self._on_loss("The microphone is gone.")


def load() -> Any:
    """The package `sounddevice`. Raises `NotInstalled`."""
    try:
        import sounddevice
    except ImportError:
        raise NotInstalled("dictation needs its extra: pip install 'steno[dictation]'") from None
    except OSError:
        raise NotInstalled(
            "dictation needs the PortAudio library; install it (Debian: apt install libportaudio2)"
        ) from None
    return sounddevice


def _reason(error: Exception) -> str:
    return str(error.args[0]) if error.args else type(error).__name__
