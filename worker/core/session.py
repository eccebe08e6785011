"""The heart: one session's audio in, events and decode requests out.

Theory of operation. Audio is cut into frames, frames get a speech probability, and the endpointer turns those
into utterances. While an utterance is open, PARTIAL decodes ask for its text so far, one at a time, and
agreement of successive texts commits words. At a short silence its FINAL is decoded early, in the hope that
it is over; if speech goes on, the answer is dropped. Ended utterances wait in line for their finals: one
after another, because the text of one is the context of the next and says where in the transcript it stands.
Audio is covered once a final, or silence, has decided about it.

Rules of this file. Nothing here waits, and nothing here knows a clock: a decode's answer comes back
through `decoded`. At most one final and one partial are asked for at a time. Every utterance gets exactly
one `Final`. Text that was committed in a partial stands at the beginning of the final, literally; it is
part of the checkpoint, so that a successor on another worker keeps to it. `Close` comes once, last.
"""

from collections import deque

from shared.audio.pcm import to_samples, to_seconds
from shared.events import Partial, SessionConfig, SpeechEnd, SpeechStart, Warning
from worker.core.asking import Asking, is_partial
from worker.core.buffer import AudioBuffer
from worker.core.concluding import concluded
from worker.core.coverage import Coverage
from worker.core.decode import DecodeRequest, DecodeResult
from worker.core.effects import (
    Checkpoint,
    CloseReason,
    Effect,
    Emit,
    EndReason,
    SessionOptions,
    Vad,
    tuned,
)
from worker.core.endpointing import Boundary, Ended
from worker.core.hearing import Hearing
from worker.core.judging import judged
from worker.core.ladder import Ladder
from worker.core.language import Verdict
from worker.core.memory import Memory
from worker.core.progress import Progress
from worker.core.record import Record
from worker.core.saying import Scribe
from worker.core.showing import Showing
from worker.core.utterance import Asked, Utterance, placed
from worker.core.writing import Rules


