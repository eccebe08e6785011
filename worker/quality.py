"""How good the service is while it runs: latency of words, revisions, drops and costs, as metrics and as
lines of the event log. Sees texts, and keeps only counts and times of them."""

import time
from collections import deque
from collections.abc import Sequence

from shared.audio.pcm import to_samples, to_seconds
from shared.events import Event, Final, Partial, SpeechEnd, SpeechStart
from shared.tally import Tally
from worker.core.decode import DecodeResult
from worker.core.effects import Alone, Dropped
from worker.core.hypothesis import fold, units
from worker.core.scheduler import Plan
from worker.event_log import EventLog
from worker.metrics import (
    DECODE_BATCH,
    DECODE_S,
    DEVICE_S,
    DROPPED,
    ENCODE_S,
    EVENT_LAG_S,
    HEARD_ALONE,
    QUEUE_S,
    REAL_TIME_FACTOR,
    WINDOW_S,
    WORD_LAG_S,
    WORDS,
    WORDS_TAKEN_BACK,
)
from worker.telling import Watched


class Quality:
    """One worker's."""

    def __init__(self, log: EventLog | None = None) -> None:
        self.log = log or EventLog()
        self.watched = Watched()

    def session(self, session: str, covered: int) -> "SessionQuality":
        """The watch over a session that begins at its covered sample."""
        self.log.write("session", session=session, covered=covered)
        return SessionQuality(self.log, session, self.watched.tally, covered)

    def batch(self, plan: Plan, started_s: float, took_s: float, results: Sequence[DecodeResult]) -> None:
        """A batch was decoded."""
        kind = plan.kind.name.lower()
        encode_s = sum(result.encode_s for result in results)
        audio_s = sum(job.request.duration_s for job in plan.jobs)
        for job, result in zip(plan.jobs, results, strict=True):
            QUEUE_S.labels(kind).observe(started_s - job.since)
            WINDOW_S.labels(kind).observe(result.window_s)
        ENCODE_S.labels(kind).observe(encode_s)
        DECODE_S.labels(kind).observe(max(0.0, took_s - encode_s))
        DECODE_BATCH.labels(kind).observe(len(plan.jobs))
        DEVICE_S.labels(kind).inc(took_s)
        self.watched.batch(started_s + took_s, len(plan.jobs), took_s, audio_s)
        if audio_s:
            REAL_TIME_FACTOR.labels(kind).observe(took_s / audio_s)
        self.log.write(
            "batch",
            kind=kind,
            took_s=round(took_s, 6),
            encode_s=round(encode_s, 6),
            rows=[
                {
                    "session": job.key,
                    "waited_s": round(started_s - job.since, 6),
                    "audio_s": round(job.request.duration_s, 3),
                    "own_s": round(job.request.own_s, 3),
                    "window_s": result.window_s,
                    "steps": result.steps,
                    "runaway": result.runaway,
                    "avg_logprob": round(result.avg_logprob, 4),
                    "no_speech_prob": round(result.no_speech_prob, 4),
                    "compression_ratio": round(result.compression_ratio, 3),
                }
                for job, result in zip(plan.jobs, results, strict=True)
            ],
        )


