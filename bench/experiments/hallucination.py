"""What is written where nobody speaks, and what the filters do about it.

`python -m bench.experiments.hallucination --data DIR [--model NAME]` plays silence, noise, music and babble,
five minutes of each, to sessions on the virtual clock and prints the words that were said. Then all of it is
decoded without the voice detector, with each filter alone and with all but it.
Last, speech with and without filters: what they cost.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ctranslate2
import numpy as np

from bench import environment, sounds
from bench.answers import Between
from bench.dataset import Passage, Program, load, programs
from bench.latency import transcript
from bench.scoring import total, word_errors, words_of
from bench.virtual import Played, Setting, play
from shared.audio.media import decode_chunks
from shared.audio.pcm import Float32, float_to_pcm16, pcm16_to_float
from shared.events import Final, Partial
from shared.models import resolve
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.core.effects import SessionOptions
from worker.core.filters import ALL, Drop, believed
from worker.engine.api import Engine, EngineOptions, make_engine

SEED = 20_250_301
"""Of the sounds, unless another is given."""
KINDS = ("silence", "noise", "music", "babble", "recorded noise and music")
BABBLE = ((6, -30.0), (8, -30.0), (8, -45.0))
"""Talkers, and level in dB."""


@dataclass(slots=True)
class Listener(Between):
    """An engine that keeps what it was asked and what it said."""

    heard: list[tuple[DecodeRequest, DecodeResult]] = field(
        default_factory=list[tuple[DecodeRequest, DecodeResult]]
    )

    def decode(self, batch: Sequence[DecodeRequest]) -> list[DecodeResult]:
        """As the engine."""
        results = self.engine.decode(batch)
        self.heard += zip(batch, results, strict=True)
        return results


def kinds(data: Path, seconds: float, seed: int = SEED) -> dict[str, Float32]:
    """Each kind's sounds one after another, alike in length."""
    random = np.random.default_rng(seed)
    talkers = _talkers(data)
    babble = {f"{n} talkers, {level:.0f} dB": sounds.babble(talkers[:n], level) for n, level in BABBLE}
    made = {"silence": sounds.SILENCES, "noise": sounds.NOISES, "music": sounds.MUSIC, "babble": babble}
    found = {
        kind: np.concatenate([make(seconds / len(makers), random) for make in makers.values()])
        for kind, makers in made.items()
    }
    return found | {"recorded noise and music": _recorded(data, seconds)}


def _talkers(data: Path) -> list[Float32]:
    """All that each of LibriSpeech's readers says, those with most first."""
    said: dict[str, list[Float32]] = {}
    for row in _rows(data):
        if "librispeech" in row["audio"] and row["text"]:
            said.setdefault(row["speaker"], []).append(_samples(data / row["audio"]))
    return sorted((np.concatenate(pieces) for pieces in said.values()), key=len, reverse=True)


def _recorded(data: Path, seconds: float) -> Float32:
    """The folder's own noise and music, one after another."""
    files = [row["audio"] for row in _rows(data) if row["kind"] in ("noise", "music")]
    return np.concatenate([_samples(data / name) for name in files])[: round(seconds * 16_000)]


