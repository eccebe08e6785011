"""What the web page adds: `python -m bench.page [--clip FILE] [--loads N] [--screenshot FILE] [--json FILE]`.

Starts `steno up`, loads the page N times in headless Chromium, each time with nothing cached, then speaks the
clip into its fake microphone and measures in the page itself: from the end of a frame in the audio thread to
its writing to the socket, and from the arrival of a message to the painting of its text. With the length of a
frame, in which sound waits for its end, that is all that the page adds to the latency of the server.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import wave
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from bench import environment
from bench.server import running
from shared.audio.media import decode_chunks

RATE = 16_000
FRAME_MS = 20.0
"""Length of a frame of the capture (api/web/static/steno/capture-worklet.js)."""
WATCH = """() => {
  window.measured = [];
  new PerformanceObserver((list) => {
    for (const { name, duration } of list.getEntries()) window.measured.push([name, duration]);
  }).observe({ entryTypes: ["measure"] });
}"""


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds."""

    count: int
    p50: float
    p95: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.page")
    parser.add_argument("--clip", type=Path, default=Path("tests/data/en_demo.flac"))
    parser.add_argument("--loads", type=int, default=10)
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--screenshot", type=Path, help="of the page while the clip's last words are spoken")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        print("there is no Chromium; deploy/ci/system-packages.sh installs it", file=sys.stderr)
        return 2
    described = environment.describe()
    with tempfile.TemporaryDirectory() as folder, running(settings={"model": options.model}) as server:
        microphone, speech_s = _microphone(options.clip, Path(folder) / "microphone.wav")
        flags = [
            "--disable-gpu",
            "--use-fake-device-for-media-stream",
            "--autoplay-policy=no-user-gesture-required",
        ]
        flags.append(f"--use-file-for-fake-audio-capture={microphone}%noloop")
        if os.geteuid() == 0:
            flags.append("--no-sandbox")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable, args=flags)
            url = f"http://{server.address}/"
            ready = [_load(browser, url) for _ in range(options.loads)]
            found = _speak(browser, url, speech_s, options.screenshot)
            browser.close()
    figures = {"ready": _times([time for time, _ in ready]), **{name: _times(found[name]) for name in found}}
    size = ready[0][1]
    print(f"{size} bytes in all")
    for name, times in figures.items():
        print(f"{name:<8} p50 {times.p50:6.1f} ms   p95 {times.p95:6.1f} ms   of {times.count}")
    added = FRAME_MS + figures["capture"].p95 + figures["paint"].p95
    print(f"added    {added:6.1f} ms at most: a frame of {FRAME_MS:.0f} ms, and 95 % of both ways")
    if options.json:
        figures_map = {name: asdict(times) for name, times in figures.items()}
        document = {"environment": described, "bytes": size, "added_ms": added, "figures": figures_map}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0


def _microphone(clip: Path, path: Path) -> tuple[Path, float]:
    """The clip with a second of silence before and after it, for the fake microphone."""
    silence = np.zeros(RATE, np.int16).tobytes()
    speech = b"".join(decode_chunks(clip, chunk_samples=RATE))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(silence + speech + silence)
    return path, len(speech) / 2 / RATE


def _load(browser: Browser, url: str) -> tuple[float, int]:
    """Milliseconds from the navigation until the page is ready, and the bytes of its files."""
    page = _open(browser, url)
    ready: float = page.evaluate("performance.getEntriesByName('steno:ready')[0].startTime")
    files: list[int] = page.evaluate(
        "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
        ".filter((entry) => !/v1|readyz/.test(entry.name)).map((entry) => entry.decodedBodySize)"
    )
    page.context.close()
    return ready, sum(files)


def _speak(browser: Browser, url: str, speech_s: float, screenshot: Path | None) -> dict[str, list[float]]:
    """Milliseconds of every frame and every painted message."""
    page = _open(browser, url)
    page.evaluate(WATCH)
    page.click("#record")
    page.wait_for_selector("body[data-live=live]")
    time.sleep(speech_s)
    if screenshot is not None:
        page.screenshot(path=screenshot)
    time.sleep(3)
    page.click("#record")
    page.wait_for_selector("body[data-live=idle]")
    measured: list[tuple[str, float]] = [tuple(entry) for entry in page.evaluate("window.measured")]
    page.context.close()
    return {kind: [ms for name, ms in measured if name == f"steno:{kind}"] for kind in ("capture", "paint")}


def _open(browser: Browser, url: str) -> Page:
    page = browser.new_context(permissions=["microphone"]).new_page()
    page.goto(url)
    page.wait_for_selector("nav a[aria-current]")
    return page


def _times(values: list[float]) -> Times:
    p50, p95 = np.quantile(np.array(values), [0.5, 0.95])
    return Times(len(values), round(float(p50), 1), round(float(p95), 1))


if __name__ == "__main__":
    sys.exit(main())