class SessionQuality:
    """One session's: when its audio arrived, and what was shown of the utterances that are open."""

    def __init__(self, log: EventLog, session: str, tally: Tally | None = None, covered: int = 0) -> None:
        self._log = log
        self._session = session
        self._tally = tally or Tally()
        self._covered = covered
        self._said_s = 0.0
        self._undecided = 0
        """Utterances that have ended and have no final."""
        self._arrivals: deque[tuple[int, float]] = deque()
        """Ends of what arrived, in samples, and when; trimmed to what is undecided."""
        self._shown: dict[int, tuple[list[str], float]] = {}
        """Per open utterance: the words on the screen, and up to where they were heard, in seconds."""

    @property
    def held(self) -> int:
        """Entries kept."""
        return len(self._arrivals) + len(self._shown)

    def arrived(self, end: int) -> None:
        """Audio up to sample `end` has come from Redis."""
        self._arrivals.append((end, self._log.clock()))

    def lag_s(self, received: int, *, speaking: bool) -> float:
        """Audio that has come and that nothing is said of yet, although it should be: what is behind the last
        text and not covered while somebody is `speaking` of whom partials are wanted, or a final is due;
        otherwise what the session's machine, which has heard `received` samples, has not heard."""
        come = max(self._arrivals[-1][0] if self._arrivals else 0, received)
        known = max(self._covered, to_samples(self._said_s)) if speaking or self._undecided else received
        return max(0.0, to_seconds(come - known))

    def published(self, events: Sequence[Event], covered: int | None) -> None:
        """Events were published, and audio is decided up to sample `covered`."""
        for event in events:
            if isinstance(event, Partial | Final):
                self._text(event)
            elif isinstance(event, SpeechStart | SpeechEnd):
                end_s = event.start if isinstance(event, SpeechStart) else event.end
                if isinstance(event, SpeechStart):
                    self._said_s = max(self._said_s, end_s)  # before it there is nothing to be said
                else:
                    self._undecided += 1
                self._event(event.type, event.utterance, end_s)
        self._covered = self._covered if covered is None else covered
        while covered is not None and self._arrivals and self._arrivals[0][0] <= covered:
            self._arrivals.popleft()

    def dropped(self, effect: Dropped) -> None:
        """A filter took text."""
        DROPPED.labels(effect.kind.name.lower(), effect.reason).inc()
        self._tally.dropped(effect.reason)
        self._log.write(
            "drop", session=self._session, kind=effect.kind.name.lower(), reason=str(effect.reason)
        )

    def alone(self, effect: Alone) -> None:
        """A final, or what it left out, was heard once more."""
        outcome = "believed" if effect.is_believed else "dropped"
        HEARD_ALONE.labels(outcome).inc()
        self._log.write("alone", session=self._session, outcome=outcome)

    def ended(self, outcome: str, received: int) -> None:
        """The session ends on this worker; `received` is the first sample that did not come."""
        self._log.write(
            "end", session=self._session, outcome=outcome, received=received, cpu_s=time.process_time()
        )
        self._log.flush()

    def _text(self, event: Partial | Final) -> None:
        words = shown_words(event.text)
        before, heard_s = self._shown.get(event.utterance, ([], event.start))
        taken_back = len(before) - _common(before, words)
        lags_s = self._word_lags(event, len(words) - len(before), heard_s)
        WORDS_TAKEN_BACK.inc(taken_back)
        for lag_s in lags_s:
            WORD_LAG_S.observe(lag_s)
        self._tally.words(lags_s)
        self._undecided = max(0, self._undecided - isinstance(event, Final))
        self._said_s = max(self._said_s, event.end)
        if isinstance(event, Final):
            WORDS.inc(len(words))
            self._shown.pop(event.utterance, None)
        else:
            self._shown[event.utterance] = (words, event.end)
        self._event(
            event.type,
            event.utterance,
            event.end,
            words=len(words),
            taken_back=taken_back,
            word_lags_s=[round(lag_s, 6) for lag_s in lags_s],
        )

    def _word_lags(self, event: Partial | Final, fresh: int, heard_s: float) -> list[float]:
        """How long the words that a text shows first have waited. Where the session has no word times, they
        are taken to be spread evenly over the audio that is new."""
        if fresh <= 0:
            return []
        if event.words and len(event.words) >= fresh:
            ends_s = [word.end for word in event.words[-fresh:]]
        else:
            step_s = max(0.0, event.end - heard_s) / fresh
            ends_s = [event.end - step_s * (fresh - 1 - n) for n in range(fresh)]
        now_s = self._log.clock()
        return [max(0.0, now_s - self._arrived_s(end_s)) for end_s in ends_s]

    def age_s(self, end_s: float) -> float:
        """How long ago the audio up to there came."""
        return max(0.0, self._log.clock() - self._arrived_s(end_s))

    def _event(self, kind: str, utterance: int, end_s: float, **fields: object) -> None:
        lag_s = self.age_s(end_s)
        EVENT_LAG_S.labels(kind).observe(lag_s)
        self._log.write(
            "event",
            session=self._session,
            type=kind,
            utterance=utterance,
            end_s=round(end_s, 3),
            lag_s=round(lag_s, 6),
            **fields,
        )

    def _arrived_s(self, end_s: float) -> float:
        """When the audio up to `end_s` had arrived. What is not kept any more arrived before all that is."""
        sample = to_samples(end_s)
        for end, at_s in self._arrivals:
            if end >= sample:
                return at_s
        return self._arrivals[-1][1] if self._arrivals else self._log.clock()


def shown_words(text: str) -> list[str]:
    """The words that a text shows, as they are compared."""
    return [fold(unit) for unit in units(text) if any(c.isalnum() for c in unit)]


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the common beginning."""
    both = zip(left, right, strict=False)
    return next((n for n, (a, b) in enumerate(both) if a != b), min(len(left), len(right)))
