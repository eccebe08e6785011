"""Finals of live sessions against plain faster-whisper, on all speech of a data folder:
`python -m bench.accuracy --data DIR --baseline FILE [--language en,de] [--answers FILE] [--json FILE]`.

Each passage (`bench.dataset.everything`) is a session of its own on the virtual clock: the real session
machine, scheduler and model, at an otherwise idle device whose decodes take what a table says. So the figures
are the words' alone, and the same however busy the machine is. The difference is given with the middle 95 %
of a paired bootstrap over blocks of text, because word errors of a few minutes move by more than a point.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import jiwer

from bench import environment
from bench.baseline import Baseline
from bench.dataset import Passage, Program, everything
from bench.experiments.rows import parser, remembering
from bench.experiments.session_options import baseline_of, variant
from bench.latency import transcript
from bench.scoring import (
    Int64,
    WordErrors,
    difference_interval,
    errors_by_word,
    left_out,
    normalise,
    total,
)
from bench.virtual import Setting, play
from worker.core.effects import SessionOptions
from worker.engine.api import Engine

BLOCK_WORDS = 25
"""Words of a block of the bootstrap: about a sentence or two, whose errors depend on each other."""
LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "ru", "pt")


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of the reference: its words, and errors of ours and of the baseline's."""

    words: int
    ours: int
    baseline: int


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one passage."""

    passage: str
    language: str
    text: str
    ours: WordErrors
    baseline: WordErrors
    left_out: tuple[int, int]
    """Words in stretches of three and more that are missing, ours and the baseline's."""
    blocks: tuple[Block, ...]
    differing: tuple[str, ...]
    """Where one of the two is right and the other wrong."""


def score(passage: Passage, text: str, baseline: str) -> Row:
    """Compare two texts of a passage with what is said in it."""
    said, ours, theirs = (
        normalise(form, passage.language).split() for form in (passage.text, text, baseline)
    )
    errors, base = errors_by_word(said, ours), errors_by_word(said, theirs)
    blocks = [
        Block(len(said[a : a + BLOCK_WORDS]), *(int(e[a : a + BLOCK_WORDS].sum()) for e in (errors, base)))
        for a in range(0, len(said), BLOCK_WORDS)
    ]
    return Row(
        passage=passage.name,
        language=passage.language,
        text=text,
        ours=_sum(errors),
        baseline=_sum(base),
        left_out=(
            left_out(passage.text, text, passage.language),
            left_out(passage.text, baseline, passage.language),
        ),
        blocks=tuple(blocks),
        differing=tuple(_differing(said, ours, theirs)),
    )


def _sum(errors: Int64) -> WordErrors:
    wrong, missing, added = map(int, errors.sum(axis=0))
    return WordErrors(wrong, missing, added, len(errors))


def _differing(said: Sequence[str], ours: Sequence[str], theirs: Sequence[str]) -> Iterator[str]:
    """Reference words where only one of the two is wrong, with what each says there."""
    places = [_spoken(said, text) for text in (ours, theirs)]
    wrong = [{n for n, form in enumerate(place) if form != said[n]} for place in places]
    only = sorted(wrong[0] ^ wrong[1])
    while only:
        run = [only.pop(0)]
        while only and only[0] == run[-1] + 1:
            run.append(only.pop(0))
        first, last = run[0], run[-1] + 1
        mine, other = (" ".join(filter(None, place[first:last])) for place in places)
        worse = "worse" if first in wrong[0] else "better"
        yield f"{worse} at {first}: {' '.join(said[first:last])!r} as {mine!r}, baseline {other!r}"


