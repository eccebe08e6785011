"""How much of a long utterance its partials hear, and how much text: `python -m bench.experiments.trimming
--data DIR --baseline FILE [--model NAME] [--minutes M] [--longest S] [--row NAME]`.

Recordings one after another without a pause (`bench.long`), in one session on the virtual clock, which is
where windows are trimmed at all. One thing at a time is changed of what is shipped: how far behind the newest
audio committed words leave the window, how many of them stay in it as a forced beginning, and how much of
what left it is given as a prompt. From `window_trim_s` on partials also have the times of their words, by
which those with a hole are dropped.
"""

import math

from bench.experiments.rows import parser, remembering
from bench.experiments.session_options import variant
from bench.latency import stability
from bench.long import Held, baseline_of, clips, joined, listen, slices_of
from bench.scoring import total
from bench.virtual import Setting

ROWS = {
    "as shipped": "",
    "holes not looked for": "window_trim_s=99",
    "3 s behind, nothing forced": "window_keep_s=3,window_keep_units=0",
    "no prompt": "context_chars=1",
    "prompt of 200 characters": "context_chars=200",
    "1 s behind": "window_keep_s=1",
    "3 s behind": "window_keep_s=3",
    "5 s behind": "window_keep_s=5",
}
HEAD = """| | WER by 5 minutes | missing, repeated | loops | shown p50 / p95, s | replaced | decode s per s |
| --- | --- | --- | --- | --- | --- | --- |"""


def main() -> None:
    """Measure and print each row."""
    wanted = parser("Trimming and prompts on long audio.", minutes=10.0)
    wanted.add_argument("--row", action="append", choices=ROWS, help="only this one; may be given again")
    wanted.add_argument("--longest", type=float, default=math.inf, metavar="S", help="leave longer ones out")
    options = wanted.parse_args()
    chosen = clips(options.data, minutes=options.minutes, longest_s=options.longest)
    passage = joined(chosen)
    baseline = baseline_of(passage, options.model, options.baseline)
    engine = remembering(options.model, options.answers)
    print(f"{passage.duration_s / 60:.1f} minutes, {len(chosen)} recordings")
    print(HEAD)
    for name in options.row or ROWS:
        held = Held()
        played = listen(engine, passage, variant(ROWS[name]), Setting(watch=held, cost=options.cost))
        (found,) = played.arrivals
        slices, stretches = slices_of(found, chosen, baseline, passage, held)
        cells = (
            name,
            f"{total(part.errors for part in slices).rate:.1%}: "
            + ", ".join(f"{part.errors.rate:.1%}" for part in slices),
            "; ".join(stretches) or "none",
            str(played.dropped["loop"]),
            ", ".join(f"{part.first.p50:.2f} / {part.first.p95:.2f}" for part in slices),
            f"{stability(found).unstable:.0%}",
            f"{sum(played.cpu_s.values()) / passage.duration_s:.2f}",
        )
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
