"""Sound without words, made from numbers: what a microphone hears while nobody speaks to it. Pure.

Every maker takes a length in seconds and a random generator and returns 16 kHz mono samples. Levels are dB of
full scale, root mean square. The same seed gives the same samples.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from shared.audio.pcm import SAMPLE_RATE, Float32

Random = np.random.Generator
Maker = Callable[[float, Random], Float32]

_SCALE_HZ: Final = 220.0 * 2 ** (np.array([0, 2, 3, 5, 7, 8, 10, 12]) / 12)
"""A natural minor scale from A3."""


def at_level(samples: np.ndarray, level_db: float) -> Float32:
    """The samples at that level; silence stays what it is. Peaks are clipped."""
    rms = float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0
    scaled = samples * (10 ** (level_db / 20) / rms) if rms > 0 else samples
    return np.clip(scaled, -1.0, 1.0).astype(np.float32)


def digital_silence(seconds: float, random: Random) -> Float32:
    """Zeros."""
    return np.zeros(_count(seconds), np.float32)


def room_silence(seconds: float, random: Random) -> Float32:
    """A quiet room through a microphone: pink noise at -65 dB."""
    return at_level(_coloured(seconds, random, power=0.5), -65.0)


def white_noise(level_db: float) -> Maker:
    """All frequencies alike."""
    return lambda seconds, random: at_level(random.standard_normal(_count(seconds)), level_db)


def pink_noise(level_db: float) -> Maker:
    """Power falls with frequency, as in fans, rain and traffic."""
    return lambda seconds, random: at_level(_coloured(seconds, random, power=0.5), level_db)


def hum(seconds: float, random: Random) -> Float32:
    """Mains: 50 Hz and its harmonics, at -30 dB."""
    t = _time(seconds)
    tones = (np.sin(2 * np.pi * 50 * n * t + random.uniform(0, 6)) / n for n in range(1, 9))
    return at_level(sum(tones, np.zeros(len(t))), -30.0)


def keyboard(seconds: float, random: Random) -> Float32:
    """Key presses: clicks of 5 to 20 ms in bursts of typing, over a quiet room."""
    samples = 0.3 * _coloured(seconds, random, power=0.5) / 300
    at_s = 0.0
    while at_s < seconds:
        burst = int(random.integers(5, 40))
        for _ in range(burst):
            at_s += float(random.uniform(0.06, 0.25))
            _add(samples, at_s, _click(random))
        at_s += float(random.uniform(0.5, 3.0))
    return samples.astype(np.float32)


def breath(seconds: float, random: Random) -> Float32:
    """Breathing close to the microphone: noise between 300 and 3000 Hz that swells and fades every 4 s."""
    swell = np.maximum(0.0, np.sin(2 * np.pi * _time(seconds) / 4.0 + random.uniform(0, 6))) ** 2
    return at_level(_band(seconds, random, 300.0, 3000.0) * swell, -35.0)


def chords(seconds: float, random: Random) -> Float32:
    """Held triads with harmonics, a new one every 2 s: an organ."""
    samples = np.zeros(_count(seconds))
    for at_s in np.arange(0.0, seconds, 2.0):
        root = int(random.integers(0, 6))
        for step in (0, 2, 4):
            _add(samples, float(at_s), _note(_SCALE_HZ[(root + step) % 8], 2.0, attack_s=0.05, decay_s=3.0))
    return at_level(samples, -20.0)


def arpeggio(seconds: float, random: Random) -> Float32:
    """Plucked notes, five a second, in the range of a voice."""
    samples = np.zeros(_count(seconds))
    for at_s in np.arange(0.0, seconds, 0.2):
        pitch = float(random.choice(_SCALE_HZ))
        _add(samples, float(at_s), _note(pitch, 0.6, attack_s=0.005, decay_s=0.2))
    return at_level(samples, -20.0)


def melody(seconds: float, random: Random) -> Float32:
    """One line with vibrato and glides, through formants: the music nearest to a voice."""
    t = _time(seconds)
    steps = random.choice(_SCALE_HZ, size=int(seconds / 0.4) + 2)
    pitch = np.interp(t, np.arange(len(steps)) * 0.4, steps) * (1 + 0.02 * np.sin(2 * np.pi * 5.5 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    voice = sum((np.sin(n * phase) * _formant(n * pitch) for n in range(1, 12)), np.zeros(len(t)))
    loudness = 0.6 + 0.4 * np.sin(2 * np.pi * t / 1.6)
    return at_level(voice * loudness, -20.0)


def drums(seconds: float, random: Random) -> Float32:
    """Kick, snare and hat at 120 beats a minute."""
    samples = np.zeros(_count(seconds))
    for beat, at_s in enumerate(np.arange(0.0, seconds, 0.25)):
        _add(samples, float(at_s), 0.2 * _click(random))
        if beat % 4 == 0:
            t = _time(0.15)
            _add(samples, float(at_s), np.sin(2 * np.pi * 60 * t * np.exp(-4 * t)) * np.exp(-20 * t))
        elif beat % 4 == 2:
            t = _time(0.15)
            _add(samples, float(at_s), random.standard_normal(len(t)) * np.exp(-25 * t) * 0.5)
    return at_level(samples, -20.0)


def babble(talkers: Sequence[Float32], level_db: float) -> Maker:
    """All talkers at once, each as loud as the other and from anywhere in what they say."""

    def make(seconds: float, random: Random) -> Float32:
        samples = np.zeros(_count(seconds))
        for said in talkers:
            turned = np.roll(at_level(said, -30.0), int(random.integers(0, len(said))))
            samples += np.resize(turned, len(samples))
        return at_level(samples, level_db)

    return make


NOISES: Final[dict[str, Maker]] = {
    "white noise, -60 dB": white_noise(-60.0),
    "white noise, -40 dB": white_noise(-40.0),
    "white noise, -25 dB": white_noise(-25.0),
    "pink noise, -60 dB": pink_noise(-60.0),
    "pink noise, -40 dB": pink_noise(-40.0),
    "pink noise, -25 dB": pink_noise(-25.0),
    "mains hum": hum,
    "keyboard": keyboard,
    "breath": breath,
}
MUSIC: Final[dict[str, Maker]] = {"chords": chords, "arpeggio": arpeggio, "melody": melody, "drums": drums}
SILENCES: Final[dict[str, Maker]] = {"digital silence": digital_silence, "quiet room": room_silence}


def _count(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


def _time(seconds: float) -> np.ndarray:
    return np.arange(_count(seconds)) / SAMPLE_RATE


def _coloured(seconds: float, random: Random, *, power: float) -> np.ndarray:
    """Noise whose amplitude falls with frequency to that power."""
    count = _count(seconds)
    spectrum = np.fft.rfft(random.standard_normal(count))
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / SAMPLE_RATE), 20.0)
    return np.fft.irfft(spectrum / frequency**power, count)


def _band(seconds: float, random: Random, low_hz: float, high_hz: float) -> np.ndarray:
    count = _count(seconds)
    spectrum = np.fft.rfft(random.standard_normal(count))
    frequency = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    return np.fft.irfft(spectrum * ((frequency > low_hz) & (frequency < high_hz)), count)


def _click(random: Random) -> np.ndarray:
    t = _time(float(random.uniform(0.005, 0.02)))
    return random.standard_normal(len(t)) * np.exp(-t / 0.004) * float(random.uniform(0.05, 0.3))


def _note(pitch_hz: float, seconds: float, *, attack_s: float, decay_s: float) -> np.ndarray:
    t = _time(seconds)
    tone = sum((np.sin(2 * np.pi * n * pitch_hz * t) / n**1.5 for n in range(1, 8)), np.zeros(len(t)))
    return tone * np.minimum(1.0, t / attack_s) * np.exp(-t / decay_s)


def _formant(frequency_hz: np.ndarray) -> np.ndarray:
    """How much a vowel lets through: resonances at 700 and 1200 Hz."""
    resonances = (1 / (1 + ((frequency_hz - centre) / 120.0) ** 2) for centre in (700.0, 1200.0))
    return sum(resonances, 0.05 * np.ones_like(frequency_hz))


def _add(samples: np.ndarray, at_s: float, piece: np.ndarray) -> None:
    start = _count(at_s)
    piece = piece[: max(0, len(samples) - start)]
    samples[start : start + len(piece)] += piece
