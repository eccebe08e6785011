"""The hand of a dictation: it looks where text would go, writes it, and knows whether its user has pressed
anything since, on a thread of its own."""

import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from client.dictation.core.moves import Erase, Input, Look, Looked, Paste, Type, Wrote
from client.dictation.core.target import Target
from client.dictation.errors import DesktopError, NotTyped
from client.dictation.ports import Typer

logger = logging.getLogger(__name__)

Order = Look | Type | Paste | Erase


class Hand:
    """Does with a typer what the core wants. All methods may be called on any thread, and return at once.

    The user's presses on a hot key, the icon or the menu are for dictation itself, so they are taken off the
    typer's count: after them the last utterance can still be taken back.
    """

    def __init__(self, typer: Typer, tell: Callable[[Input], None]) -> None:
        """`tell` gets the answer to each order, on the hand's thread."""
        self._typer = typer
        self._tell = tell
        # One thread: its calls stay in order, and an app that is slow to take text delays nothing else.
        self._thread = ThreadPoolExecutor(1, "typing")
        self._lock = threading.Lock()
        self._for_us = 0
        """Presses that were for dictation."""
        self._mark: int | None = None
        """Other presses when the last text had been written."""
        self._is_menu_open = False
        """Whether, since then, the user has done nothing but open the menu."""
        self.app = ""
        """The app that had the focus at the last look."""

    def take(self, order: Order) -> None:
        """Carry this out after what was ordered before, and tell how it went."""

        def done(future: "Future[Input]") -> None:
            # What an adapter raises by mistake may hold what was typed: its kind is all that is told.
            error = future.exception()
            self._tell(future.result() if error is None else Wrote(None, f"{type(error).__name__}."))

        self._thread.submit(self._carry_out, order).add_done_callback(done)

    def target(self) -> "Future[Target]":
        """What has the focus."""
        return self._thread.submit(self._typer.target)

    def copy(self, text: str) -> None:
        """Put the text on the clipboard."""
        self._submit(lambda: self._typer.copy(text))

    def hotkey_pressed(self) -> None:
        """The user has pressed a hot key."""
        with self._lock:  # at once: the count that ends what is being typed just now has this press in it
            self._for_us += 1
        self._submit(self._presses)

    def icon_pressed(self) -> None:
        """The user has pressed the icon, which may have opened the menu."""
        self._submit(self._note_menu)

    def wished(self) -> None:
        """The user has picked something: all presses since that on the icon were for it."""
        self._submit(self._forgive_menu)

    def close(self) -> None:
        """Give back what the typer took, when all orders are carried out."""
        self._submit(self._typer.close)
        self._thread.shutdown()

    def _carry_out(self, order: Order) -> Input:
        if isinstance(order, Look):
            target = self._typer.target()
            self.app = target.app
            return Looked(target, self._presses())
        self._is_menu_open = False
        problem, typed = "", 0
        try:
            match order:
                case Type():
                    self._typer.type(order.text, order.newline)
                case Paste():
                    self._typer.paste(order.text)
                case Erase():
                    self._typer.erase(order.count)
        except NotTyped as error:
            problem, typed = str(error), error.typed
        except DesktopError as error:
            problem = str(error)
        self._mark = self._presses()
        return Wrote(self._mark, problem, typed)

    def _presses(self) -> int | None:
        """How often the user has pressed something that was not for dictation; never less than the mark."""
        count = self._typer.presses()
        if count is None:
            return None
        with self._lock:
            if self._mark is not None:  # a press in the mark may be known too late to be for dictation
                self._for_us = min(self._for_us, count - self._mark)
            return count - self._for_us

    def _note_menu(self) -> None:
        self._is_menu_open = self._since_mark() == 1

    def _forgive_menu(self) -> None:
        if self._is_menu_open:
            count = self._since_mark()
            with self._lock:
                self._for_us += count
        self._is_menu_open = False

    def _since_mark(self) -> int:
        presses = self._presses()
        return 0 if presses is None or self._mark is None else presses - self._mark

    def _submit(self, work: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # it is closed: no one cares any more
            self._thread.submit(work).add_done_callback(note_fault)


def note_fault(future: "Future[Any]") -> None:
    """Log what kind of error ended a job of a desktop's thread. Its text may hold what was said or typed."""
    error = future.exception()
    if error is not None:
        logger.error("desktop fault", extra={"kind": type(error).__name__})
