"""Hours of audio are cut into windows in the memory of minutes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.media import mulaw_header

GROWTH_BYTES_MAX = 12_000_000
"""Of two hours, a fifth of what the file holds and a twentieth of it decoded."""

# Measured in a process of its own: what it took at most is never given back to the measurement.
MEASURE = """
import resource, sys
from pathlib import Path
from shared.audio.media import decode_channels
from worker.jobs.splitter import Splitter

def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

frames = 0
def vad(samples):
    # A minute of speech, a minute of silence; the real one takes half a minute for ten hours.
    global frames
    before, frames = frames, frames + len(samples) // 512
    return [float(n // 1875 % 2) for n in range(before + 1, frames + 1)]

splitter, windows, early = Splitter(vad), 0, 0
for (chunk,) in decode_channels(Path(sys.argv[1]), split=False, chunk_samples=80_000):
    windows += sum(1 for _ in splitter.push(chunk))
    if not early and splitter.samples >= 600 * 16_000:
        early = peak_bytes()
windows += sum(1 for _ in splitter.flush())
print(splitter.samples, windows, peak_bytes() - early)
"""


@pytest.mark.timeout(400)
@pytest.mark.parametrize("hours", [pytest.param(hours, marks=pytest.mark.slow) for hours in (2, 10)])
def test_hours_take_no_more_memory_than_ten_minutes(tmp_path: Path, hours: int) -> None:
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.write(mulaw_header(hours * 3600))
        # A hole: 288 MB for ten hours, that take no room on the disk.
        file.truncate(44 + hours * 3600 * 8000)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    samples, windows, growth_bytes = map(int, done.stdout.split())
    assert abs(samples - hours * 3600 * 16_000) < 1600
    assert windows > hours * 60
    assert growth_bytes < GROWTH_BYTES_MAX
