"""When an utterance is over, and how its final is decoded: `python -m bench.experiments.finals --data DIR
--baseline FILE [--model NAME]`.

One thing at a time is changed of what is shipped: the silence that ends an utterance, the silence at which
its final is decoded in the hope that it is over, and how many hypotheses finals follow. One session on the
virtual clock, without partials: what those cost and gain is another experiment (`session_options`). The same
decode is made once for all rows (`bench.answers`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from bench.baseline import Baseline, gold_of
from bench.dataset import Program, load, programs
from bench.experiments.rows import parser, remembering
from bench.experiments.session_options import baseline_of, variant
from bench.latency import Arrival, delays, transcript
from bench.scoring import Spread, word_errors
from bench.virtual import Played, Setting, play
from shared.events import Final, SpeechEnd, SpeechStart
from worker.core.effects import SessionOptions
from worker.engine.api import Engine


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    options: str = ""
    """As `session_options` takes them."""
    beam: int = 0
    """Of finals; 0: as shipped."""


SHIPPED = Row("as shipped")
ROWS = (
    SHIPPED,
    *(
        Row(f"ended by {s} s of silence", f"silence_s={s},long_silence_s={min(s, 0.4)}")
        for s in (0.3, 0.5, 0.8)
    ),
    *(Row(f"decoded early at {s} s", f"early_final_s={s}") for s in (0.15, 0.35, 0.5)),
    Row("not decoded early", "early_final_s=9"),
    *(Row(f"{n} hypotheses", beam=n) for n in (1, 3, 8)),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of a row."""

    utterances: int
    inside: int
    """Pauses within a clip that ended an utterance."""
    decodes: int
    """Of finals: more than utterances are for nothing."""
    wer: float
    cpu: float
    """Seconds for each second of audio."""
    final: Spread = field(default_factory=lambda: Spread.of([]))
    """From the end of an utterance's last word to its final, in seconds."""


def ended_inside(program: Program, arrivals: Sequence[Arrival], options: SessionOptions) -> int:
    """How many utterances end, and the next one begins, within one clip of the program."""
    endpoint = options.endpoint
    ends = {a.event.utterance: a.event.end for a in arrivals if isinstance(a.event, SpeechEnd)}
    starts = {a.event.utterance: a.event.start for a in arrivals if isinstance(a.event, SpeechStart)}
    clips = [(at + a, at + b) for at, passage in program.starts() for a, b in passage.clips_s]
    count = 0
    for before, after in pairwise(sorted(ends.keys() & starts.keys())):
        end_s = ends[before] - endpoint.post_roll_s
        start_s = starts[after] + endpoint.pre_roll_s
        count += any(a < end_s and start_s < b for a, b in clips)
    return count


def figures(plan: Sequence[Program], played: Played, options: SessionOptions, baseline: Baseline) -> Figures:
    """Put them together."""
    (program,), (found,) = plan, played.arrivals
    finals = [a for a in found if isinstance(a.event, Final)]
    waits = delays(found, gold_of(program, baseline))
    return Figures(
        utterances=len(finals),
        inside=ended_inside(program, found, options),
        decodes=played.decodes.total(),
        wer=word_errors(" ".join(p.text for p in program.passages), transcript(found)).rate,
        cpu=played.cpu_s.total() / program.duration_s,
        final=Spread.of(waits.final_s),
    )


def run(engine: Engine, plan: Sequence[Program], row: Row, setting: Setting, baseline: Baseline) -> Figures:
    """One row."""
    options = variant(row.options)
    played = play(engine, plan, options, partials=False, setting=replace(setting, final_beam=row.beam))
    return figures(plan, played, options, baseline)


def line(name: str, found: Figures) -> str:
    """As Markdown."""
    cells = (
        name,
        str(found.utterances),
        str(found.inside),
        str(found.decodes),
        f"{found.wer:.1%}",
        f"{found.cpu:.3f}",
        f"{found.final.p50:.2f} / {found.final.p95:.2f}",
    )
    return f"| {' | '.join(cells)} |"


HEAD = """| | utterances | inside a clip | finals decoded | WER | decode s per audio s | final p50 / p95, s |
| --- | --- | --- | --- | --- | --- | --- |"""


def main() -> None:
    """Measure all rows and print them."""
    options = parser("Endpoints, early finals and beams of finals.", minutes=5.0).parse_args()
    engine = remembering(options.model, options.answers)
    plan = programs(load(options.data), count=1, seconds=options.minutes * 60)
    baseline = baseline_of(plan, options.model, options.baseline)
    print(HEAD)
    for row in ROWS:
        found = run(engine, plan, row, Setting(cost=options.cost), baseline)
        print(line(row.name, found), flush=True)


if __name__ == "__main__":
    main()