def _rows(data: Path) -> Iterator[dict[str, str]]:
    for line in (data / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _samples(path: Path) -> Float32:
    return pcm16_to_float(b"".join(decode_chunks(path)))


def program(audio: Float32) -> Program:
    """A program in which nothing is said."""
    passage = Passage(name="", language="en", text="", pcm16=float_to_pcm16(audio))
    return Program(passages=(passage,), pcm16=passage.pcm16)


def words_said(played: Played) -> tuple[int, int]:
    """Words in finals, and most words that partials of an utterance showed."""
    events = [arrival.event for arrival in played.arrivals[0]]
    finals = sum(len(words_of(event.text)) for event in events if isinstance(event, Final))
    shown: dict[int, int] = {}
    for event in events:
        if isinstance(event, Partial):
            shown[event.utterance] = max(shown.get(event.utterance, 0), len(words_of(event.text)))
    return finals, sum(shown.values())


def as_shipped(engine: Engine, audio: dict[str, Float32], cost: str) -> None:
    """Sessions as they are: words, and what filters took."""
    print(
        "| kind | decodes | dropped | words in partials | words in finals |\n| --- | --- | --- | --- | --- |"
    )
    for kind, samples in audio.items():
        played = play(engine, [program(samples)], SessionOptions(), setting=Setting(cost=cost))
        finals, partials = words_said(played)
        dropped = ", ".join(f"{name} {count}" for name, count in sorted(played.dropped.items()))
        print(f"| {kind} | {played.decodes.total()} | {dropped} | {partials} | {finals} |", flush=True)


def left_out_in_turn(engine: Engine, audio: dict[str, Float32]) -> None:
    """Everything decoded in utterances of 20 s, as if all of it were speech; words per minute that filters
    leave of the finals."""
    sets = {"none": frozenset[Drop](), "all": ALL}
    for drop in sorted(ALL - {Drop.HOLE}):  # of partials only
        sets |= {f"only {drop}": frozenset({drop}), f"all but {drop}": ALL - {drop}}
    print(f"| filters | {' | '.join(audio)} |\n| --- |{' --- |' * len(audio)}")
    heard: dict[str, list[tuple[DecodeRequest, DecodeResult]]] = {}
    for kind, samples in audio.items():
        listener = Listener(engine)
        options = SessionOptions(filters=frozenset())
        setting = Setting(make_vad=lambda: lambda frame: 1.0)
        play(listener, [program(samples)], options, partials=False, setting=setting)
        heard[kind] = [pair for pair in listener.heard if pair[0].kind is Kind.FINAL]
    for name, filters in sets.items():
        rates = [_words(heard[kind], filters) / (len(audio[kind]) / 16_000 / 60) for kind in audio]
        print(f"| {name} | {' | '.join(f'{rate:.1f}' for rate in rates)} |", flush=True)


def _words(heard: Sequence[tuple[DecodeRequest, DecodeResult]], filters: frozenset[Drop]) -> int:
    left = (believed(result, request.kind, request.own_s, filters)[0] for request, result in heard)
    return sum(len(words_of(result.text)) for result in left)


def on_speech(engine: Engine, data: Path, minutes: float) -> None:
    """What filters cost: word errors of speech with and without them."""
    plan = programs(load(data), count=1, seconds=minutes * 60)
    for name, filters in (("all filters", ALL), ("none", frozenset[Drop]())):
        played = play(engine, plan, SessionOptions(filters=filters))
        errors = total(
            word_errors(" ".join(p.text for p in program.passages), transcript(found))
            for program, found in zip(plan, played.arrivals, strict=True)
        )
        print(
            f"{name}: WER {errors.rate:.2%} of {errors.words} words, dropped {dict(played.dropped)}",
            flush=True,
        )


def main() -> None:
    """Run all three and print their tables."""
    parser = argparse.ArgumentParser(description="Words where nobody speaks, and what filters take.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="base")
    parser.add_argument("--cost", default="cpu-zen3-base", help="a table of bench/costs: what decodes take")
    parser.add_argument("--minutes", type=float, default=5.0, help="of each kind, as shipped")
    parser.add_argument("--ablation-minutes", type=float, default=1.0, help="of each kind, without filters")
    parser.add_argument("--speech-minutes", type=float, default=2.0)
    parser.add_argument(
        "--seed", type=int, default=SEED, help="of the sounds, and of what is drawn by chance"
    )
    parser.add_argument(
        "--kind", action="append", choices=KINDS, help="only this one, as shipped; repeatable"
    )
    options = parser.parse_args()
    files = resolve(options.model)
    engine = make_engine(
        "faster_whisper",
        EngineOptions(model=options.model, path=files.path, multilingual=files.multilingual, device="cpu"),
    )
    engine.prepare()
    ctranslate2.set_random_seed(options.seed)
    print(json.dumps(environment.describe()))
    if options.minutes:
        chosen = kinds(options.data, options.minutes * 60, options.seed)
        as_shipped(engine, {kind: chosen[kind] for kind in options.kind or KINDS}, options.cost)
    if options.ablation_minutes:
        left_out_in_turn(engine, kinds(options.data, options.ablation_minutes * 60, options.seed))
    if options.speech_minutes:
        on_speech(engine, options.data, options.speech_minutes)


if __name__ == "__main__":
    main()
