"""Whether the microphone hears anything."""

from typing import Final

SILENT_DB: Final = -72.0
"""Peaks below this are no room, however quiet: a muted microphone, or none behind the jack. 8 of 32768."""
SILENT_S: Final = 1.0
"""After so much of it the user is told. Headsets that wake up give up to 0.7 s of it."""
GONE_S: Final = 3.0
"""A microphone that gives nothing for so long is gone."""
SILENT: Final = "The microphone gives only silence: is it muted?"
STALLED: Final = "The microphone gives no audio."
GONE: Final = "The microphone gives no audio any more: was it unplugged?"


class Ear:
    """Listens since `now`."""

    def __init__(self, now: float = 0.0) -> None:
        self._since = self._heard_at = self._loud_at = now
        self.has_begun = False
        self.level_db: float | None = None
        self.warning = ""

    def hear(self, peak_db: float, level_db: float, now: float) -> float:
        """Take the loudness of audio. Returns seconds since the beginning."""
        if not self.has_begun:
            self.has_begun, self._loud_at = True, now
        self._heard_at, self.level_db = now, level_db
        if peak_db > SILENT_DB:
            self._loud_at = now
        self.warning = SILENT if now - self._loud_at >= SILENT_S else ""
        return now - self._since

    def wake_at(self) -> float:
        """When `problem` has to be asked again."""
        return self._heard_at + (GONE_S if self.warning == STALLED else SILENT_S)

    def problem(self, now: float) -> str:
        """Why it can't go on, if it can't. A stall shows as a warning before."""
        silence_s = now - self._heard_at
        if silence_s >= SILENT_S:
            self.warning = STALLED
        return GONE if silence_s >= GONE_S else ""
