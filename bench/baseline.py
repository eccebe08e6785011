"""Plain faster-whisper on the same audio: the yardstick for word errors and cost, and the clock of the words.

One `WhisperModel.transcribe` per passage, as its documentation shows it: beam 5, 30 s after 30 s.

Word latency needs to know when each word was said. The true answer is a forced alignment; what is used here
is a proxy, the word timestamps of this very run (the model's cross-attention aligned with the audio), carried
over to the words of the reference. On clean LibriSpeech its end of a sentence lies 0.1 s before the end of
the sound, so latencies look a little larger than they are; a single word may be off by a second. Words that
the baseline missed have no time.

    python -m bench.baseline --data DIR --out FILE
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.dataset import BUNDLED, Passage, Program, load
from bench.latency import GoldWord
from bench.scoring import pairs, total, word_errors, words_of
from shared.audio.pcm import pcm16_to_float
from shared.codec import from_map, to_map
from shared.models import resolve

BEAM = 5


@dataclass(frozen=True, slots=True)
class Heard:
    """What the baseline made of one passage. Times in `words` are seconds of the passage."""

    passage: str
    text: str
    words: tuple[GoldWord, ...]
    cpu_s: float
    wall_s: float
    audio_s: float


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the baseline heard, and what it was."""

    model: str
    compute_type: str
    threads: int
    heard: tuple[Heard, ...]

    def of(self, passage: Passage) -> Heard:
        """What it heard in that passage. Raises `KeyError`."""
        return {heard.passage: heard for heard in self.heard}[passage.name]

    @property
    def cpu_per_audio_s(self) -> float:
        """CPU seconds that one second of audio costs."""
        return sum(h.cpu_s for h in self.heard) / sum(h.audio_s for h in self.heard)


def measure(passages: Sequence[Passage], *, model: str, compute_type: str, threads: int) -> Baseline:
    """Transcribe every passage once. Loading the model and a first short decode are not counted."""
    from faster_whisper import WhisperModel  # heavy, and not needed to read a kept baseline

    files = resolve(model)
    whisper = WhisperModel(
        str(files.path), device="auto", compute_type=compute_type, cpu_threads=threads, local_files_only=True
    )
    _hear(whisper, passages[0], seconds=5.0)
    heard = tuple(_hear(whisper, passage) for passage in passages)
    return Baseline(model, compute_type, threads, heard)


def _hear(whisper: Any, passage: Passage, *, seconds: float | None = None) -> Heard:
    audio = pcm16_to_float(passage.pcm16)
    audio = audio if seconds is None else audio[: round(seconds * 16_000)]
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    segments, _ = whisper.transcribe(audio, language=passage.language, beam_size=BEAM, word_timestamps=True)
    segments = list(segments)
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    words = tuple(GoldWord(str(w.word), float(w.end)) for s in segments for w in s.words or ())
    text = " ".join(s.text.strip() for s in segments)
    return Heard(passage.name, text, words, cpu_s, wall_s, passage.duration_s)


def gold_words(passage: Passage, heard: Heard) -> list[GoldWord]:
    """The words of the passage's reference with the end times of the baseline's words that match them."""
    said = words_of(passage.text)
    timed = [(form, word.end_s) for word in heard.words for form in words_of(word.text)]
    ends = {ref: timed[hyp][1] for ref, hyp in pairs(said, [form for form, _ in timed])}
    return [GoldWord(word, ends.get(position)) for position, word in enumerate(said)]


def gold_of(program: Program, baseline: Baseline) -> list[GoldWord]:
    """The same for a whole program, in seconds of the program."""
    return [
        GoldWord(word.text, None if word.end_s is None else word.end_s + start_s)
        for start_s, passage in program.starts()
        for word in gold_words(passage, baseline.of(passage))
    ]


def keep(baseline: Baseline, path: Path) -> None:
    """Write the baseline for later runs."""
    path.write_text(json.dumps(to_map(baseline), ensure_ascii=False, indent=1), encoding="utf-8")


def kept(path: Path, passages: Sequence[Passage], *, model: str, compute_type: str) -> Baseline | None:
    """A baseline that was kept, if it is of this model and has all these passages."""
    if not path.exists():
        return None
    found = from_map(Baseline, json.loads(path.read_text(encoding="utf-8")))
    lengths = {heard.passage: heard.audio_s for heard in found.heard}
    same = (found.model, found.compute_type) == (model, compute_type)
    fits = all(abs(lengths.get(p.name, -1.0) - p.duration_s) < 0.01 for p in passages)
    return found if same and fits else None


def main() -> None:
    """Measure a data folder and print its figures."""
    parser = argparse.ArgumentParser(description="Plain faster-whisper on the streams of a data folder.")
    parser.add_argument("--data", type=Path, default=BUNDLED)
    parser.add_argument("--language", default="en")
    parser.add_argument("--model", default="base")
    parser.add_argument("--compute-type", default="int8")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    passages = load(options.data, language=options.language)
    baseline = measure(
        passages, model=options.model, compute_type=options.compute_type, threads=options.threads
    )
    errors = {p.name: word_errors(p.text, baseline.of(p).text, p.language) for p in passages}
    for passage in passages:
        print(f"{passage.name:32} {passage.duration_s:7.1f} s  WER {errors[passage.name].rate:6.2%}")
    print(
        f"WER {total(errors.values()).rate:.2%}, {baseline.cpu_per_audio_s:.3f} CPU seconds per audio second"
    )
    if options.out:
        keep(baseline, options.out)


if __name__ == "__main__":
    main()
