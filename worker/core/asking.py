"""The decodes that a session has asked for and not heard of yet: one final and one partial at most."""

from dataclasses import replace

from shared.audio.pcm import to_seconds
from worker.core.buffer import AudioBuffer
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.core.effects import Decode, SessionOptions
from worker.core.memory import Memory
from worker.core.utterance import Asked, Utterance


class Asking:
    """Forms requests, numbers them, and knows which answers are still of use."""

    def __init__(self, memory: Memory, buffer: AudioBuffer, options: SessionOptions) -> None:
        self._memory = memory
        self._buffer = buffer
        self._options = options
        self._tickets = 0
        self.strain = options.strain_least
        """How much this session does without, from 0 to 1, because decodes had to wait: it grows while they
        wait longer than `busy_wait_s` and fades while they don't, so that many sessions settle on what the
        device can do."""
        self.for_final: Asked | None = None
        self.for_partial: Asked | None = None
        self.wait_s = 0.0
        """How long decodes wait lately: what this session knows of the device's load."""
        self._final_wait_s = 0.0
        """The same of finals alone."""

    @property
    def is_busy(self) -> bool:
        """Whether the device has more to do than it can at once."""
        return self.strain > self._options.lean_from

    def final(self, utterance: Utterance, end: int, *, prefix: str = "") -> Decode:
        """Ask for an utterance's final if it ends at `end`."""
        request, start = self._memory.final(
            utterance, self._buffer, end, prefix, strain=self.strain, reach_s=self._reach_s
        )
        utterance.heard = max(utterance.heard, end)
        self.for_final = self._asked(request, utterance, start)
        return self._decode(request, wanted_since=end)

    def partial(self, utterance: Utterance, heard: int) -> Decode:
        """Ask for what an open utterance says up to `heard`."""
        unheard, utterance.heard = utterance.heard, heard
        request, start = self._memory.partial(utterance, self._buffer, heard, strain=self.strain)
        self.for_partial = self._asked(request, utterance, start)
        return self._decode(request, wanted_since=unheard)

    def newest(self, ticket: int, heard: int) -> DecodeRequest | None:
        """The partial of this ticket, with all that was heard meanwhile; None when it is as it was."""
        asked = self.for_partial
        if asked is None or asked.ticket != ticket or heard <= asked.end:
            return None
        asked.utterance.heard = heard
        request, start = self._memory.partial(asked.utterance, self._buffer, heard, strain=self.strain)
        self.for_partial = replace(asked, request=request, start=start, end=heard)
        return request

    def answered(self, ticket: int, result: DecodeResult | None) -> Asked | None:
        """What was asked with this ticket; None when its answer is of no use any more."""
        if result:
            self.wait_s += (result.waited_s - self.wait_s) / 3
            self._strained(result.waited_s)
            if self.for_final and self.for_final.ticket == ticket:
                self._final_wait_s += (result.waited_s - self._final_wait_s) / 3
        asked: Asked | None = None
        if self.for_partial and self.for_partial.ticket == ticket:
            asked, self.for_partial = self.for_partial, None
        elif self.for_final and self.for_final.ticket == ticket:
            asked, self.for_final = self.for_final, None
        return asked

    @property
    def _reach_s(self) -> float:
        """Audio that a final may be decoded with."""
        o = self._options
        lateness = min(1.0, max(0.0, self._final_wait_s / o.late_final_s - 1))
        return o.final_window_s + lateness * (o.late_final_window_s - o.final_window_s)

    def _strained(self, waited_s: float) -> None:
        o = self._options
        strain = self.strain + o.strain_gain * (waited_s - o.busy_wait_s)
        self.strain = min(1.0, max(o.strain_least, strain))

    def _decode(self, request: DecodeRequest, *, wanted_since: int) -> Decode:
        return Decode(request, self._tickets, to_seconds(self._buffer.end - wanted_since))

    def _asked(self, request: DecodeRequest, utterance: Utterance, start: int) -> Asked:
        self._tickets += 1
        return Asked(self._tickets, request, utterance, start, start + len(request.audio))


def is_partial(asked: Asked) -> bool:
    """Whether it was asked while the utterance was open, to be shown and replaced."""
    return asked.request.kind is Kind.PARTIAL
