"""Workers and sessions on a virtual clock, without sound and without an engine: the real session machines
and schedulers, modelled speech (`bench.speech_model`) and the costs of a table (`bench.cost_table`).

What is not in it: the network, Redis, the load of a worker's event loop, and mishearing: the modelled engine
hears every word right, so a word is shown for good when a text first covers it. Some partials are lost, as
the table says.
"""

from random import Random
from typing import Final

from bench.fleet_worker import Case, Clock, Outcome, Worker
from bench.modelled import modelled_session
from bench.speech_model import Speech
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE, to_samples
from shared.events import Closed, Event, Partial
from shared.events import Final as FinalText
from worker.core.effects import Alone, Close, Decode, Dropped, Effect, Emit
from worker.core.session import Session

CHUNK_SAMPLES: Final = SAMPLE_RATE // 10
_CHUNK: Final = bytes(CHUNK_SAMPLES * SAMPLE_BYTES)
RAMP_S: Final = 10.0
"""Sessions begin within this time."""
_POLL_S: Final = 0.5
"""How often workers look for sessions whose lease has ended, at least (`worker.intake`)."""


class Client:
    """One person who talks, with what the fleet knows of the session."""

    def __init__(self, name: str, speech: Speech, start_s: float, fleet: "Fleet") -> None:
        self.name = name
        self._speech = speech
        self._start_s = start_s
        self._fleet = fleet
        self._sent = 0
        self._covered = 0
        self._checkpoint = b""
        self._worker: Worker | None = None
        self._machine: Session | None = None
        self._shown = 0
        self._said: list[str] = []
        self.closed = False

    def claimed(self) -> None:
        """The least busy worker goes on from the covered sample; what was sent since then is heard at
        once."""
        self._worker = self._fleet.least_busy()
        self._worker.sessions.add(self)
        machine = modelled_session(self._speech, self._fleet.case.options, self._covered, self._checkpoint)
        self._machine = machine
        for start in range(self._covered, self._sent, CHUNK_SAMPLES):
            self.apply(machine.audio(start, _CHUNK[: SAMPLE_BYTES * (self._sent - start)]))
        self._end_if_over()
        self._worker.look()

    def lost(self) -> None:
        """Its worker died."""
        self._worker = self._machine = None

    def talk(self) -> None:
        """The next chunk arrives."""
        start, self._sent = self._sent, min(self._sent + CHUNK_SAMPLES, self._speech.samples)
        if self._sent < self._speech.samples:
            following = min(self._sent + CHUNK_SAMPLES, self._speech.samples)
            self._fleet.clock.at(self._start_s + following / SAMPLE_RATE, self.talk)
        if self._machine and self._worker:
            self.apply(self._machine.audio(start, _CHUNK[: SAMPLE_BYTES * (self._sent - start)]))
            self._end_if_over()
            self._worker.look()

    def _end_if_over(self) -> None:
        if self._machine and self._sent == self._speech.samples:
            self.apply(self._machine.end())

    def apply(self, effects: list[Effect]) -> None:
        """Do what the machine wants."""
        if self._worker is None or self._machine is None:
            return
        for effect in effects:
            match effect:
                case Decode():
                    self._worker.offer(self, self._machine, effect)
                case Emit(events, covered, checkpoint):
                    self._covered = self._covered if covered is None else covered
                    self._checkpoint = checkpoint or self._checkpoint
                    for event in events:
                        self._show(event)
                case Close(event):
                    self._show(event)
                case Dropped() | Alone():
                    pass

    def _show(self, event: Event) -> None:
        if isinstance(event, Partial):
            self._cover(to_samples(event.end))
        elif isinstance(event, FinalText):
            numbers = self._speech.between(to_samples(event.start), to_samples(event.end))
            self._said += event.text.split()
            if numbers:
                self._cover(self._speech.words[numbers[-1]].end)
                self._fleet.outcome.final_s.append(self._since(self._speech.words[numbers[-1]].end))
        elif isinstance(event, Closed):
            self.closed = True
            if self._worker:
                self._worker.sessions.discard(self)

    def _cover(self, end: int) -> None:
        words = self._speech.words
        while self._shown < len(words) and words[self._shown].end <= end:
            self._fleet.outcome.first_s.append(self._since(words[self._shown].end))
            self._shown += 1

    def _since(self, sample: int) -> float:
        return self._fleet.clock.now - self._start_s - sample / SAMPLE_RATE

    @property
    def is_whole(self) -> bool:
        """Whether it was closed and its finals said every word once and in order."""
        return self.closed and self._said == [f"W{n}" for n in range(len(self._speech.words))]


class Fleet:
    """All of it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.clock = Clock()
        self.outcome = Outcome(slots=case.workers * case.table.slots)
        self._workers = [Worker(self.clock, case, self.outcome, n) for n in range(case.workers)]
        self._clients = [self._client(n) for n in range(case.sessions)]
        self._rng = Random(f"{case.seed} fleet")
        if case.kill_at_s is not None:
            self.clock.at(case.kill_at_s, self._kill)

    def run(self) -> Outcome:
        """Until all sessions are over."""
        self.clock.run()
        self.outcome.ended_s = self.clock.now
        self.outcome.wrong = [client.name for client in self._clients if not client.is_whole]
        return self.outcome

    def least_busy(self) -> Worker:
        """The living worker with the fewest sessions."""
        return min((w for w in self._workers if w.alive), key=lambda w: len(w.sessions))

    def _client(self, number: int) -> Client:
        rng = Random(f"{self.case.seed} session {number}")
        speech = Speech(rng, self.case.duration_s, self.case.profile)
        self.outcome.talk_s += self.case.duration_s
        self.outcome.words += len(speech.words)
        start_s = rng.random() * RAMP_S
        client = Client(str(number), speech, start_s, self)
        self.clock.at(start_s, client.claimed)
        self.clock.at(start_s + CHUNK_SAMPLES / SAMPLE_RATE, client.talk)
        return client

    def _kill(self) -> None:
        """The first worker dies at once. Its leases end within `lease_s` of their last renewal, a quarter
        of that earlier at most; then others find its sessions when they next look."""
        worker = self._workers[0]
        worker.alive = False
        for client in [client for client in self._clients if client in worker.sessions]:
            client.lost()
            found_s = self.case.lease_s * (1 - self._rng.random() / 4) + self._rng.random() * _POLL_S
            self.clock.at(self.clock.now + found_s, client.claimed)
            self.outcome.takeovers += 1
        worker.sessions.clear()


def simulate(case: Case) -> Outcome:
    """Play a case to its end."""
    return Fleet(case).run()
