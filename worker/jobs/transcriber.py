"""One file: its windows out to the device workers, their results in, the transcript together.

Windows are put while workers ask for more of them, so that a file spreads over all workers and neither fills
Redis nor holds back other files. Results lie in the job's hash in Redis: a job that begins again after a
crash cuts the file the same way and puts only the windows without a result.

With `auto`, the language of the first window that has text is the language of the whole file. Until it is
known, windows go one after the other.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.audio.pcm import to_seconds
from shared.errors import EngineFault
from shared.events import SessionConfig
from shared.jobs import SPLIT, JobOptions
from shared.languages import AUTO
from shared.redis.windows import Window, WindowQueue, WindowResult
from shared.transcript import Transcript
from worker.core.writing import Writer
from worker.jobs.cutter import Stretch
from worker.jobs.gathering import Gathering
from worker.jobs.splitter import Splitter
from worker.rules import LibraryRules

log = logging.getLogger(__name__)

OUTSTANDING_MIN: Final = 4
"""Windows that a file has on their way whatever other files have."""
OUTSTANDING_MAX: Final = 128
"""Windows that a file has on their way at most: each is half a megabyte."""
READY_MIN: Final = 16
"""Windows that lie ready for workers who ask."""
READY_MORE: Final = 8
"""And so many more than workers have in hand: each takes its share of what lies ready, and if that were less
than all can hold they would decode in small batches."""
WAIT_MS: Final = 500
"""A cancelled or stopping job is noticed within this time."""
_STEP: Final = 0.005
"""Progress is told when it has grown by this much."""


class Cancelled(Exception):
    """Someone asked to cancel the job."""


class Stopping(Exception):
    """This process must end; the job goes on elsewhere."""


@dataclass(frozen=True, slots=True)
class _Put:
    """A window on its way, and where it lies on the stream."""

    window: Window
    entry: bytes


class Transcriber:
    """One pass over one file. `tell` hears the progress, 0 to 1; `is_stopping` says when to leave."""

    def __init__(
        self,
        job: str,
        options: JobOptions,
        queue: WindowQueue,
        *,
        tell: Callable[[float], None],
        is_stopping: Callable[[], bool],
        tenant: str = "",
        trace: str | None = None,
    ) -> None:
        self._job = job
        self._options = options
        self._queue = queue
        self._tell = tell
        self._is_stopping = is_stopping
        self._tenant = tenant
        self._trace = trace
        self._language = options.language
        self._results = queue.results()
        self._outstanding: dict[int, _Put] = {}
        self._count = 0
        self._told = 0.0
        self._gathering = Gathering(
            split=options.channels == SPLIT, words=options.words, writer=_writer(options)
        )
        self._said = 0

    def run(
        self, chunks: Iterable[Sequence[bytes]], new_splitter: Callable[[], Splitter], *, duration_s: float
    ) -> Transcript:
        """Work through the file; a chunk has as many parts as there are channels to decode. `duration_s` is
        how long the file says it is, for the progress. Finished segments are said as they come.

        Raises `Cancelled`, `Stopping`, `EngineFault` for a window that can't be decoded, and what the
        decoding of `chunks` raises.
        """
        splitters: list[Splitter] = []
        for chunk in chunks:
            self.check()
            splitters = splitters or [new_splitter() for _ in chunk]
            for channel, (splitter, part) in enumerate(zip(splitters, chunk, strict=True)):
                for stretch in splitter.push(part):
                    self._offer(stretch, channel)
            self._progress(splitters, duration_s)
        for channel, splitter in enumerate(splitters):
            for stretch in splitter.flush():
                self._offer(stretch, channel)
        while self._outstanding:
            self._collect()
            self._progress(splitters, duration_s)
        self._say(float("inf"))
        log.info("file transcribed", extra={"job": self._job, "windows": self._count})
        return Transcript(
            language="" if self._language == AUTO else self._language,
            duration=to_seconds(max((splitter.samples for splitter in splitters), default=0)),
            segments=self._gathering.segments,
            task=self._options.task,
        )

    def _offer(self, stretch: Stretch, channel: int) -> None:
        """Put the window when there is room, unless it has a result from before."""
        number, self._count = self._count, self._count + 1
        self._gathering.expect(number, channel, stretch)
        if number in self._results:
            self._take(number, self._results[number])
            return
        # What is done is taken first: windows that need not be kept any more make room for new ones.
        self._take_all(self._queue.results_of(self._outstanding))
        while not self._has_room():
            self._collect()
        self._put(self._window(number, stretch))

    def _has_room(self) -> bool:
        count = len(self._outstanding)
        if self._language == AUTO:
            return count == 0
        if count < OUTSTANDING_MIN or count >= OUTSTANDING_MAX:
            return count < OUTSTANDING_MIN
        backlog = self._queue.backlog()
        return backlog.unclaimed < max(READY_MIN, backlog.claimed + READY_MORE)

    def _put(self, window: Window) -> None:
        self._outstanding[window.number] = _Put(window, self._queue.put(window))

    def _window(self, number: int, stretch: Stretch) -> Window:
        return Window(
            job=self._job,
            number=number,
            pcm16=stretch.pcm16,
            language=self._language,
            task=self._options.task,
            model=self._options.model,
            prompt=self._options.prompt,
            hotwords=self._options.hotwords,
            speech=stretch.speech,
            tokens=self._options.tokens,
            temperature=self._options.temperature,
            languages=self._options.languages if self._language == AUTO else (),
            no_digits=self._options.numerals == "spoken",
            tenant=self._tenant,
            trace=self._trace,
        )

    def _collect(self) -> None:
        """Take what has come; wait a moment when nothing has."""
        self.check()
        found = self._queue.results_of(self._outstanding)
        if not found and not self._queue.wait(WAIT_MS):
            found = self._find_lost()
        self._take_all(found)

    def _take_all(self, found: Mapping[int, WindowResult]) -> None:
        for number in sorted(found):
            del self._outstanding[number]
            self._take(number, found[number])

    def _take(self, number: int, result: WindowResult) -> None:
        self._learn(result)
        self._gathering.take(number, result)

    def _find_lost(self) -> dict[int, WindowResult]:
        """Put windows again that Redis has lost: it may forget its last second when it crashes."""
        gone = [put for put in self._outstanding.values() if not self._queue.is_waiting(put.entry)]
        # Asked after the entries: a window is settled and gets its result in one step.
        found = self._queue.results_of(self._outstanding)
        for put in gone:
            if put.window.number not in found:
                log.warning("window is put again", extra={"job": self._job, "window": put.window.number})
                self._put(put.window)
        return found

    def _learn(self, result: WindowResult) -> None:
        if result.error:
            raise EngineFault(result.error)
        if self._language == AUTO and result.text:
            self._language = result.language or AUTO

    def check(self) -> None:
        """Raises `Stopping` or `Cancelled` when the job must not go on."""
        if self._is_stopping():
            raise Stopping
        if self._queue.is_cancelled():
            raise Cancelled

    def _progress(self, splitters: Sequence[Splitter], duration_s: float) -> None:
        """Audio before the oldest window without a result is done."""
        position_s = to_seconds(min(splitter.position for splitter in splitters))
        done_s = min(position_s, self._gathering.open_from_s)
        self._say(done_s)
        length_s = to_seconds(max(splitter.samples for splitter in splitters))
        # Complete only when the result is stored, which is not known here.
        progress = min(0.99, done_s / max(duration_s, length_s, 0.001))
        if progress >= self._told + _STEP:
            self._told = progress
            self._tell(round(progress, 3))

    def _say(self, until_s: float) -> None:
        for segment in self._gathering.settle(until_s):
            self._said += 1
            self._queue.say(self._said, segment)


def _writer(options: JobOptions) -> Writer:
    asked = SessionConfig(
        task=options.task, numerals=options.numerals, profanity=options.profanity, redact=options.redact
    )
    return Writer(asked, LibraryRules())
