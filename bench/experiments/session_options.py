"""What the session's options cost and gain: `python -m bench.experiments.session_options --data DIR [--set
NAME=VALUE …]`.

Drives the session machine with the real engine, without the service and as if decodes took no time: word
errors and decode cost, not latency, in a fraction of real time. Each `--set` is one variant, several
options of it separated by commas; options are those of `SessionOptions` and `EndpointOptions`.
"""

import argparse
import json
import time
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from bench import environment
from bench.dataset import Passage, load
from bench.scoring import total, word_errors
from shared.events import Final, SessionConfig
from shared.models import resolve
from worker.core.decode import Kind
from worker.core.effects import Close, Decode, Effect, Emit, SessionOptions
from worker.core.endpointing import EndpointOptions
from worker.core.session import Session
from worker.engine.api import Engine, EngineOptions, make_engine
from worker.engine.silero import SileroVad

_CHUNK_BYTES = 3200
_ENDPOINT = {field.name for field in fields(EndpointOptions)}


class Replay:
    """One session over one passage; counts what it asks for."""

    def __init__(self, engine: Engine, config: SessionConfig, options: SessionOptions) -> None:
        self._engine = engine
        self._session = Session(config, SileroVad(), options=options)
        self.texts: list[str] = []
        self.counts: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()

    def play(self, pcm16: bytes) -> None:
        """Feed the audio in chunks of 100 ms and end."""
        for i in range(0, len(pcm16), _CHUNK_BYTES):
            self._apply(self._session.audio(i // 2, pcm16[i : i + _CHUNK_BYTES]))
        self._apply(self._session.end())

    def _apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Decode):
                self._decode(effect)
            elif isinstance(effect, Emit):
                self.texts += [event.text for event in effect.events if isinstance(event, Final)]
            else:
                assert isinstance(effect, Close)

    def _decode(self, effect: Decode) -> None:
        request = effect.request
        name = request.kind.name.lower()
        if request.kind is Kind.FINAL and request.prefix:
            name = "final again"  # it said other words than were committed
        started = time.perf_counter()
        (result,) = self._engine.decode([request])
        self.seconds[name] += time.perf_counter() - started
        self.counts[name] += 1
        # A cost of zero keeps the partial step where the options put it: the outcome must not depend on the
        # machine.
        self._apply(self._session.decoded(effect.ticket, replace(result, cost_s=0.0)))


def variant(text: str) -> SessionOptions:
    """`name=value,…` as options."""
    given = {k: float(v) for k, v in (pair.split("=") for pair in text.split(",") if pair)}
    whole = {field.name for field in fields(SessionOptions) if field.type in (int, "int")}
    own: dict[str, Any] = {k: int(v) if k in whole else v for k, v in given.items() if k not in _ENDPOINT}
    endpoint = EndpointOptions(**{k: v for k, v in given.items() if k in _ENDPOINT})  # type: ignore[arg-type]
    return SessionOptions(endpoint=endpoint, **own)


def measure(
    engine: Engine, passages: list[Passage], options: SessionOptions, *, partials: bool
) -> dict[str, Any]:
    """Word errors and cost of one variant."""
    errors, counts, seconds = [], Counter[str](), Counter[str]()
    for passage in passages:
        replay = Replay(engine, SessionConfig(language="en", partials=partials), options)
        replay.play(passage.pcm16)
        errors.append(word_errors(passage.text, " ".join(replay.texts)))
        counts.update(replay.counts)
        seconds.update(replay.seconds)
    audio_s = sum(passage.duration_s for passage in passages)
    return {
        "wer": round(total(errors).rate, 4),
        "decodes": dict(counts),
        "decode_s_per_audio_s": {k: round(v / audio_s, 3) for k, v in seconds.items()},
        "audio_s": round(audio_s, 1),
    }


def main() -> None:
    """Measure each variant and print a line for it."""
    parser = argparse.ArgumentParser(description="Word errors and decode cost of session options.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="base")
    parser.add_argument("--passages", type=int, default=4)
    parser.add_argument("--no-partials", action="store_true")
    parser.add_argument("--set", action="append", default=[], dest="variants", metavar="NAME=VALUE,…")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    engine = make_engine(
        "faster_whisper", EngineOptions(model=options.model, path=resolve(options.model).path, device="cpu")
    )
    passages = load(options.data)[: options.passages]
    kept: dict[str, Any] = {"environment": environment.describe()}
    for text in options.variants or [""]:
        figures = measure(engine, passages, variant(text), partials=not options.no_partials)
        kept[text] = figures
        print(text or "as shipped", json.dumps(figures), flush=True)
    if options.json:
        options.json.write_text(json.dumps(kept, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
