"""What doing without costs in words: `python -m bench.experiments.doing_without --data DIR --baseline FILE
[--model NAME] [--minutes M] [--row NAME]`.

Sessions of a busy device do without some of what they do on an idle one (`SessionOptions`, "strain"). Here
each of these things is left out by itself, in sessions whose decodes take no time: what it costs does not
depend on the machine, nor on what else runs on it. A decode is made once for all rows (`bench.answers`).
"""

from collections.abc import Sequence
from typing import NamedTuple

from bench.baseline import Baseline
from bench.dataset import Program, load, programs
from bench.experiments.rows import parser, remembering
from bench.experiments.session_options import baseline_of, variant
from bench.latency import transcript
from bench.scoring import WordErrors, left_out, total, word_errors
from bench.virtual import Played, Setting, play


class Row(NamedTuple):
    """One line of the table."""

    options: str = ""
    """As `session_options` takes them."""
    partials: bool = True


_FINALS = "strain_gain=0,early_final_s=9"
_STRAINED = "strain_gain=0,strain_least=1,partial_step_s=1.3"
ROWS = {
    "one session on an idle device": Row("strain_gain=0"),
    "the same without partials": Row(_FINALS, partials=False),
    **{f"finals hear {s} s": Row(f"{_FINALS},final_window_s={s}", partials=False) for s in (12, 9)},
    **{
        f"finals follow {n}": Row(f"{_FINALS},strain_least=0.26,lean_final_beam={n}", partials=False)
        for n in (3, 2, 1)
    },
    "strain 1, finals hear 9 s": Row(f"{_STRAINED},final_window_s=9"),
    "strain 1": Row(_STRAINED),
    "strain 1, nothing committed": Row(f"{_STRAINED},agree_s=99"),
}
HEAD = """| | WER | wrong, missing, added | left out | decoded again | decode s per audio s |
| --- | --- | --- | --- | --- | --- |"""


def errors_of(plan: Sequence[Program], texts: Sequence[str]) -> tuple[WordErrors, int]:
    """All errors, and how many of the missing words are three or more in succession."""
    said = [" ".join(passage.text for passage in program.passages) for program in plan]
    pairs = list(zip(said, texts, strict=True))
    return total(word_errors(*pair) for pair in pairs), sum(left_out(*pair) for pair in pairs)


def line(name: str, plan: Sequence[Program], played: Played) -> str:
    """As Markdown."""
    errors, left = errors_of(plan, [transcript(found) for found in played.arrivals])
    cpu = played.cpu_s.total() / sum(program.duration_s for program in plan)
    return f"| {name} | {counts(errors)} | {left} | {played.decodes['final again']} | {cpu:.3f} |"


def counts(errors: WordErrors) -> str:
    """Rate and kinds, as two cells."""
    return f"{errors.rate:.1%} | {errors.substitutions}, {errors.deletions}, {errors.insertions}"


def plain(plan: Sequence[Program], baseline: Baseline) -> str:
    """The line of plain faster-whisper."""
    texts = [" ".join(baseline.of(p).text for p in program.passages) for program in plan]
    errors, left = errors_of(plan, texts)
    return f"| plain faster-whisper | {counts(errors)} | {left} | | |"


def main() -> None:
    """Measure and print each row."""
    wanted = parser("Words that are lost by what a busy device leaves out.", minutes=30.0)
    wanted.add_argument("--row", action="append", choices=ROWS, help="only this one; may be given again")
    wanted.add_argument("--set", default="", metavar="NAME=VALUE,…", help="options for all rows")
    options = wanted.parse_args()
    engine = remembering(options.model, options.answers)
    plan = programs(load(options.data), count=1, seconds=options.minutes * 60)
    baseline = baseline_of(plan, options.model, options.baseline)
    print(HEAD)
    print(plain(plan, baseline), flush=True)
    for name in options.row or ROWS:
        row = ROWS[name]
        given = variant(",".join(filter(None, (row.options, options.set))))
        played = play(
            engine, plan, given, partials=row.partials, free=True, setting=Setting(cost=options.cost)
        )
        print(line(name, plan, played), flush=True)


if __name__ == "__main__":
    main()
