"""The figures of one run, from the recordings, the baseline and the server's usage. Pure."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.baseline import Baseline, gold_of
from bench.dataset import Program
from bench.latency import Arrival, Stability, broken_promises, delays, stability, transcript
from bench.replay import Recording
from bench.scoring import Spread, WordErrors, total, word_errors
from bench.usage import Usage
from shared.codec import event_from_map

SLIP_P95_S_MAX = 0.02
SLIP_S_MAX = 0.25
"""A load generator later than this measures its own machine."""
OTHERS_CORES_MAX = 0.2
"""Other work on the machine, in cores, from which latencies say more about that work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All figures of a run. Seconds, unless the name says otherwise."""

    sessions: int
    refused: int
    failures: tuple[str, ...]
    """How sessions failed or broke the protocol, each with its number."""
    audio_s: float
    errors: WordErrors
    wer: float
    baseline_errors: WordErrors
    baseline_wer: float
    word_first: Spread
    word_stable: Spread
    final: Spread
    endpoint: Spread
    ready: Spread
    matched_words: float
    """Share of the reference's words that have a latency."""
    stability: Stability
    erased_per_word: float
    unstable: float
    cpu_per_audio_s: float
    cpu_per_audio_s_by_command: dict[str, float]
    baseline_cpu_per_audio_s: float
    peak_rss_bytes: int
    slip: Spread
    blocked_s: float
    others_cores: float
    """Cores busy with other work; see `Usage`."""
    invalid: str
    """Why these figures must not be used; empty when they may."""


def arrivals(recording: Recording) -> list[Arrival]:
    """The session's messages as events. Raises `CodecError` for one that the protocol does not know."""
    return [Arrival(at_s, event_from_map(message)) for at_s, message in recording.messages]


def report(played: Sequence[tuple[Program, Recording]], baseline: Baseline, usage: Usage | None) -> Report:
    """Put the figures together. A session that was refused says nothing about quality and is only counted;
    one that failed later is scored with what it gave."""
    served = [(program, recording) for program, recording in played if not math.isnan(recording.ready_s)]
    events = [(program, arrivals(recording)) for program, recording in served]
    golds = [gold_of(program, baseline) for program, _ in served]
    waits = [delays(found, gold) for (_, found), gold in zip(events, golds, strict=True)]
    first = [s for wait in waits for s in wait.first_s]
    errors = total(_errors(program, transcript(found)) for program, found in events)
    baseline_errors = total(error for program, _ in served for error in _baseline_errors(program, baseline))
    steady = sum((stability(found) for _, found in events), Stability())
    audio_s = sum(recording.sent_s for _, recording in served)
    slip = Spread.of([s for _, recording in served for s in recording.slips_s])
    return Report(
        sessions=len(played),
        refused=len(played) - len(served),
        failures=tuple(_failures(played)),
        audio_s=round(audio_s, 1),
        errors=errors,
        wer=errors.rate,
        baseline_errors=baseline_errors,
        baseline_wer=baseline_errors.rate,
        word_first=Spread.of(first),
        word_stable=Spread.of([s for wait in waits for s in wait.stable_s]),
        final=Spread.of([s for wait in waits for s in wait.final_s]),
        endpoint=Spread.of([s for wait in waits for s in wait.endpoint_s]),
        ready=Spread.of([recording.ready_s for _, recording in served]),
        matched_words=len(first) / max(1, sum(map(len, golds))),
        stability=steady,
        erased_per_word=steady.erased_per_word,
        unstable=steady.unstable,
        cpu_per_audio_s=round(usage.cpu_s / audio_s, 4) if usage and audio_s else math.nan,
        cpu_per_audio_s_by_command=_shares(usage, audio_s),
        peak_rss_bytes=usage.peak_rss_bytes if usage else 0,
        baseline_cpu_per_audio_s=baseline.cpu_per_audio_s,
        slip=slip,
        blocked_s=round(max((recording.blocked_s for _, recording in served), default=0.0), 3),
        others_cores=usage.others_cores if usage else math.nan,
        invalid="; ".join(_disturbances(slip, usage)),
    )


def _errors(program: Program, text: str) -> WordErrors:
    reference = " ".join(passage.text for passage in program.passages)
    return word_errors(reference, text, program.passages[0].language)