class Session:
    """One session from its covered sample on. Every method returns what is to be done, in order. `buffer` is
    given by simulations, whose audio has a length and no samples."""

    def __init__(
        self,
        config: SessionConfig,
        vad: Vad,
        *,
        options: SessionOptions,
        rules: Rules | None = None,
        committed: int = 0,
        checkpoint: Checkpoint | None = None,
        buffer: AudioBuffer | None = None,
    ) -> None:
        self._config = config
        self._options = options = tuned(options, config)
        self._resumed = resumed = checkpoint or Checkpoint()
        self._hearing = Hearing(vad, options.endpoint, committed, resumed.stable_until, buffer)
        self._memory = Memory(config, options, resumed)
        self._language = self._memory.language
        self._scribe = Scribe(config, rules, resumed)
        self._asking = Asking(self._memory, self._hearing.buffer, options)
        self._ladder = Ladder()
        self._showing = Showing(config, options, self._scribe, self._hearing.voice)
        self._progress = Progress(resumed)
        coverage = Coverage(committed, options)
        self._record = Record(self._hearing, self._memory, self._scribe, self._progress, coverage)
        self._open: Utterance | None = None
        self._line: deque[Utterance] = deque()
        """Ended utterances that wait for their finals, oldest first."""
        self._held: tuple[Asked, DecodeResult] | None = None
        """A partial of the open utterance that waits for the final before it to be said."""
        self._closing: CloseReason | None = None

    @property
    def covered(self) -> int:
        """First sample that nothing is decided about."""
        return self._record.covered

    @property
    def at_rest(self) -> bool:
        """Whether no utterance is open or undecided: a successor begins here with nothing to do again."""
        return not (self._open or self._line or self._asking.for_final or self._closing)

    @property
    def received(self) -> int:
        """First sample not received yet."""
        return self._hearing.end

    def audio(self, start: int, pcm16: bytes) -> list[Effect]:
        """Take a chunk of canonical audio that begins at sample `start`. Audio behind the end is ignored."""
        if self._closing:
            return []
        effects: list[Effect] = []
        for boundary in self._hearing.push(start, pcm16):
            effects += self._boundary(boundary, "silence")
        if self._head is None:
            effects += self._record.silence()
        if self._hearing.end >= to_samples(self._options.session_s_max):
            return effects + self.end("limit")
        return effects + self._ask()

    def finalize(self, number: int = 0, id: str = "") -> list[Effect]:
        """The client wants the open utterance's final now, and, when its wish has a number, to hear when all
        that was said so far has its final."""
        effects = self._close_utterance("finalize")
        self._progress.wish(number, id, to_seconds(self._hearing.end))
        return effects + self._record.wishes(self._head) + self._ask()

    def end(self, reason: CloseReason = "end") -> list[Effect]:
        """No more audio will come. The finals that are due come first, then `Close`."""
        if self._closing:
            return []
        effects = self._close_utterance("end")
        self._closing = reason
        return effects + self._ask()

    def decoded(self, ticket: int, result: DecodeResult | None) -> list[Effect]:
        """The answer to a `Decode`; None when it was replaced or given up. An outdated one is ignored."""
        asked = self._asking.answered(ticket, result)
        if asked is None:
            return []
        effects = self._answered(asked, result) if result else []
        return effects + self._ask()  # what is still needed is asked for again

    def newest(self, ticket: int) -> DecodeRequest | None:
        """What a request that has waited asks for now: a partial listens to all that was said meanwhile. None
        when it is as it was."""
        return self._asking.newest(ticket, self._hearing.heard) if self._open else None

    @property
    def _head(self) -> Utterance | None:
        """The first utterance that is not decided."""
        return self._line[0] if self._line else self._open

    # Utterances begin and end

    def _boundary(self, boundary: Boundary, reason: EndReason) -> list[Effect]:
        if isinstance(boundary, Ended):
            return self._utterance_ended(boundary.end, "length" if boundary.cut else reason)
        self._open = Utterance.begun(self._progress.next_number, boundary.start, self._options)
        if self._progress.is_resumed:
            self._open.resume(self._resumed)
        if not self._progress.start():
            return []
        event = SpeechStart(utterance=self._open.number, start=to_seconds(boundary.start))
        return self._record.news(event, self._head)

    def _utterance_ended(self, end: int, reason: EndReason) -> list[Effect]:
        utterance, self._open = self._open, None
        if utterance is None:
            return []
        utterance.end = end
        self._line.append(utterance)
        warning = None
        if self._config.partials and not utterance.is_answered:
            warning = self._ladder.missed(to_seconds(end - utterance.start), self._asking.wait_s)
        self._asking.for_partial = self._held = None  # they say less than the final will
        if not self._progress.end():
            return _told(warning)
        event = SpeechEnd(utterance=utterance.number, end=to_seconds(end), reason=reason)
        return self._record.news(event, self._head) + _told(warning)

    def _close_utterance(self, reason: EndReason) -> list[Effect]:
        effects: list[Effect] = []
        for boundary in self._hearing.close():
            effects += self._boundary(boundary, reason)
        return effects

    # Asking for decodes

    def _ask(self) -> list[Effect]:
        """Ask for what is needed and not asked for yet; close when nothing is left to decode."""
        effects = self._ask_line()
        if self._line or self._asking.for_final:
            return effects + (self._ask_partial(self._open) if self._open else [])
        if self._closing:
            return effects + self._record.close(self._closing)
        if self._held:
            (asked, result), self._held = self._held, None
            effects += self._partial(asked, result)
        return effects + (self._ask_open(self._open) if self._open else [])

    def _ask_line(self) -> list[Effect]:
        """The finals that are due, oldest first."""
        effects: list[Effect] = []
        while self._asking.for_final is None and self._line:
            head = self._line[0]
            if head.early is None or head.early_end != head.end:
                return [*effects, self._asking.final(head, head.end or 0)]
            early, head.early = head.early, None
            effects += self._conclude(*early)
        return effects

    def _ask_open(self, utterance: Utterance) -> list[Effect]:
        """An open utterance's early final at a short silence, else its next partial."""
        if self._hearing.silence_samples < to_samples(self._options.early_final_s):
            return self._ask_partial(utterance)
        speech_end = self._hearing.speech_end
        if utterance.early_end == speech_end or self._asking.is_busy:
            return []
        utterance.early, utterance.early_end = None, speech_end
        return [self._asking.final(utterance, speech_end)]

    def _ask_partial(self, utterance: Utterance) -> list[Effect]:
        """The next partial, when there is enough to hear that is new."""
        heard = self._hearing.heard
        is_due = utterance.is_due(heard, self._hearing.came, self._options)
        if self._asking.for_partial or not self._config.partials or not is_due:
            return []
        return [self._asking.partial(utterance, heard)]

    # Answers

    def _answered(self, asked: Asked, result: DecodeResult) -> list[Effect]:
        """Take what is believed of an answer."""
        asked.utterance.is_answered = True
        asked, believed, counts = judged(asked, result, self._hearing.voice, self._options)
        if not is_partial(asked):
            return [*counts, *self._final_came(asked, believed)]
        return [*_told(self._ladder.decoded(result.waited_s)), *counts, *self._partial_came(asked, believed)]

    def _final_came(self, asked: Asked, result: DecodeResult) -> list[Effect]:
        if self._language.is_outdated(asked):
            return []
        if self._language.hear(asked, result) is Verdict.CHANGED:
            return self._changed(asked, result)
        if asked.utterance.end is None:
            return self._early_final(asked, result)
        if asked.utterance.end != asked.end:
            return []  # asked for early, and more was said
        return self._conclude(asked, result)

    def _partial_came(self, asked: Asked, result: DecodeResult) -> list[Effect]:
        asked.utterance.pace(result, self._options, self._asking.wait_s)
        if self._line:  # its place in the transcript is not known yet
            self._held = asked, result
            return []
        return self._partial(asked, result)

    def _partial(self, asked: Asked, result: DecodeResult) -> list[Effect]:
        utterance, text = asked.utterance, asked.utterance.text
        if not result.text:
            text.doubt()
        if self._language.is_outdated(asked):
            utterance.heard = utterance.start
            return []
        verdict = self._language.hear(asked, result)
        if verdict is Verdict.CHANGED:
            return self._changed(asked, result)
        if verdict is Verdict.RIVAL or not result.text or not self._language.may_show(asked, result):
            return []
        shown, is_more = self._showing.partial(asked, result)
        self._hearing.keep_whole(to_samples(text.committed_until_s))
        return self._show(shown, keep=is_more)

    def _changed(self, asked: Asked, result: DecodeResult) -> list[Effect]:
        """It is another language than was thought."""
        return self._record.news(self._scribe.language(asked, result), self._head)

    def _early_final(self, asked: Asked, result: DecodeResult) -> list[Effect]:
        """Keep the answer for the end of the utterance, and show it meanwhile."""
        utterance = asked.utterance
        if utterance.early_end == asked.end:
            utterance.early = asked, result
        return self._show(self._showing.early(asked, result))

    def _show(self, partial: Partial | None, *, keep: bool = False) -> list[Effect]:
        if partial is None:
            return []
        return self._record.news(partial, self._head) if keep else [Emit((partial,))]

    def _conclude(self, asked: Asked, result: DecodeResult) -> list[Effect]:
        """Say the final, or decode it again: by itself, or to keep to what was committed."""
        conclusion = concluded(asked, placed(asked, result))
        if isinstance(conclusion, DecodeResult):
            return self._final(asked.utterance, conclusion)
        floor = max(self._record.covered, conclusion.rest) if conclusion.alone else None
        again = self._asking.final(asked.utterance, asked.end, prefix=conclusion.prefix, floor=floor)
        return [*self._show(self._showing.meanwhile(asked, result)), again]

    def _final(self, utterance: Utterance, result: DecodeResult) -> list[Effect]:
        self._line.popleft()
        return self._record.final(utterance, result, self._head)


def _told(warning: Warning | None) -> list[Effect]:
    return [Emit((warning,))] if warning else []
