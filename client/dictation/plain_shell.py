"""A desktop without icon or window: a line on standard error when the state changes. It never shows text."""

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from client.dictation.core.view import Cue, View
from client.dictation.cues import Cues
from client.dictation.ports import Wish


class StatusLine:
    """The state as lines of the terminal."""

    def __init__(self) -> None:
        self._said = ""

    def draw(self, view: View) -> None:
        """Show this, if it is new. Texts are left out."""
        line = f"{view.headline}. {view.notice}".strip().removesuffix(".")
        if line != self._said:
            self._said = line
            print(f"steno: {line}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """It is over: there is nothing to take away."""


class PlainShell:
    """The port `Shell` for a terminal."""

    def __init__(self) -> None:
        self._cues = Cues()
        self._line = StatusLine()
        self._error: BaseException | None = None

    def run(
        self, work: Callable[[], None], on_wish: Callable[[Wish], None], on_press: Callable[[], None]
    ) -> None:
        """See `Shell`. There is no icon to press. Ctrl-C and SIGTERM are the wish to quit."""

        def stop(_number: int, _frame: FrameType | None) -> None:
            on_wish("quit")

        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised again on the main thread
                self._error = error

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        thread = threading.Thread(target=guarded, name="dictation")
        try:
            thread.start()
            while thread.is_alive():
                thread.join(None)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._cues.close()
        if self._error is not None:
            raise self._error

    def show(self, view: View) -> None:
        """See `Shell`."""
        self._line.draw(view)

    def cue(self, cue: Cue) -> None:
        """See `Shell`."""
        self._cues.play(cue)
