"""The microphone on macOS: exact frames of what was said, and every way in which it can fail."""

import threading
import time
from collections.abc import Callable
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.dictation.errors import NoMicrophone, PermissionMissing
from client.dictation.macos import capture
from client.dictation.macos.capture import MacCapture
from client.dictation.macos.pieces import Pieces
from client.dictation.ports import FRAME_BYTES
from tests.support.pyobjc.mac import FakeMac


class Ear:
    """What is called back."""

    def __init__(self) -> None:
        self.audio: list[bytes] = []
        self.losses: list[str] = []

    def start(self, port: MacCapture) -> None:
        """Have this called."""
        port.start(self.audio.append, self.losses.append)


def until(is_so: Callable[[], bool]) -> None:
    """Wait for what the worker does."""
    ends = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.002)


@given(st.lists(st.binary(max_size=2000), max_size=20))
def test_pieces_are_whole_and_in_order(chunks: list[bytes]) -> None:
    """Whatever comes in, all that fills frames comes out, and nothing else."""
    pieces = Pieces()
    frames = list(chain.from_iterable(pieces.put(chunk) for chunk in chunks))
    said = b"".join(chunks)
    assert all(len(frame) == FRAME_BYTES for frame in frames)
    assert b"".join(frames) == said[: len(said) // FRAME_BYTES * FRAME_BYTES]


@pytest.mark.parametrize("rate", [44_100.0, 48_000.0, 96_000.0, 16_000.0])
def test_what_is_said_comes_in_frames(mac: FakeMac, rate: float) -> None:
    """A tone at any rate of the hardware, in pieces of any size, is the tone at 16 kHz."""
    mac.microphone.rate = rate
    ear, port = Ear(), MacCapture(mac)
    ear.start(port)
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(rate)) / rate)
    mac.microphone.speak(tone, at_once=int(rate / 10) + 7)
    port.stop()
    assert {len(frame) for frame in ear.audio} == {FRAME_BYTES}
    heard = np.frombuffer(b"".join(ear.audio), "<i2") / 32768
    assert len(heard) >= 14_000, "a second, but for what the filter holds back"
    middle = heard[2000:14_000]
    spectrum = np.abs(np.fft.rfft(middle))
    assert abs(np.argmax(spectrum) * 16_000 / len(middle) - 440) < 2
    assert 0.45 < np.max(np.abs(middle)) < 0.55
    assert ear.losses == []


def test_when_it_is_stopped_the_microphone_is_free(mac: FakeMac) -> None:
    """No tap, no engine, no observer, no thread; and it can be started again."""
    ear, port = Ear(), MacCapture(mac)
    port.stop()
    for _ in range(2):
        ear.start(port)
        assert mac.microphone.is_running
        mac.microphone.speak(np.zeros(48_000), at_once=4800)
        port.stop()
        port.stop()
        assert (mac.microphone.is_running, mac.microphone.tap, mac.microphone.on_change) == (
            False,
            None,
            None,
        )
        assert not [thread for thread in threading.enumerate() if thread.name == "microphone"]
    assert ear.audio


def test_the_tap_takes_the_format_of_the_hardware(mac: FakeMac) -> None:
    """With any other rate it is never called, without an error."""
    mac.microphone.rate = 96_000.0
    port = MacCapture(mac)
    Ear().start(port)
    assert mac.microphone.tap_format.state.samplerate == 96_000
    port.stop()


def test_refusals_say_what_to_do(mac: FakeMac) -> None:
    """Nothing is left behind."""
    mic, port = mac.microphone, MacCapture(mac)
    mic.authorized = 2
    with pytest.raises(PermissionMissing, match="Privacy & Security > Microphone"):
        Ear().start(port)
    mic.authorized, mic.is_there = 3, False
    with pytest.raises(NoMicrophone, match="plug one in"):
        Ear().start(port)
    mic.is_there, mic.rate = True, 0.0
    with pytest.raises(NoMicrophone, match="can't be opened"):
        Ear().start(port)
    mic.rate = 400_000.0
    with pytest.raises(NoMicrophone, match="can't be converted"):
        Ear().start(port)
    mic.rate, mic.can_start = 48_000.0, False
    with pytest.raises(NoMicrophone, match="another program"):
        Ear().start(port)
    assert (mic.tap, mic.is_running, mic.on_change) == (None, False, None)
    assert not [thread for thread in threading.enumerate() if thread.name == "microphone"]


def test_a_microphone_that_changes_is_told(mac: FakeMac) -> None:
    """The engine has stopped by itself then; another start opens what there is."""
    ear, port = Ear(), MacCapture(mac)
    ear.start(port)
    mac.microphone.speak(np.zeros(9600), at_once=960)
    mac.microphone.on_change(None)  # pyright: ignore[reportOptionalCall]
    until(lambda: bool(ear.losses))
    assert ear.losses == ["the microphone is gone: it was unplugged, or another one was chosen"]
    count = len(ear.audio)
    mac.microphone.speak(np.zeros(9600), at_once=960)
    port.stop()
    assert len(ear.audio) == count
    mac.microphone.rate = 44_100.0
    ear.start(port)
    mac.microphone.speak(np.zeros(9600), at_once=960)
    port.stop()
    assert len(ear.audio) > count


def test_an_engine_that_gives_nothing_is_told(mac: FakeMac, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs, and its tap is never called: known of several devices."""
    monkeypatch.setattr(capture, "_FIRST_S_MAX", 0.01)
    ear, port = Ear(), MacCapture(mac)
    ear.start(port)
    until(lambda: bool(ear.losses))
    assert "gone silent" in ear.losses[0]
    port.stop()


def test_audio_that_nobody_takes_in_time_is_told_as_lost(
    mac: FakeMac, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory has a bound, and no hole is silent."""
    monkeypatch.setattr(capture, "_WAITING_MAX", 4)
    go_on, ear, port = threading.Event(), Ear(), MacCapture(mac)

    def slow(frame: bytes) -> None:
        go_on.wait(20)
        ear.audio.append(frame)

    port.start(slow, ear.losses.append)
    mac.microphone.speak(np.zeros(48_000), at_once=1000)
    go_on.set()
    until(lambda: bool(ear.losses))
    port.stop()
    assert set(ear.losses) == {"audio was lost: this computer is too busy"}


def test_a_converter_that_fails_is_told(mac: FakeMac) -> None:
    """As a loss, because it happens on the worker's thread."""
    ear, port = Ear(), MacCapture(mac)
    ear.start(port)
    converter = mac.runtime.behaviours["AVAudioConverter"]
    converter.convertToBuffer_error_withInputFromBlock_ = lambda *_args: (3, None)
    mac.microphone.speak(np.zeros(960), at_once=960)
    until(lambda: bool(ear.losses))
    assert "can't be converted" in ear.losses[0]
    port.stop()
