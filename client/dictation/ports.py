"""What dictation needs of a desktop. Five ports; each system has one adapter for each, without decisions.

Threads: the desktop's main loop runs on the main thread (`Shell.run`), dictation on a second one. Methods of
`Capture`, `Typer`, `Hotkey` and `Permissions` are called from threads other than the main one, one call of a
port at a time; they may block for as long as they say. Callbacks may be called on any thread: they return at
once and never raise.

No adapter logs, prints or puts into an exception what was said or typed, or audio.
"""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from client.dictation.core.chords import Chord
from client.dictation.core.target import Newline, Target
from client.dictation.core.view import Cue, View

FRAME_BYTES = 640
"""20 ms of 16 kHz mono pcm16: what `Capture` hands over at once."""

Need = Literal["microphone", "typing"]
"""What a user may have to allow: hearing the microphone, and typing into other apps."""
Permission = Literal["granted", "denied", "unknown"]
"""`unknown`: the user has not been asked yet, or the system does not say."""
Wish = Literal["on", "off", "toggle", "undo", "copy_last", "settings", "quit"]
"""What a user asks for in the menu."""


class Capture(Protocol):
    """The microphone."""

    def start(self, on_audio: Callable[[bytes], None], on_loss: Callable[[str], None]) -> None:
        """Open the microphone and begin. Returns before the first audio has come, within a second.

        `on_audio` gets 16 kHz mono pcm16 in frames of exactly `FRAME_BYTES`, in order, without a hole that
        `on_loss` was not told of. `on_loss` gets a sentence when audio was lost, or when the microphone is
        gone; after the latter nothing comes any more until `stop` and another `start`, which opens whatever
        microphone there is by then. Raises `NoMicrophone`, `PermissionMissing`, `NotInstalled`.
        """
        ...

    def stop(self) -> None:
        """Close the microphone: when this returns the system shows it as not in use, and no callback is
        called any more. Does nothing when it is not open; never raises."""
        ...


class Typer(Protocol):
    """Keyboard input into whatever app is in front."""

    def target(self) -> Target:
        """Where text would go now. Never raises: what is not known is empty."""
        ...

    def type(self, text: str, newline: Newline) -> None:
        """Type this. Returns when the app in front has been sent all of it.

        Exact for any Unicode text, whatever the keyboard's layout, its locks, and the keys that are held:
        these are waited for, for half a second, then lifted and put back. "\\n" is the key that `newline`
        says, and "\\t" the Tab key; other control characters are left out. Never splits a grapheme cluster.
        Raises `NotTyped` and `PermissionMissing`.
        """
        ...

    def paste(self, text: str) -> None:
        """Put the text in by way of the clipboard, and give the clipboard its content back unless another
        program has changed it meanwhile. For apps that do not take typed text. Raises as `type` does."""
        ...

    def erase(self, count: int) -> None:
        """Press Backspace so often. Raises as `type` does."""
        ...

    def presses(self) -> int | None:
        """How many keys and mouse buttons were pressed by others than this typer; only ever rises. Keys that
        type nothing by themselves (modifiers, locks) and wheels don't count; hot keys and clicks on our own
        icon do. Known from the first `type`, `paste` or `erase` on, for a minute after the last at least;
        None when it is not known."""
        ...

    def copy(self, text: str) -> None:
        """Put the text on the clipboard, for the user to paste. Raises `NotTyped`."""
        ...

    def close(self) -> None:
        """Give back what was taken (spare keys, say). Idempotent; never raises."""
        ...


class Hotkey(Protocol):
    """Keys that work whatever app is in front; the app does not get them."""

    def start(self, chords: Mapping[str, Chord], on_key: Callable[[str, bool], None]) -> None:
        """Take these keys, each under a name. `on_key(name, True)` when one is pressed and `on_key(name,
        False)` when it is let go: once each, in turn, however long it is held (no auto-repeat), also when its
        modifiers are let go first. Typing works while it is held. Raises `HotkeyTaken`, with none taken."""
        ...

    def stop(self) -> None:
        """Give all back. Idempotent; never raises."""
        ...


class Permissions(Protocol):
    """What the user must allow."""

    def state(self, need: Need) -> Permission:
        """What is allowed now; asked anew at each call, cheap."""
        ...

    def request(self, need: Need) -> None:
        """Let the system ask the user, or open the place where it is allowed. Does not wait for the
        answer."""
        ...

    def advice(self, need: Need) -> str:
        """One sentence: where the user allows it on this system."""
        ...


class Page(Protocol):
    """A window of the self-test's own, with a field for text."""

    def open(self) -> None:
        """Show it, with the focus in the field. Raises `DesktopError`."""
        ...

    def text(self) -> str:
        """What is in the field."""
        ...

    def close(self) -> None:
        """Take it away."""
        ...


class Shell(Protocol):
    """What the user sees and hears: icon, indicator, sounds."""

    def run(
        self, work: Callable[[], None], on_wish: Callable[[Wish], None], on_press: Callable[[], None]
    ) -> None:
        """Show the icon, call `work` on a second thread, and run the desktop's main loop on this one until
        `work` returns. `on_press` is called when the user has pressed the icon, once for what is a wish in
        itself or opens the menu; `on_wish` gets the wish, with the menu closed. Raises what `work` raised."""
        ...

    def show(self, view: View) -> None:
        """Show this instead of what was shown before; from any thread; returns at once; of several the
        newest counts. Never takes the focus."""
        ...

    def cue(self, cue: Cue) -> None:
        """Play this sound; from any thread; returns at once; a machine without sound does nothing."""
        ...
