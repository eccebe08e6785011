"""What a session says about an utterance: its partials and its final, as the client reads them.

Decodes give text as it was heard; here it is written as the client asked (`worker.core.writing`) and put in
its place in the transcript, which is made of what was written.
"""

import math

from shared.audio.pcm import to_seconds
from shared.events import Final, Language, Partial, SessionConfig, Word
from shared.transcript import Tail
from worker.core.decode import DecodeResult
from worker.core.effects import Checkpoint
from worker.core.utterance import Asked, Utterance
from worker.core.writing import Rules, Writer


class Scribe:
    """One session's. It begins where a predecessor on another worker stopped."""

    def __init__(self, config: SessionConfig, rules: Rules | None, resumed: Checkpoint) -> None:
        self._config = config
        self._writer = Writer(config, rules)
        self.tail = Tail(resumed.tail_length, resumed.tail_last)
        """The end of the transcript as the client has it."""

    def commit(self, utterance: Utterance, language: str) -> bool:
        """Show for good what committed text allows. Returns whether that is more than before."""
        before, text = utterance.shown, utterance.text
        utterance.shown = self._writer.commit(before, text.text, len(text.stable), language)
        return utterance.shown != before

    def partial(self, asked: Asked, result: DecodeResult, heard: str) -> Partial:
        """What the utterance says so far; `heard` is all of its text."""
        text = self._writer.text(asked.utterance.shown, heard, result.language, is_whole=False)
        return Partial(
            text=text,
            utterance=asked.utterance.number,
            start=to_seconds(asked.utterance.start),
            end=to_seconds(asked.end),
            committed=len(asked.utterance.shown.text),
            offset=self.tail.offset_of(text),
            language=result.language,
            words=self._words(result, is_whole=False),
        )

    def final(self, utterance: Utterance, result: DecodeResult, heard: str) -> Final:
        """The text of an ended utterance; the transcript goes on behind it."""
        text = self._writer.text(utterance.shown, heard, result.language)
        end_s = to_seconds(utterance.end or 0)
        words = self._words(result)
        final = Final(
            text=text,
            utterance=utterance.number,
            start=to_seconds(utterance.start),
            end=end_s,
            committed=len(text),
            offset=self.tail.offset_of(text),
            language=result.language,
            confidence=round(math.exp(min(0.0, result.avg_logprob)), 4),
            no_speech=round(result.no_speech_prob, 4),
            covered=end_s,
            words=words if text or words is None else (),
        )
        self.tail = self.tail.after(text)
        return final

    def language(self, asked: Asked, result: DecodeResult) -> Language:
        """The utterance is in another language than was thought when its text was asked for."""
        return Language(
            language=result.detected,
            previous=asked.request.language,
            probability=round(result.language_probability, 4),
            utterance=asked.utterance.number,
        )

    def _words(self, result: DecodeResult, *, is_whole: bool = True) -> tuple[Word, ...] | None:
        if not self._config.words:
            return None
        return self._writer.words(result.words, result.language, is_whole=is_whole)
