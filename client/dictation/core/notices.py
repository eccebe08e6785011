"""What the user should know: of several things the one that counts."""


class Notices:
    """Sentences, each of which stands until it is out of date."""

    def __init__(self) -> None:
        self._said = self._warning = self._of_desk = ""

    def clear(self) -> None:
        """A new dictation begins: what is known of the last one is old."""
        self._said = ""

    def say(self, notice: str) -> None:
        """Why it ended, or what was lost."""
        self._said = notice

    def warn(self, warning: str) -> None:
        """A warning takes the place of another one, but not of what became of a text."""
        if self._said in ("", self._warning):
            self._said = self._warning = warning

    def of_desk(self, notice: str) -> None:
        """What became of the last text: newer than all else. Empty when it was written."""
        if notice:
            self._said = notice
        elif self._said == self._of_desk:
            self._said = ""
        self._of_desk = notice

    def shown(self, of_microphone: str) -> str:
        """The one to be shown, also of what is wrong with the microphone now."""
        return self._of_desk or of_microphone or self._said

    def __bool__(self) -> bool:
        """Whether something was said."""
        return bool(self._said)
