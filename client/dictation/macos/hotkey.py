"""Hot keys by way of Carbon: they need no permission, the app in front does not get them, they are told when
they are let go, and they work while a password field has the keyboard. Event taps do none but the third."""

from collections.abc import Callable, Mapping

from client.dictation.core.chords import Chord
from client.dictation.errors import DesktopError, HotkeyTaken
from client.dictation.macos.carbon import PRESSED, Carbon
from client.dictation.macos.frameworks import Frameworks
from client.dictation.macos.keys import to_carbon
from client.dictation.macos.main_thread import on_main


class MacHotkey:
    """`Hotkey` on macOS."""

    def __init__(self, mac: Frameworks, carbon: Carbon) -> None:
        self._mac = mac
        self._carbon = carbon
        self._given_back: list[Callable[[], None]] = []

    def start(self, chords: Mapping[str, Chord], on_key: Callable[[str, bool], None]) -> None:
        """See the port."""
        on_main(self._mac, lambda: self._start(chords, on_key))

    def stop(self) -> None:
        """See the port."""
        if self._given_back:
            try:
                on_main(self._mac, self._stop)
            except DesktopError:  # the main loop has ended, and the process with it
                self._given_back.clear()

    def _start(self, chords: Mapping[str, Chord], on_key: Callable[[str, bool], None]) -> None:
        self._stop()
        typed = self._carbon.layout()
        wanted = [
            (name, chord, to_carbon(chord, lambda code: typed.get(code, "")))
            for name, chord in chords.items()
        ]
        names = dict(enumerate(chords, 1))
        held: set[int] = set()

        def on_event(number: int, kind: int) -> None:
            is_down = kind == PRESSED
            if number in names and is_down != (number in held):
                (held.add if is_down else held.discard)(number)
                on_key(names[number], is_down)

        self._given_back.append(self._carbon.listen(on_event))
        for number, (_, chord, (code, modifiers)) in enumerate(wanted, 1):
            give_back = self._carbon.register(code, modifiers, number)
            if give_back is None:
                self._stop()
                raise HotkeyTaken(
                    f"{chord} belongs to another program; choose another key, or quit that program"
                )
            self._given_back.append(give_back)

    def _stop(self) -> None:
        while self._given_back:
            self._given_back.pop()()
