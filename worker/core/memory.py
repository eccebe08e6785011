"""What a session remembers of what was said: the language, the text and audio that later decodes are given,
and the transcript's end.

It forms every request for a decode, because what a request holds beside its own audio comes from here.
"""

from dataclasses import replace
from typing import Final

from shared.audio.pcm import SAMPLE_RATE, Float32, to_samples, to_seconds
from shared.events import SessionConfig
from shared.languages import AUTO
from worker.core.buffer import AudioBuffer
from worker.core.decode import DecodeRequest, Kind
from worker.core.effects import Checkpoint, SessionOptions
from worker.core.language import LanguageWatch
from worker.core.past import LeftContext, Past, Said, is_written
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
        self.context = resumed.context
        """The end of what was said."""
        fixed = config.language != AUTO
        language = config.language if fixed else resumed.language
        self.language = LanguageWatch(language, fixed, options)
        self._said_in = language
        """Language of what is remembered."""

    def add(self, utterance: Utterance, end: int, text: str, language: str) -> None:
        """An utterance's final was said. What was said in another language before it is forgotten."""
        if language != self._said_in:
            self.forget()
        self._said_in = language
        self._past.add(Said(utterance.start, end, text))
        self.context = f"{self.context} {text}".strip()[-_TEXT_CHARS:]

    def forget(self) -> None:
        """What comes has nothing to do with what was said."""
        self.context = ""
        self._past.clear()

    def keep_from(self, covered: int) -> int:
        """First sample whose audio may be wanted again."""
        return self._past.keep_from(covered)

    def partial(
        self, utterance: Utterance, buffer: AudioBuffer, end: int, *, strain: float
    ) -> tuple[DecodeRequest, int]:
        """The request for what an open utterance says up to `end`, and where its audio begins; the more
        `strain`, the cheaper."""
        is_busy = strain > self._options.lean_from
        start = utterance.window_start
        left = LeftContext(start)
        # What was said before says nothing of the language.
        detects = self._is_undecided(utterance, to_seconds(end - start))
        if start == utterance.start and not is_busy and not detects:
            left = self._left(utterance, start, end, self._options.partial_window_s)
        trim = end - start >= to_samples(self._options.window_trim_s)
        request = self._request(
            Kind.PARTIAL,
            utterance,
            buffer.view(left.start, end),
            left=left,
            left_s=to_seconds(start - left.start),
            settled=utterance.text.settled,
            prefix=utterance.text.prefix,
            words=self._config.words or trim,
        )
        beam = 1 if is_busy else self._options.partial_beam
        is_tight = self._options.partial_tight or strain >= self._options.tight_from
        return replace(request, beam=beam, tight=is_tight), left.start

    def final(
        self,
        utterance: Utterance,
        buffer: AudioBuffer,
        end: int,
        prefix: str,
        *,
        strain: float,
        reach_s: float,
        floor: int | None = None,
    ) -> tuple[DecodeRequest, int]:
        """The same for its final, which hears no more than `reach_s`. With `floor` it is given nothing of
        what was said before, neither audio nor text, and begins a little earlier, but not before that
        sample, though that be within the utterance."""
        o = self._options
        start = utterance.start
        if floor is None:
            left = self._left(utterance, start, end, reach_s)
        else:
            start = max(floor, start - to_samples(o.alone_pre_roll_s))
            left = LeftContext(start)
        request = self._request(
            Kind.FINAL,
            utterance,
            buffer.view(left.start, end),
            left=left,
            left_s=to_seconds(start - left.start),
            prefix=prefix,
            words=self._config.words or utterance.has_hole,
        )
        request = request if floor is None else replace(request, context="")
        is_lean = strain > o.lean_from
        return replace(request, beam=o.lean_final_beam if is_lean else 0, tight=is_lean), left.start

    def _is_undecided(self, utterance: Utterance, own_s: float) -> bool:
        return not utterance.language and self.language.worth_hearing(own_s)

    def _language_of(self, utterance: Utterance) -> str:
        return utterance.language or self.language.current

    def _left(self, utterance: Utterance, start: int, end: int, reach_s: float) -> LeftContext:
        # While the language is open, what was said before may be of another one.
        language = self._language_of(utterance)
        if not language or language != self._said_in:
            return LeftContext(start)
        return self._past.before(start, end, to_samples(reach_s))

    def _request(
        self,
        kind: Kind,
        utterance: Utterance,
        audio: Float32,
        *,
        left: LeftContext,
        left_s: float,
        prefix: str,
        words: bool,
        settled: str = "",
    ) -> DecodeRequest:
        language = self._language_of(utterance)
        said = self._earlier_than(left.text) if language in ("", self._said_in) else ""
        most = self._options.context_chars
        said = said if is_written(said[-most:]) else ""
        earlier = f"{said} {settled}".strip()[-most:]
        own_s = len(audio) / SAMPLE_RATE - left_s
        return DecodeRequest(
            kind=kind,
            audio=audio,
            language=language,
            languages=self._config.languages,
            detect=self._is_undecided(utterance, own_s),
            task=self._config.task,
            prompt=self._config.prompt,
            context=earlier,
            hotwords=self._config.hotwords,
            left=left.text,
            left_s=left_s,
            prefix=prefix,
            words=words,
            temperature=self._config.temperature if kind is Kind.FINAL else 0.0,
            no_digits=self._config.numerals == "spoken",
        )

    def _earlier_than(self, left: str) -> str:
        """What was said before the audio that says `left`, as far as it is kept."""
        if not left:
            return self.context
        return self.context.removesuffix(left).rstrip() if self.context.endswith(left) else ""