def _baseline_errors(program: Program, baseline: Baseline) -> Iterator[WordErrors]:
    for passage in program.passages:
        yield word_errors(passage.text, baseline.of(passage).text, passage.language)


def _failures(played: Sequence[tuple[Program, Recording]]) -> Iterator[str]:
    for number, (_, recording) in enumerate(played):
        if recording.failure:
            yield f"session {number}: {recording.failure}"
        else:
            yield from (f"session {number}: {broken}" for broken in broken_promises(arrivals(recording)))
            seqs = [message.get("seq") for _, message in recording.messages]
            if seqs != list(range(seqs[0] or 0, (seqs[0] or 0) + len(seqs))):
                yield f"session {number}: seq does not rise by one"
            if recording.close_code != 1000:
                yield f"session {number}: close code {recording.close_code}"


def _shares(usage: Usage | None, audio_s: float) -> dict[str, float]:
    if usage is None or not audio_s:
        return {}
    return {command: round(cpu_s / audio_s, 4) for command, cpu_s in usage.cpu_s_by_command.items()}


def _disturbances(slip: Spread, usage: Usage | None) -> Iterator[str]:
    if slip.p95 > SLIP_P95_S_MAX or slip.largest > SLIP_S_MAX:
        yield f"the load generator was late: p95 {slip.p95:.3f} s, largest {slip.largest:.3f} s"
    if usage and usage.others_cores > OTHERS_CORES_MAX:
        yield f"other work kept {usage.others_cores:.2f} cores busy"


def table(figures: Report) -> str:
    """The figures for a person."""
    rows = [
        f"{figures.sessions} sessions ({figures.refused} refused), {figures.audio_s:.0f} s of audio",
        "",
        f"{'seconds':28}{'p50':>8}{'p90':>8}{'p95':>8}{'largest':>9}{'count':>8}",
        _row("word's end to first shown", figures.word_first),
        _row("word's end to stable", figures.word_stable),
        _row("last word's end to final", figures.final),
        _row("last word's end to endpoint", figures.endpoint),
        _row("connection to ready", figures.ready),
        "",
        f"{'WER of finals':28}{_percent(figures.wer)}   {_kinds(figures.errors)}",
        f"{'WER of faster-whisper':28}{_percent(figures.baseline_wer)}   {_kinds(figures.baseline_errors)}",
        f"{'words with a latency':28}{_percent(figures.matched_words)}",
        f"{'taken back, per final word':28}{figures.erased_per_word:8.3f}   "
        f"in {figures.stability.revised} of {figures.stability.utterances} utterances",
        f"{'words shown and replaced':28}{_percent(figures.unstable)}",
        f"{'committed words changed':28}{figures.stability.committed_changed:8d}",
        f"{'CPU s per audio s':28}{figures.cpu_per_audio_s:8.3f}   "
        + ", ".join(f"{name} {share:.3f}" for name, share in figures.cpu_per_audio_s_by_command.items()),
        f"{'  of faster-whisper':28}{figures.baseline_cpu_per_audio_s:8.3f}",
        f"{'peak RSS, MB':28}{figures.peak_rss_bytes / 1e6:8.0f}",
        f"{'load generator late':28}{figures.slip.p95:8.4f}   largest {figures.slip.largest:.4f} s, "
        f"longest wait for the server {figures.blocked_s:.3f} s",
        f"{'cores busy with other work':28}{figures.others_cores:8.2f}",
    ]
    rows += [f"FAILED {failure}" for failure in figures.failures]
    rows += [f"INVALID: {figures.invalid}"] if figures.invalid else []
    return "\n".join(rows)


def _row(name: str, spread: Spread) -> str:
    numbers = (spread.p50, spread.p90, spread.p95)
    return f"{name:28}" + "".join(f"{n:8.2f}" for n in numbers) + f"{spread.largest:9.2f}{spread.count:8d}"


def _percent(share: float) -> str:
    return f"{share * 100:7.2f}%"


def _kinds(errors: WordErrors) -> str:
    return f"sub {errors.substitutions}, del {errors.deletions}, ins {errors.insertions} of {errors.words}"
