"""A desktop to measure and test dictation on: an X server, a window manager, a sound server with a microphone
that plays what it is given."""

import codecs
import contextlib
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import time
import wave
import zlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from Xlib import X
from Xlib.display import Display

from shared.audio.pcm import SAMPLE_RATE
from shared.guard import Guard

WAIT_S_MAX = 60.0
_ATTEMPTS = 5
_PROGRAMS = ("Xvfb", "openbox", "pulseaudio", "xdotool", "xterm", "pactl", "paplay")


def wait_until(is_true: Callable[[], object], what: str) -> None:
    """Wait for a fact."""
    deadline = time.monotonic() + WAIT_S_MAX
    while not is_true():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


def _listens(path: Path) -> bool:
    """Whether a server takes connections there: its socket is to be seen before it does."""
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
        client.connect(str(path))
        return True
    return False


@dataclass
class Screen:
    """An X server with a window manager. `environment` is for programs on it."""

    folder: Path
    environment: dict[str, str]
    guard: Guard
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    @classmethod
    @contextlib.contextmanager
    def running(cls, folder: Path) -> Generator[Self]:
        """One of its own. Raises `LookupError` where programs are missing."""
        with cls.empty(folder, _PROGRAMS) as screen:
            screen.environment |= {"DISPLAY": screen.start_server(), "QT_QPA_PLATFORM": "xcb"}
            screen.start("openbox")
            wait_until(lambda: screen.ask("xdotool", "get_num_desktops"), "a window manager")
            yield screen

    @classmethod
    @contextlib.contextmanager
    def empty(cls, folder: Path, programs: Sequence[str]) -> Generator[Self]:
        """One that shows nothing yet; what is started on it ends with it. Raises `LookupError` where one of
        the programs is missing."""
        if missing := [program for program in programs if shutil.which(program) is None]:
            raise LookupError(f"there is no {missing[0]}; deploy/ci/system-packages.sh installs it")
        runtime = folder / "runtime"
        runtime.mkdir(mode=0o700)
        others = ("DISPLAY", "WAYLAND_DISPLAY")
        environment = {key: value for key, value in os.environ.items() if key not in others}
        environment |= {"HOME": str(folder), "XDG_RUNTIME_DIR": str(runtime), "LC_ALL": "C.UTF-8"}
        screen = cls(folder, environment, Guard())
        try:
            yield screen
        finally:
            for process in reversed(screen.processes):
                process.terminate()
            for process in reversed(screen.processes):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
                process.kill()
                process.wait()
            screen.guard.close()

    def start_server(self) -> str:
        """Start an X server. Returns its display.

        The number is drawn: with `-displayfd` two servers that start at once can get the same one. It does
        not begin anew when its last client leaves, which would throw out one that is just coming.
        """
        for number in random.sample(range(100, 60_000), _ATTEMPTS):
            name = f":{number}"
            server = self.start("Xvfb", name, "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset")
            while server.poll() is None:
                if _listens(Path(f"/tmp/.X11-unix/X{number}")):
                    return name
                time.sleep(0.02)
        raise LookupError("no X server could be started")

    def start(self, *command: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a program on it, until the end of the test."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env=self.environment | dict(environment or {}),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.guard.add(process.pid)
        self.processes.append(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> int:
        """Stop a program. Returns its status."""
        process.terminate()
        status = process.wait(20)
        self.guard.remove(process.pid)
        self.processes.remove(process)
        return status

    def ask(self, *command: str) -> str:
        """What a command says; empty when it fails."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    def press(self, *keys: str) -> None:
        """Press keys, as their user would."""
        subprocess.run(["xdotool", "key", *keys], env=self.environment, check=True)

    def click(self, place: tuple[int, int], button: int = 1) -> None:
        """Press a mouse button there."""
        where, number = [str(value) for value in place], str(button)
        subprocess.run(["xdotool", "mousemove", *where, "click", number], env=self.environment, check=True)

    def picture(self, path: Path) -> None:
        """What is on the screen, as a PNG."""
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(_png(self._pixels()))

    def spot(self, colour: str, *, above: int | None = None) -> tuple[int, int] | None:
        """The middle of what has this colour (`#rrggbb`) on the screen, or in the uppermost lines of it; None
        when nothing has it."""
        wanted = np.frombuffer(bytes.fromhex(colour.removeprefix("#")), np.uint8)
        rows, columns = np.nonzero((self._pixels()[:above] == wanted).all(axis=2))
        return (int(np.median(columns)), int(np.median(rows))) if rows.size else None

    def _pixels(self) -> NDArray[np.uint8]:
        display = Display(self.environment["DISPLAY"])
        try:
            root = display.screen().root
            size = root.get_geometry()
            raw = root.get_image(0, 0, size.width, size.height, X.ZPixmap, 0xFFFFFF).data
        finally:
            display.close()
        return np.frombuffer(raw, np.uint8).reshape(size.height, size.width, 4)[:, :, 2::-1]

    def window(self, kind: str) -> "Window":
        """A window of a kind: `tk`, `qt`, `xterm` or `chromium`, with the focus."""
        out = self.folder / f"{kind}-{len(self.processes)}.txt"
        out.unlink(missing_ok=True)  # one that was closed may have had the name
        if kind == "xterm":
            script = f"stty -echo -icanon -icrnl -ixon min 1; : > {out}; exec cat > {out}"
            process = self.start("xterm", "-u8", "-e", "sh", "-c", script)
        else:
            process = self.start(sys.executable, "-m", f"bench.windows.{kind}_window", str(out))
        window = Window(self, process, out)
        window.wait_for_focus()
        return window


@dataclass
class Window:
    """A window, and the file that has its text."""

    screen: Screen
    process: subprocess.Popen[bytes]
    out: Path
    _begin: int = 0

    @property
    def text(self) -> str:
        """What was typed into it since it got the focus."""
        return self._all()[self._begin :]

    def read(self, length: int) -> str:
        """The text, as soon as it has so many characters."""
        wait_until(lambda: len(self.text) >= length, f"{length} characters")
        return self.text

    def wait_for_focus(self) -> None:
        """Wait until what is typed goes there: tried with letters, which do not count."""
        wait_until(self._hears, f"the focus in {self.out.stem}")
        # How many of those letters are still on their way is not known; this one comes behind them.
        self.screen.press("z")
        wait_until(lambda: self._all().endswith("z"), "the last of the letters")
        self._begin = len(self._all())

    def _hears(self) -> bool:
        self.screen.press("x")
        deadline = time.monotonic() + 0.5
        while not (heard := self._all()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return bool(heard)

    def _all(self) -> str:
        if not self.out.exists():
            return ""
        # xterm's program writes while this reads: the last character may not be whole yet.
        whole = codecs.getincrementaldecoder("utf-8")().decode(self.out.read_bytes())
        return whole.replace("\r", "\n")

    def close(self) -> None:
        """Close it."""
        self.screen.end(self.process)


@dataclass
class Sound:
    """A sound server of the screen's own. Its microphone hears what is played to its speaker."""

    screen: Screen

    @classmethod
    def on(cls, screen: Screen) -> "Sound":
        """Start it."""
        socket = Path(screen.environment["XDG_RUNTIME_DIR"]) / "native"
        screen.environment |= {"PULSE_SERVER": f"unix:{socket}", "DBUS_SESSION_BUS_ADDRESS": "none:"}
        modules = (
            f"module-native-protocol-unix socket={socket}",
            "module-null-sink sink_name=speaker rate=16000 channels=1",
            "module-null-sink sink_name=ears",
        )
        flags = [flag for module in modules for flag in ("-L", module)]
        # What is shared in memory gets lost now and then when programs come and go (PulseAudio's issue 824).
        client = screen.folder / "pulse-client.conf"
        client.write_text("enable-shm = no\nenable-memfd = no\nautospawn = no\n")
        screen.environment["PULSE_CLIENTCONFIG"] = str(client)
        screen.start(
            "pulseaudio",
            "-n",
            "--disable-shm=yes",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            *flags,
        )
        wait_until(lambda: "ears" in screen.ask("pactl", "list", "short", "sinks"), "a sound server")
        screen.ask("pactl", "set-default-sink", "ears")
        sound = cls(screen)
        sound.plug_in()
        return sound

    def end(self) -> None:
        """End it, and the microphone with it."""
        self.screen.end(next(p for p in self.screen.processes if "pulseaudio" in str(p.args)))

    def plug_in(self) -> None:
        """Connect the microphone."""
        ask = self.screen.ask
        ask("pactl", "load-module", "module-remap-source", "source_name=microphone", "master=speaker.monitor")
        ask("pactl", "set-default-source", "microphone")
        # A null sink that no one plays to in small pieces hands its sound on every two seconds.
        raw = ("--raw", "--rate=16000", "--channels=1", "--format=s16le", "--latency-msec=20")
        self.screen.start("pacat", *raw, "--device=speaker", "/dev/zero")
        wait_until(lambda: ask("pactl", "list", "short", "sink-inputs"), "a running microphone")

    def say(self, pcm16: bytes) -> subprocess.Popen[bytes]:
        """Speak into the microphone."""
        path = self.screen.folder / "speech.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(pcm16)
        return self.screen.start("paplay", "--device=speaker", str(path))

    @contextlib.contextmanager
    def heard(self) -> Generator[Callable[[], bool]]:
        """Listen to what programs play to their user. Gives whether anything was heard so far."""
        path = self.screen.folder / "heard.raw"
        raw = ("--raw", "--rate=16000", "--channels=1", "--format=s16le", "--latency-msec=20")
        listener = self.screen.start("parec", *raw, "--device=ears.monitor", str(path))
        wait_until(lambda: path.exists() and path.stat().st_size, "a listener")
        yield lambda: any(path.read_bytes())
        self.screen.end(listener)

    def is_recorded(self) -> bool:
        """Whether any program has the microphone open."""
        sources = self.screen.ask("pactl", "list", "short", "sources").splitlines()
        number = next(line.split("\t")[0] for line in sources if line.split("\t")[1] == "microphone")
        readers = self.screen.ask("pactl", "list", "short", "source-outputs").splitlines()
        return any(line.split("\t")[1] == number for line in readers)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """An RGB image, height x width x 3, as a PNG."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
