"""Calls into AppKit and Carbon, which may be used on the main thread alone."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from client.dictation.errors import DesktopError
from client.dictation.macos.frameworks import Frameworks

T = TypeVar("T")

logger = logging.getLogger(__name__)

_WAIT_S_MAX: Final = 5.0
"""The main thread only draws; one that takes longer hangs."""


def on_main(mac: Frameworks, function: Callable[[], T]) -> T:
    """What `function` returns on the main thread, whose loop must run. Raises what it raises, and
    `DesktopError` when the main thread does not answer."""
    if threading.current_thread() is threading.main_thread():
        return function()
    done: Future[T] = Future()

    def call() -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            done.set_result(function())
        except BaseException as error:  # noqa: BLE001 - it is raised where the call came from
            done.set_exception(error)

    mac.app_helper.callAfter(call)
    try:
        return done.result(_WAIT_S_MAX)
    except TimeoutError:
        done.cancel()
        raise DesktopError("the desktop does not answer; quit Steno and start it again") from None


def quietly(function: Callable[..., None]) -> Callable[..., None]:
    """`function`, for the main loop to call: an error in it is logged by its kind alone. The system would log
    its text, which may hold what was said."""

    def guarded(*values: object) -> None:
        try:
            function(*values)
        except Exception as error:  # noqa: BLE001 - it ends here, and the main loop goes on
            logger.error("desktop fault", extra={"kind": type(error).__name__})

    return guarded