def _spoken(said: Sequence[str], text: Sequence[str]) -> list[str]:
    """What stands in `text` for each word that was said; what is inserted stands with the word behind it."""
    places = [""] * len(said)
    for chunk in jiwer.process_words(" ".join(said), " ".join(text)).alignments[0]:
        if chunk.type == "insert":
            at = min(chunk.ref_start_idx, len(said) - 1)
            places[at] = " ".join([*text[chunk.hyp_start_idx : chunk.hyp_end_idx], places[at]]).strip()
        elif chunk.type != "delete":
            for n in range(chunk.ref_end_idx - chunk.ref_start_idx):
                at = chunk.ref_start_idx + n
                places[at] = f"{places[at]} {text[chunk.hyp_start_idx + n]}".strip()
    return places


def heard(engine: Engine, passage: Passage, options: SessionOptions, *, partials: bool, cost: str) -> str:
    """The finals of one session that hears the passage, and two seconds of silence."""
    program = Program(passages=(passage,), pcm16=passage.pcm16 + bytes(2 * 2 * 16_000))
    played = play(engine, [program], options, partials=partials, setting=Setting(cost=cost))
    return transcript(played.arrivals[0])


HEAD = """| | words | faster-whisper | wrong, missing, added | finals | wrong, missing, added | points, 95 % |
| --- | --- | --- | --- | --- | --- | --- |"""


def line(name: str, rows: Sequence[Row]) -> str:
    """The sum of some passages, as Markdown."""
    ours, base = total(row.ours for row in rows), total(row.baseline for row in rows)
    blocks = [block for row in rows for block in row.blocks]
    low, high = difference_interval(
        [b.ours for b in blocks], [b.baseline for b in blocks], [b.words for b in blocks]
    )
    difference = f"{(ours.rate - base.rate) * 100:+.2f} ({low * 100:+.2f} to {high * 100:+.2f})"
    cells = (name, str(ours.words), *_cells(base), *_cells(ours), difference)
    return f"| {' | '.join(cells)} |"


def _cells(errors: WordErrors) -> tuple[str, str]:
    kinds = f"{errors.substitutions}, {errors.deletions}, {errors.insertions}"
    return f"{errors.rate:.2%}", kinds


def main() -> None:
    """Play, print a line for each passage, language and all, and keep the texts."""
    wanted = parser("Word errors of finals on all speech of a folder.", minutes=0.0)
    wanted.add_argument("--language", default="en", metavar="CODE,…", help=f"some of {','.join(LANGUAGES)}")
    wanted.add_argument("--no-partials", action="store_true", help="finals alone")
    wanted.add_argument("--set", default="", metavar="NAME=VALUE,…", help="options of SessionOptions")
    wanted.add_argument("--differing", action="store_true", help="also print where only one of both is right")
    wanted.add_argument("--json", type=Path, metavar="FILE", help="keep texts and counts")
    options = wanted.parse_args()
    engine = remembering(options.model, options.answers)
    passages = [p for code in options.language.split(",") for p in everything(options.data, language=code)]
    programs = [Program(passages=(passage,), pcm16=passage.pcm16) for passage in passages]
    baseline = baseline_of(programs, options.model, options.baseline)
    rows = list(_rows(engine, passages, baseline, options))
    for code in dict.fromkeys(row.language for row in rows):
        print(line(f"all of {code}", [row for row in rows if row.language == code]))
    print(line("**all**", rows))
    print("left out, three words and more:", *(sum(row.left_out[n] for row in rows) for n in (0, 1)))
    if options.json:
        choices = {name: str(value) for name, value in vars(options).items()}
        about = {"environment": environment.describe(), "options": choices}
        run = {**about, "rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(run, ensure_ascii=False, indent=1), encoding="utf-8")


def _rows(
    engine: Engine, passages: Sequence[Passage], baseline: Baseline, options: argparse.Namespace
) -> Iterator[Row]:
    print(HEAD)
    given = variant(options.set)
    for passage in passages:
        text = heard(engine, passage, given, partials=not options.no_partials, cost=options.cost)
        row = score(passage, text, baseline.of(passage).text)
        print(line(passage.name, [row]), flush=True)
        if options.differing:
            print(*row.differing, sep="\n", flush=True)
        yield row


if __name__ == "__main__":
    main()
