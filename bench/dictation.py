"""What dictation costs on Linux: `python -m bench.dictation`. Needs deploy/ci/system-packages.sh.

On an X server, a window manager and a sound server of its own:

* key press to first audio: `steno dictate` is turned on, and says how long the microphone took;
* final to text: how long after `type` was called a window's program has the last character of a sentence;
* 10,000 characters into a window: exact, and how many a second;
* idle: CPU seconds of a `steno dictate` that is off, over 30 s, and whether it has the microphone open.
"""

import argparse
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

from bench.desktop import Screen, Sound, wait_until
from client.dictation import control
from client.dictation.linux.x11_typer import X11Typer

SENTENCE = "It adds little to the server's final. "
LINE = "The quick brown fox jumps over the lazy dog, 42 times; Straße, 世界, Ελλάδα!\n"


def main() -> None:
    """Measure, and print one line for each figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--presses", type=int, default=20)
    parser.add_argument("--sentences", type=int, default=40)
    parser.add_argument("--characters", type=int, default=10_000)
    parser.add_argument("--idle-s", type=float, default=30.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Screen.running(Path(folder)) as screen:
        sound = Sound.on(screen)
        measure_keyboard(screen, asked.sentences, asked.characters)
        measure_program(screen, sound, asked.presses, asked.idle_s)


def measure_keyboard(screen: Screen, sentences: int, characters: int) -> None:
    """Type into a window."""
    window = screen.window("tk")
    typer = X11Typer(screen.environment["DISPLAY"])
    delays_ms: list[float] = []
    whole = ""
    for _ in range(sentences):
        before = time.time()
        typer.type(SENTENCE, "return")
        whole += SENTENCE
        wait_until(lambda whole=whole: window.text == whole, "the sentence")
        delays_ms.append(1000 * (window.out.stat().st_mtime - before))  # when the program wrote it down
        typer.type("\n", "return")
        whole += "\n"
    report("final to text, ms", delays_ms)
    text = (LINE * (characters // len(LINE) + 1))[:characters]
    began = time.perf_counter()
    typer.type(text, "return")
    took_s = time.perf_counter() - began
    whole += text
    exact = "exact" if window.read(len(whole)) == whole else "NOT EXACT"
    print(f"{characters} characters: {exact}, {characters / took_s:.0f}/s")
    typer.close()
    window.close()


def measure_program(screen: Screen, sound: Sound, presses: int, idle_s: float) -> None:
    """Run `steno dictate`, without a server, idle and with its hotkey."""
    place = Path(screen.environment["XDG_RUNTIME_DIR"]) / "steno"
    process = screen.start(
        sys.executable, "-c", "from client.cli.main import main; main()", "dictate", "--debug"
    )
    wait_until(lambda: (place / "dictation.sock").exists(), "the dictation")
    measured = psutil.Process(process.pid)
    time.sleep(2.0)
    before = sum(measured.cpu_times()[:2])
    time.sleep(idle_s)
    used_s = sum(measured.cpu_times()[:2]) - before
    print(
        f"idle for {idle_s:g} s: {used_s:.2f} CPU s, microphone {'OPEN' if sound.is_recorded() else 'closed'}"
    )
    for number in range(presses):
        screen.press("ctrl+alt+d")
        wait_until(lambda seen=number: len(first_audio_ms(screen)) > seen, "audio")
        screen.press("ctrl+alt+d")
        control.ask(place, "off")
        wait_until(lambda: not sound.is_recorded(), "a closed microphone")
        # What was said without a server is given up after a while; here nothing was.
        wait_until(lambda: control.ask(place, "status")["state"] == "off", "the end")
    report("key press to first audio, ms", first_audio_ms(screen))
    screen.end(process)


def first_audio_ms(screen: Screen) -> list[float]:
    """What the program's log says so far."""
    log = (screen.folder / "log").read_text(errors="replace")
    return [float(found) for found in re.findall(r"first audio after_ms=(\d+)", log)]


def report(what: str, values: list[float]) -> None:
    """Median, 95th percentile and worst."""
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    figures = f"median {statistics.median(ordered):.0f}, p95 {p95:.0f}, worst {ordered[-1]:.0f}"
    print(f"{what}: {figures} (n={len(ordered)})")


if __name__ == "__main__":
    main()
