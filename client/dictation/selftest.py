"""`steno dictate selftest`: what of dictation works on this machine. Shows measures, never content."""

import threading
import time
from collections.abc import Callable
from typing import Final

from client.dictation.app import Desktop
from client.dictation.loudness import loudness
from client.dictation.ports import FRAME_BYTES, Need
from client.dictation.settings import Settings
from shared.errors import StenoError

_LISTEN_S: Final = 2.0


def run_selftest(settings: Settings, desktop: Callable[..., Desktop]) -> bool:
    """Print one line for each thing that was tried. Returns whether all worked."""
    try:
        ports = desktop(settings, plain=True)
    except StenoError as error:
        return _say("desktop", False, str(error))
    checks = [_permissions(ports), _microphone(ports), _hotkey(ports, settings), _target(ports)]
    ports.typer.close()
    return all(checks)


def _permissions(ports: Desktop) -> bool:
    needs: tuple[Need, ...] = ("microphone", "typing")
    denied: list[Need] = [need for need in needs if ports.permissions.state(need) == "denied"]
    advice = " ".join(ports.permissions.advice(need) for need in denied)
    return _say("permissions", not denied, advice or "nothing is denied")


def _microphone(ports: Desktop) -> bool:
    frames: list[tuple[float, bytes]] = []
    losses: list[str] = []
    first = threading.Event()

    def take(audio: bytes) -> None:
        frames.append((time.monotonic(), audio))
        first.set()

    began = time.monotonic()
    try:
        ports.capture.start(take, losses.append)
        first.wait(_LISTEN_S)
        time.sleep(_LISTEN_S)
    except StenoError as error:
        return _say("microphone", False, str(error))
    finally:
        ports.capture.stop()
    if not frames:
        return _say("microphone", False, "no audio came")
    peak_db, level_db = loudness(b"".join(audio for _, audio in frames))
    rate = len(frames) / (frames[-1][0] - frames[0][0] + 0.02)
    whole = all(len(audio) == FRAME_BYTES for _, audio in frames) and not losses
    return _say(
        "microphone",
        whole and 45 < rate < 55,
        f"first audio after {1000 * (frames[0][0] - began):.0f} ms, {rate:.1f} frames/s, "
        f"peak {peak_db:.0f} dB, mean {level_db:.0f} dB, {len(losses)} losses",
    )


def _hotkey(ports: Desktop, settings: Settings) -> bool:
    try:
        ports.hotkey.start(settings.hotkey.chords(), lambda _name, _is_down: None)
    except StenoError as error:
        return _say("hotkey", False, str(error))
    finally:
        ports.hotkey.stop()
    return _say("hotkey", True, ", ".join(map(str, settings.hotkey.chords().values())) or "none is asked for")


def _target(ports: Desktop) -> bool:
    target = ports.typer.target()
    secure = ", which keeps its input secret" if target.is_secure else ""
    return _say("focus", True, f"{target.app or 'an app that does not say its name'}{secure}")


def _say(what: str, is_well: bool, how: str) -> bool:
    print(f"{'PASS' if is_well else 'FAIL'}  {what:12} {how}")
    return is_well
