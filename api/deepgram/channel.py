"""One channel's events as Deepgram's live messages. Pure.

Finals tile the channel: each begins where the one before it ended, so that together they cover its audio
without a gap or an overlap, silence included. Interim results reach from there to what was heard last.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from api.deepgram.query import Asked
from api.deepgram.shapes import Frame, Request, alternative, text_of
from shared.events import Closed, Event, Finalized, Partial, SpeechEnd, SpeechStart, Word
from shared.events import Final as FinalEvent

_SETTLE_S: Final = 0.25
"""How long after a final speech may still be heard to begin before it: what an utterance end waits for."""
_FINALIZE: Final = "finalize"
_LENGTH: Final = "length"


class Channel:
    """One channel. `at_s` is the time now, on any clock that does not go back."""

    def __init__(self, place: tuple[int, int], asked: Asked) -> None:
        """`place`: which channel it is, of how many."""
        self._place = place
        self._asked = asked
        self._covered_s = 0.0
        self._sent_s = 0.0
        self._open = -1
        """Newest utterance that began."""
        self._done = -1
        """Newest utterance with a final."""
        self._reasons: dict[int, str] = {}
        self._was_finalized = False
        """Whether a final answered a `Finalize` that is not answered by itself yet."""
        self._words: tuple[int, tuple[Word, ...]] = -1, ()
        self._last_word_s: float | None = None
        """Where the last final word ends, while its utterance end is to be said."""
        self._last_final_at_s = 0.0
        self.is_closed = False
        self.duration_s = 0.0
        """Seconds of audio, once it is closed."""

    def sent(self, seconds: float, at_s: float) -> list[Frame]:
        """The client has sent so much audio in all."""
        self._sent_s = seconds
        return self._utterance_end(at_s)

    def said(self, event: Event, request: Request, at_s: float) -> list[Frame]:
        """What to send for an event."""
        frames: list[Frame] = []
        match event:
            case SpeechStart():
                frames = self._began(event)
            case SpeechEnd():
                self._reasons[event.utterance] = event.reason
            case Partial():
                frames = self._partial(event, request)
            case FinalEvent():
                frames = [self._final(event, request, at_s)]
            case Finalized():
                frames = self._finalized(event.covered, request)
            case Closed():
                frames = self._closed(event, request)
            case _:
                pass
        return frames

    def _began(self, event: SpeechStart) -> list[Frame]:
        frames: list[Frame] = []
        last, wanted = self._last_word_s, self._asked.utterance_end_s
        if last is not None and wanted is not None and event.start - last >= wanted:
            frames.append(self._ended(last))
        self._last_word_s = None
        self._open = event.utterance
        if self._asked.vad_events:
            frames.append({"type": "SpeechStarted", "channel": list(self._place), "timestamp": event.start})
        return frames

    def _partial(self, event: Partial, request: Request) -> list[Frame]:
        words = self._all_words(event)
        if not self._asked.interim_results or not event.text:
            return []
        end_s = max(event.end, self._covered_s)
        said = alternative(event.text, self._within(words, end_s), 0.5, self._languages(event.language))
        return [self._results(end_s, said, request, is_final=False)]

    def _final(self, event: FinalEvent, request: Request, at_s: float) -> Frame:
        end_s = max(event.end, self._covered_s)
        words = self._within(event.words or (), end_s)
        reason = self._reasons.pop(event.utterance, "")
        self._was_finalized |= reason == _FINALIZE
        self._done = max(self._done, event.utterance)
        self._last_final_at_s = at_s
        if event.text:
            self._last_word_s = words[-1].end if words else end_s
        said = alternative(event.text, words, event.confidence, self._languages(event.language))
        frame = self._results(
            end_s,
            said,
            request,
            is_final=True,
            # Cut at the longest utterance, speech goes on.
            speech_final=reason != _LENGTH,
            from_finalize=reason == _FINALIZE,
        )
        self._covered_s = end_s
        return frame

    def _finalized(self, covered_s: float, request: Request) -> list[Frame]:
        """One answer to each `Finalize`: the final that it caused, or an empty one."""
        if self._was_finalized:
            self._was_finalized = False
            return []
        end_s = max(covered_s, self._covered_s)
        frame = self._results(
            end_s, alternative("", (), 0.0), request, is_final=True, speech_final=True, from_finalize=True
        )
        self._covered_s = end_s
        return [frame]

    def _closed(self, event: Closed, request: Request) -> list[Frame]:
        self.is_closed, self.duration_s = True, event.duration
        frames: list[Frame] = []
        if event.duration > self._covered_s:
            silence = alternative("", (), 0.0)
            frames.append(self._results(event.duration, silence, request, is_final=True, speech_final=True))
            self._covered_s = event.duration
        last, wanted = self._last_word_s, self._asked.utterance_end_s
        if last is not None and wanted is not None and event.duration - last >= wanted:
            frames.append(self._ended(last))
        self._last_word_s = None
        return frames

    def _results(
        self,
        end_s: float,
        said: Frame,
        request: Request,
        *,
        is_final: bool,
        speech_final: bool = False,
        from_finalize: bool = False,
    ) -> dict[str, Any]:
        return {
            "type": "Results",
            "channel_index": list(self._place),
            "start": round(self._covered_s, 3),
            "duration": round(end_s - self._covered_s, 3),
            "is_final": is_final,
            "speech_final": speech_final,
            "from_finalize": from_finalize,
            "channel": {"alternatives": [said]},
            "metadata": request.of_results,
        }

    def _utterance_end(self, at_s: float) -> list[Frame]:
        """An utterance end that is due: nobody speaks, and nobody did for so long behind the last word."""
        last, wanted = self._last_word_s, self._asked.utterance_end_s
        if last is None or wanted is None or self._open > self._done:
            return []
        if self._sent_s < last + wanted or at_s < self._last_final_at_s + _SETTLE_S:
            return []
        self._last_word_s = None
        return [self._ended(last)]

    def _ended(self, last_word_s: float) -> Frame:
        return {"type": "UtteranceEnd", "channel": list(self._place), "last_word_end": last_word_s}

    def _all_words(self, event: Partial) -> tuple[Word, ...]:
        """The words of a partial, with those in front that a worker no longer decodes: the text has them."""
        number, before = self._words
        words = event.words or ()
        if number == event.utterance and before and words:
            kept = tuple(word for word in before if word.end <= words[0].start + 0.001)
            if _same(text_of((*kept, *words)), event.text):
                words = (*kept, *words)
        self._words = event.utterance, words
        return words

    def _within(self, words: Sequence[Word], end_s: float) -> tuple[Word, ...]:
        """Words inside of the window that they are said to be in: alignment may put one a bit beside it."""
        low, high = self._covered_s, end_s
        moved = ((min(max(word.start, low), high), min(max(word.end, low), high), word) for word in words)
        return tuple(replace(word, start=round(start, 3), end=round(end, 3)) for start, end, word in moved)

    def _languages(self, language: str) -> tuple[str, ...]:
        return (language,) if self._asked.multi and language else ()


def _same(one: str, other: str) -> bool:
    return "".join(one.split()) == "".join(other.split())
