"""What a session remembers of what was said: the language, the text and audio that later decodes are given,
and the transcript's end.

It forms every request for a decode, because what a request holds beside its own audio comes from here.
"""

from typing import Final

from shared.audio.pcm import Float32, to_samples, to_seconds
from shared.events import SessionConfig
from shared.transcript import Tail
from worker.core.buffer import AudioBuffer
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.core.effects import Checkpoint, SessionOptions
from worker.core.past import LeftContext, Past, Said
from worker.core.utterance import Utterance

_TEXT_CHARS: Final = 500
"""Text that is kept: more than is ever heard again as left context, so that there is some from before."""


class Memory:
    """One session's. It begins with what a predecessor on another worker left."""

    def __init__(self, config: SessionConfig, options: SessionOptions, resumed: Checkpoint) -> None:
        self._config = config
        self._options = options
        self._past = Past(
            reach_samples=to_samples(options.final_window_s),
            gap_samples=to_samples(options.left_gap_s),
        )
        self.tail = Tail(resumed.tail_length, resumed.tail_last)
        self.context = resumed.context
        """The end of what was said."""
        self.language = resumed.language if config.language == "auto" else config.language
        """Empty while it is open."""

    def add(self, utterance: Utterance, end: int, text: str) -> None:
        """An utterance's final was said."""
        self._past.add(Said(utterance.start, end, text))
        self.tail = self.tail.after(text)
        self.context = f"{self.context} {text}".strip()[-_TEXT_CHARS:]

    def forget(self) -> None:
        """What comes has nothing to do with what was said."""
        self.context = ""
        self._past.clear()

    def keep_from(self, covered: int) -> int:
        """First sample whose audio may be wanted again."""
        return self._past.keep_from(covered)

    def learn_language(self, result: DecodeResult) -> None:
        """Settle the session's language once a detection is confident."""
        sure = result.language_probability >= self._options.language_lock_probability
        if not self.language and result.text and sure:
            self.language = result.language

    def partial(self, utterance: Utterance, buffer: AudioBuffer, end: int) -> tuple[DecodeRequest, int]:
        """The request for what an open utterance says up to `end`, and where its audio begins."""
        start = utterance.window_start
        left = LeftContext(start)
        if start == utterance.start:
            left = self._left(start, end, self._options.partial_window_s)
        trim = end - start >= to_samples(self._options.window_trim_s)
        request = self._request(
            Kind.PARTIAL,
            buffer.view(left.start, end),
            left=left,
            left_s=to_seconds(start - left.start),
            settled=utterance.text.settled,
            prefix=utterance.text.committed,
            words=self._config.words or trim,
        )
        return request, left.start

    def final(
        self, utterance: Utterance, buffer: AudioBuffer, end: int, prefix: str
    ) -> tuple[DecodeRequest, int]:
        """The same for its final."""
        left = self._left(utterance.start, end, self._options.final_window_s)
        request = self._request(
            Kind.FINAL,
            buffer.view(left.start, end),
            left=left,
            left_s=to_seconds(utterance.start - left.start),
            prefix=prefix,
            words=self._config.words,
        )
        return request, left.start

    def _left(self, start: int, end: int, reach_s: float) -> LeftContext:
        # While the language is open, what was said before may be of another one.
        return self._past.before(start, end, to_samples(reach_s)) if self.language else LeftContext(start)

    def _request(
        self,
        kind: Kind,
        audio: Float32,
        *,
        left: LeftContext,
        left_s: float,
        prefix: str,
        words: bool,
        settled: str = "",
    ) -> DecodeRequest:
        earlier = f"{self._earlier_than(left.text)} {settled}".strip()[-self._options.context_chars :]
        return DecodeRequest(
            kind=kind,
            audio=audio,
            language=self.language,
            task=self._config.task,
            prompt=self._config.prompt,
            context=earlier,
            hotwords=self._config.hotwords,
            left=left.text,
            left_s=left_s,
            prefix=prefix,
            words=words,
        )

    def _earlier_than(self, left: str) -> str:
        """What was said before the audio that says `left`, as far as it is kept."""
        if not left:
            return self.context
        return self.context.removesuffix(left).rstrip() if self.context.endswith(left) else ""
