"""The state machine of dictation: OFF → CONNECTING → ON → DRAINING → OFF.

Pure: each input comes with the time and gives the effects that it has, in order. `wake_at` says when it wants
a `Tick` if nothing else happens before; while it is OFF it never does, unless a text waits to be typed.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from client.dictation.core.committed import Committed
from client.dictation.core.desk import Desk, TakeBack, Utterance
from client.dictation.core.ear import Ear
from client.dictation.core.moves import (
    AudioLost,
    CaptureFailed,
    Down,
    DropSession,
    Effect,
    EndSession,
    Forget,
    Guessed,
    Heard,
    HoldKey,
    Input,
    Looked,
    Note,
    Opened,
    OpenSession,
    Over,
    Play,
    Said,
    SpeechBegan,
    StartCapture,
    StopCapture,
    Tick,
    Toggle,
    TurnOff,
    TurnOn,
    Undo,
    Up,
    Warned,
    Wrote,
)
from client.dictation.core.view import Cue, State, View
from client.dictation.core.viewing import sight
from client.dictation.core.wishes import Wishes

HISTORY_MAX: Final = 10
RETRY_S: Final = 0.5
"""Pause before a session that could not be opened is tried again."""


class Dictation:
    """One user's dictation. `on` takes what happens; `view` is what to show."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._desk = Desk(wishes.rules, trailing_space=wishes.trailing_space, hold_s=wishes.hold_s)
        self._ear = Ear()
        self._run = 0
        self._is_open = False
        """Whether this run's session was ever open."""
        self._committed = Committed()
        self._places: dict[int, str] = {}
        self._on_since = self._active_at = self._deadline = 0.0
        self._key_down_at: float | None = None
        self._again = False
        """Whether the user wants to go on as soon as the last final is there."""
        self.state = State.OFF
        self.lost = ""
        """Why there is no connection; empty while there is one, or none is wanted."""
        self.notice = self._desk_notice = self._warning = ""
        self.interim = ""
        self.history: deque[str] = deque(maxlen=HISTORY_MAX)
        self._handlers: dict[type, Callable[[Any, float], list[Effect]]] = {
            TurnOn: lambda _, now: self._turn_on(now),
            TurnOff: lambda _, now: self._turn_off(now),
            Toggle: lambda _, now: self._turn_off(now) if self.is_wanted else self._turn_on(now),
            HoldKey: self._hold_key,
            Undo: lambda _, __: self._take_back(),
            Opened: self._opened,
            Down: self._down,
            Up: self._up,
            Over: self._over,
            Warned: self._warned,
            SpeechBegan: self._speech_began,
            Guessed: self._guessed,
            Said: self._said,
            Heard: self._heard,
            AudioLost: self._audio_lost,
            CaptureFailed: lambda event, now: self._fail(event.problem, now, microphone=True),
            Looked: lambda event, now: self._from_desk(self._desk.looked(event, now)),
            Wrote: lambda event, _: self._from_desk(self._desk.wrote(event)),
            Tick: lambda _, __: [],
        }

    @property
    def is_wanted(self) -> bool:
        """Whether the user dictates: the microphone is open, or is being opened."""
        return self.state in (State.CONNECTING, State.ON) or self._again

    def on(self, event: Input, now: float) -> list[Effect]:
        """Take what happened at `now`. Returns what is to be done, in order."""
        effects = self._handlers[type(event)](event, now)
        effects += self._due(now)
        return effects + self._settle(now)

    def wake_at(self) -> float | None:
        """When a `Tick` is wanted at the latest; None: not at all."""
        times: list[float] = []
        awaits_server = self._is_open or self._desk.is_idle
        if self.state == State.CONNECTING or (self.state == State.DRAINING and awaits_server):
            times.append(self._deadline)
        if self.state in (State.CONNECTING, State.ON):
            times.append(self._on_since + self._wishes.session_s_max)
        if self.state == State.ON and not self.lost:
            times.append(self._active_at + self._wishes.silence_s_max)
        if self.is_wanted:
            times.append(self._ear.wake_at())
        if (looks_at := self._desk.wake_at()) is not None:
            times.append(looks_at)
        return min(times, default=None)

    def view(self) -> View:
        """What is to be shown now."""
        return sight(
            self.state,
            lost=self.lost,
            notice=self._desk_notice or (self.is_wanted and self._ear.warning) or self.notice,
            interim=self.interim,
            history=tuple(self.history),
            level_db=self._ear.level_db if self.is_wanted else None,
            is_first_audio_there=self._ear.has_begun,
        )

    def _turn_on(self, now: float) -> list[Effect]:
        if self.is_wanted:
            return []
        self.notice = self.lost = ""
        self._ear = Ear(now)
        if self.state == State.DRAINING:
            self._again = True
            return [StartCapture()]
        self._desk.begin()
        return [Forget(), StartCapture(), *self._open_session(now, began=True)]

    def _open_session(self, now: float, *, began: bool = False, after_s: float = 0.0) -> list[Effect]:
        self._run += 1
        self._is_open = False
        self._committed = Committed()
        self._places.clear()
        self.interim = ""
        if began:
            self._on_since = now
            self._deadline = now + self._wishes.reconnect_s
        if self.state != State.DRAINING:
            self.state = State.CONNECTING
        return [OpenSession(self._run, after_s)]

    def _turn_off(self, now: float, *, notice: str = "", cue: Cue = Cue.STOP) -> list[Effect]:
        if not self.is_wanted:
            return []
        if notice:
            self.notice = notice
        effects: list[Effect] = [StopCapture(), Play(cue)]
        if self._again:
            self._again = False
            return effects
        if not self._wishes.type_last:
            self._desk.clear()
            return [*effects, *self._finish()]
        self.state = State.DRAINING
        self._deadline = now + self._wishes.drain_s
        return [*effects, EndSession(self._run)]

    def _finish(self) -> list[Effect]:
        """To OFF, at once."""
        self.state = State.OFF
        self.interim = self.lost = ""
        return [DropSession(self._run), Forget()]

    def _fail(self, problem: str, now: float, *, microphone: bool = False) -> list[Effect]:
        """It can't go on. Without a microphone what was said is still awaited."""
        if not self.is_wanted:
            return []
        if microphone and self._is_open and not self._again:
            return self._turn_off(now, notice=problem, cue=Cue.ERROR)
        self.notice = problem
        effects: list[Effect] = [StopCapture(), Play(Cue.ERROR)]
        if self._again:
            self._again = False
            return effects
        return [*effects, *self._finish()]

    def _hold_key(self, key: HoldKey, now: float) -> list[Effect]:
        if key.is_down:
            if self.is_wanted:
                self._key_down_at = None
                return self._turn_off(now)
            self._key_down_at = now
            return self._turn_on(now)
        pressed_at, self._key_down_at = self._key_down_at, None
        if pressed_at is None or now - pressed_at < self._wishes.tap_s:
            return []
        return self._turn_off(now)

    def _take_back(self) -> list[Effect]:
        self._desk.put(TakeBack())
        return []

    def _opened(self, event: Opened, now: float) -> list[Effect]:
        if event.run != self._run or self.state not in (State.CONNECTING, State.DRAINING):
            return []
        self._is_open, self.lost = True, ""
        self._active_at = now
        if self.state == State.CONNECTING:
            self.state = State.ON
        return [Note("session open", {"run": self._run})]

    def _down(self, event: Down, now: float) -> list[Effect]:
        if event.run != self._run or self.state == State.OFF:
            return []
        self.lost = event.reason
        return [Note("connection lost", {"run": self._run}), Play(Cue.ERROR)]

    def _up(self, event: Up, now: float) -> list[Effect]:
        if event.run != self._run:
            return []
        self.lost, self._active_at = "", now
        return [Note("connection back", {"run": self._run})]

    def _over(self, event: Over, now: float) -> list[Effect]:
        if event.run != self._run or self.state == State.OFF:
            return []
        if not event.problem and self.state == State.DRAINING:
            self._deadline = now  # what is on the desk is still written: see _settle
            self._is_open = False
            return []
        if event.problem and not event.is_retryable:
            if self.state == State.DRAINING:
                self.notice = event.problem
                return [Play(Cue.ERROR), *self._leave(now)]
            return self._fail(event.problem, now)
        # Its audio is kept as far as no final covers it, and goes to another session.
        was_open = self._is_open
        if was_open and self.state == State.ON:
            self._deadline = now + self._wishes.reconnect_s
        self.lost = event.problem or "the server has ended the session"
        effects: list[Effect] = [] if not was_open else [Play(Cue.ERROR)]
        effects += self._open_session(now, after_s=0.0 if was_open else RETRY_S)
        if self.state == State.DRAINING:
            effects.append(EndSession(self._run))
        return effects

    def _warned(self, event: Warned, now: float) -> list[Effect]:
        # It takes the place of another warning, but not of what the user has to know about a text.
        is_free = self.notice in ("", self._warning)
        if event.run == self._run and self.state != State.OFF and is_free:
            self.notice = self._warning = event.message
        return []

    def _speech_began(self, event: SpeechBegan, now: float) -> list[Effect]:
        if event.run == self._run:
            self._active_at = now
            self._places[event.utterance] = event.target.window
        return []

    def _guessed(self, event: Guessed, now: float) -> list[Effect]:
        if event.run == self._run and self.state != State.OFF:
            self._active_at = now
            self.interim = event.text
        return []

    def _said(self, event: Said, now: float) -> list[Effect]:
        if event.run != self._run or self.state == State.OFF:
            return []
        self._active_at, self.interim = now, ""
        self._committed, due = self._committed.take(event.final)
        place = self._places.pop(event.final.utterance, "")
        spoken = self._wishes.writing.write(due.removeprefix(" "), event.final.language)
        if spoken.takes_back:
            self._desk.put(TakeBack())
        if spoken.text:
            self.history.appendleft(spoken.text)
            self._desk.put(Utterance(spoken.text, place if self._wishes.stay else ""))
        numbers = {"run": self._run, "utterance": event.final.utterance, "length": len(spoken.text)}
        effects: list[Effect] = [Note("final", numbers)]
        return effects

    def _heard(self, event: Heard, now: float) -> list[Effect]:
        if not self.is_wanted:
            return []
        is_first = not self._ear.has_begun
        took_s = self._ear.hear(event.peak_db, event.level_db, now)
        return [Note("first audio", {"after_ms": round(1000 * took_s)}), Play(Cue.START)] if is_first else []

    def _audio_lost(self, event: AudioLost, now: float) -> list[Effect]:
        if self.is_wanted:
            self.notice = event.reason
        return [Note("audio lost")]

    def _from_desk(self, effects: list[Effect]) -> list[Effect]:
        """What the desk says of the last text is newer than all else that is to be known."""
        if self._desk.notice:
            self.notice = self._desk.notice
        elif self.notice == self._desk_notice:
            self.notice = ""
        self._desk_notice = self._desk.notice
        return effects

    def _due(self, now: float) -> list[Effect]:
        """What time has brought about."""
        if self.is_wanted and (problem := self._ear.problem(now)):
            return self._fail(problem, now, microphone=True)
        if self.state in (State.CONNECTING, State.ON) and now >= self._on_since + self._wishes.session_s_max:
            minutes = self._wishes.session_s_max / 60
            return self._turn_off(now, notice=f"Dictation ended by itself after {minutes:g} minutes.")
        if self.state == State.CONNECTING and now >= self._deadline:
            return self._fail(self.lost or "The server did not answer.", now)
        if self.state == State.ON and not self.lost and now >= self._active_at + self._wishes.silence_s_max:
            silence = self._wishes.silence_s_max
            return self._turn_off(
                now, notice=f"Dictation ended by itself: nothing was said for {silence:g} s."
            )
        return []

    def _settle(self, now: float) -> list[Effect]:
        """Begin what is due on the desk, and leave DRAINING when its time is over."""
        effects = self._desk.next() + self._desk.again(now)
        if self.state == State.DRAINING and now >= self._deadline:
            if self._is_open:  # its last final did not come in time
                self.notice = self.notice or "The last words did not come in time."
                self._desk.clear()
            elif not self._desk.is_idle:
                return effects
            effects += self._leave(now)
        return effects

    def _leave(self, now: float) -> list[Effect]:
        """From DRAINING to OFF, or on with what was begun meanwhile."""
        effects = self._finish()
        if self._again:
            self._again = False
            self._desk.begin()
            effects.remove(Forget())  # what was said meanwhile is kept
            effects += self._open_session(now, began=True)
        return effects
