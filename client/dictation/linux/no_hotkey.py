"""Where no program may take keys: the compositor does, and calls `steno dictate toggle`."""

from collections.abc import Callable, Mapping

from client.dictation.core.chords import Chord


class NoHotkey:
    """The port `Hotkey` on Wayland."""

    def start(self, chords: Mapping[str, Chord], on_key: Callable[[str, bool], None]) -> None:
        """See `Hotkey`: none is taken."""

    def stop(self) -> None:
        """See `Hotkey`."""
