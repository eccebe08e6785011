"""Makes the clips of this folder from their sources; README.md says what each one is.

    python tests/data/make_clips.py --from DIR

DIR holds `manifest.jsonl` and, under `audio/`, the sources that `COPIES`, `DEMO_PARTS` and `MUSIC` name. Only
needed to change the set: the clips are committed.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
RATE = 16_000
Pcm = NDArray[np.int16]

LIBRISPEECH = "LibriSpeech, CC BY 4.0"
FLEURS = "FLEURS, CC BY 4.0"

COPIES = (
    ("en_stew.flac", "librispeech/1089-134686-0000.flac", "en", LIBRISPEECH),
    ("en_quilter.flac", "librispeech/1272-128104-0000.flac", "en", LIBRISPEECH),
    ("en_wizard.flac", "librispeech/61-70968-0000.flac", "en", LIBRISPEECH),
    ("en_twain.flac", "librispeech/2033-164915-0001.flac", "en", LIBRISPEECH),
    ("en_years.ogg", "fleurs/fleurs-en-000.ogg", "en", FLEURS),
    ("de_zeit.ogg", "fleurs/fleurs-de-003.ogg", "de", FLEURS),
    ("fr_course.ogg", "fleurs/fleurs-fr-005.ogg", "fr", FLEURS),
    ("en_cabbage.ogg", "fleurs/fleurs-en-003.ogg", "en", FLEURS),
    ("en_feathers.ogg", "fleurs/fleurs-en-004.ogg", "en", FLEURS),
    ("de_wasser.ogg", "fleurs/fleurs-de-001.ogg", "de", FLEURS),
    ("de_berg.ogg", "fleurs/fleurs-de-004.ogg", "de", FLEURS),
    ("de_strand.ogg", "fleurs/fleurs-de-005.ogg", "de", FLEURS),
    ("fr_montagne.ogg", "fleurs/fleurs-fr-000.ogg", "fr", FLEURS),
    ("fr_enfants.ogg", "fleurs/fleurs-fr-002.ogg", "fr", FLEURS),
    ("fr_avion.ogg", "fleurs/fleurs-fr-004.ogg", "fr", FLEURS),
    ("fr_cristaux.ogg", "fleurs/fleurs-fr-008.ogg", "fr", FLEURS),
    ("es_gente.ogg", "fleurs/fleurs-es-002.ogg", "es", FLEURS),
    ("es_tierra.ogg", "fleurs/fleurs-es-003.ogg", "es", FLEURS),
    ("es_luna.ogg", "fleurs/fleurs-es-006.ogg", "es", FLEURS),
)
DEMO_PARTS = tuple(f"librispeech/1688-142285-000{n}.flac" for n in (2, 3, 4))
DEMO_GAP_S = 0.8
MUSIC = "music/Kevin_MacLeod_-_Vibe_Ace.ogg"
MUSIC_S = (4.0, 7.0)
NOISE_S = 5.0


def main() -> None:
    """Write every clip and the manifest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--from", dest="sources", type=Path, required=True, metavar="DIR")
    sources: Path = parser.parse_args().sources
    texts = _texts(sources)
    rows = [_copy(sources, copy, texts) for copy in COPIES]
    rows += [_demo(sources, texts), _noise(), _music(sources)]
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    (HERE / "manifest.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _texts(sources: Path) -> dict[str, dict[str, Any]]:
    lines = (sources / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["audio"]: row for row in map(json.loads, lines)}


def _row(name: str, text: str, language: str, duration_s: float, **more: object) -> dict[str, Any]:
    return {"file": name, "text": text, "language": language, "duration_s": round(duration_s, 3), **more}


def _copy(sources: Path, copy: tuple[str, str, str, str], texts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    name, source, language, licence = copy
    shutil.copyfile(sources / "audio" / source, HERE / name)
    (HERE / name).chmod(0o644)
    duration_s = len(_read(HERE / name)) / RATE
    row = texts[f"audio/{source}"]
    origin = f"{row['source']}/{row['source_path']}"
    return _row(name, row["text"], language, duration_s, source=origin, licence=licence)


def _demo(sources: Path, texts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    gap = np.zeros(round(DEMO_GAP_S * RATE), np.int16)
    pieces: list[Pcm] = []
    utterances: list[dict[str, Any]] = []
    for part in DEMO_PARTS:
        if pieces:
            pieces.append(gap)
        start_s = sum(map(len, pieces)) / RATE
        pieces.append(_read(sources / "audio" / part))
        end_s = sum(map(len, pieces)) / RATE
        text = texts[f"audio/{part}"]["text"]
        utterances.append({"start": round(start_s, 3), "end": round(end_s, 3), "text": text})
    samples = np.concatenate(pieces)
    _write(HERE / "en_demo.flac", samples)
    first = texts[f"audio/{DEMO_PARTS[0]}"]
    return _row(
        "en_demo.flac",
        " ".join(u["text"] for u in utterances),
        "en",
        len(samples) / RATE,
        source=f"{first['source']}/{first['source_path']} and the two sentences after it",
        licence=LIBRISPEECH,
        utterances=utterances,
    )


def _noise() -> dict[str, Any]:
    """Pink noise that swells, on a mains hum: about -36 dBFS, nothing in it is speech."""
    rng = np.random.default_rng(1)
    count = round(NOISE_S * RATE)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 20))
    pink = np.fft.irfft(spectrum, count)
    t = np.arange(count) / RATE
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 0.4 * t)
    hum = sum(np.sin(2 * np.pi * 50 * k * t) / k for k in (1, 2, 3))
    mixed = 0.012 * pink / pink.std() * swell + 0.003 * hum
    _write(HERE / "noise.flac", np.rint(mixed * 32767).astype(np.int16))
    return _row("noise.flac", "", "", NOISE_S, source="generated by make_clips.py", licence="CC0")


def _music(sources: Path) -> dict[str, Any]:
    start, end = (round(edge * RATE) for edge in MUSIC_S)
    samples = _read(sources / "audio" / MUSIC)[start:end]
    _write(HERE / "music.flac", samples)
    origin = "Vibe Ace by Kevin MacLeod, 3 s of it, resampled"
    return _row("music.flac", "", "", len(samples) / RATE, source=origin, licence="CC BY 3.0")


def _read(path: Path) -> Pcm:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(path)) as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])


def _write(path: Path, samples: Pcm) -> None:
    with av.open(str(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono", format="s16")
        for at in range(0, len(samples), 4096):
            frame = av.AudioFrame.from_ndarray(samples[None, at : at + 4096], format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main()
