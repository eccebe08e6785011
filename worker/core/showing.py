"""What a client sees of an utterance before its final: its partials, and early answers of finals."""

from dataclasses import replace
from typing import Final

from shared.audio.pcm import to_samples, to_seconds
from shared.events import Partial, SessionConfig
from worker.core.decode import DecodeResult
from worker.core.effects import SessionOptions
from worker.core.filters import is_certain
from worker.core.hypothesis import keep_stable, spliced
from worker.core.saying import Scribe
from worker.core.utterance import Asked, placed
from worker.core.voice import Voice

_PAUSE_S: Final = 0.15
"""Silence behind a word that says that it is whole."""


class Showing:
    """One session's."""

    def __init__(self, config: SessionConfig, options: SessionOptions, scribe: Scribe, voice: Voice) -> None:
        self._config = config
        self._options = options
        self._scribe = scribe
        self._voice = voice

    def partial(self, asked: Asked, result: DecodeResult) -> tuple[Partial | None, bool]:
        """What is new on the screen when a partial says this, and whether more than before is there for
        good."""
        utterance, text = asked.utterance, asked.utterance.text
        stable = text.stable
        text.update(result.text, to_seconds(asked.end), commit=is_certain(result) and not result.draft)
        is_whole = not self._voice.speech_s(asked.end - to_samples(_PAUSE_S), asked.end)
        before = utterance.screen.text
        utterance.screen.partial(text.stable, text.text, result.avg_logprob, is_whole=is_whole)
        is_more = self._scribe.commit(utterance, result.language) or text.stable != stable
        asked.trim(result, self._options)
        if utterance.screen.text == before and not is_more:
            return None, False
        return self._shown(asked, result), is_more

    def early(self, asked: Asked, result: DecodeResult) -> Partial | None:
        """A final came before it is due: it is shown until then."""
        whole = keep_stable(asked.utterance.text.stable, result.text) if result.text else None
        return self._replaced(asked, result, whole)

    def meanwhile(self, asked: Asked, result: DecodeResult) -> Partial | None:
        """A final does not keep to what is committed: until the one comes that does, what it says behind that
        is shown."""
        whole = spliced(asked.utterance.text.stable, result.text) if result.text else None
        return self._replaced(asked, result, whole)

    def _replaced(self, asked: Asked, result: DecodeResult, text: str | None) -> Partial | None:
        if text is None or not self._config.partials:
            return None
        screen = asked.utterance.screen
        before = screen.text
        screen.replace(text, result.avg_logprob)
        return self._shown(asked, result) if text != before else None

    def _shown(self, asked: Asked, result: DecodeResult) -> Partial:
        screen, heard = asked.utterance.screen, placed(asked, result)
        if self._config.words:
            from_s = to_seconds(asked.start) + asked.request.left_s
            heard = replace(heard, words=screen.time(heard.words, from_s))
        return self._scribe.partial(asked, heard, screen.text)
