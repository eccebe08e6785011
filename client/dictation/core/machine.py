"""The state machine of dictation: OFF → CONNECTING → ON → DRAINING → OFF.

Pure: each input comes with the time and gives the effects that it has, in order. `wake_at` says when it wants
a `Tick` if nothing else happens before; while it is OFF it never does, unless a text waits to be typed.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from client.dictation.core.desk import Desk, TakeBack, Utterance
from client.dictation.core.ear import Ear
from client.dictation.core.limits import Limits
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
    OfSession,
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
from client.dictation.core.notices import Notices
from client.dictation.core.run import Run
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
        self._limits = Limits(wishes)
        self._run = Run()
        self._key_down_at: float | None = None
        self._again = False
        """Whether the user wants to go on as soon as the last final is there."""
        self.state = State.OFF
        self.lost = ""
        """Why there is no connection; empty while there is one, or none is wanted."""
        self._notices = Notices()
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
        is_news = not isinstance(event, OfSession) or (
            event.run == self._run.number and self.state != State.OFF
        )
        effects = self._handlers[type(event)](event, now) if is_news else []
        effects += self._due(now)
        return effects + self._settle(now)

    def wake_at(self) -> float | None:
        """When a `Tick` is wanted at the latest; None: not at all."""
        awaits_server = self._run.is_open or self._desk.is_idle
        times = self._limits.wake_at(self.state, is_lost=bool(self.lost), awaits_server=awaits_server)
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
            notice=self._notices.shown(self._ear.warning if self.is_wanted else ""),
            interim=self.interim,
            history=tuple(self.history),
            level_db=self._ear.level_db if self.is_wanted else None,
            is_first_audio_there=self._ear.has_begun,
        )

    def _turn_on(self, now: float) -> list[Effect]:
        if self.is_wanted:
            return []
        self._notices.clear()
        self.lost = ""
        self._ear = Ear(now)
        if self.state == State.DRAINING:
            self._again = True
            return [StartCapture()]
        self._desk.begin()
        return [Forget(), StartCapture(), *self._open_session(now, began=True)]

    def _open_session(self, now: float, *, began: bool = False, after_s: float = 0.0) -> list[Effect]:
        self._run = Run(self._run.number + 1)
        self.interim = ""
        if began:
            self._limits.begin(now)
            self._limits.connect(now)
        if self.state != State.DRAINING:
            self.state = State.CONNECTING
        return [OpenSession(self._run.number, after_s)]

    def _turn_off(self, now: float, *, notice: str = "", cue: Cue = Cue.STOP) -> list[Effect]:
        if not self.is_wanted:
            return []
        if notice:
            self._notices.say(notice)
        effects: list[Effect] = [StopCapture(), Play(cue)]
        if self._again:
            self._again = False
            return effects
        if not self._wishes.type_last:
            self._desk.clear()
            return [*effects, *self._finish()]
        self.state = State.DRAINING
        self._limits.drain(now)
        return [*effects, EndSession(self._run.number)]

    def _finish(self) -> list[Effect]:
        """To OFF, at once."""
        self.state = State.OFF
        self.interim = self.lost = ""
        return [DropSession(self._run.number), Forget()]

    def _fail(self, problem: str, now: float, *, microphone: bool = False) -> list[Effect]:
        """It can't go on. Without a microphone what was said is still awaited."""
        if not self.is_wanted:
            return []
        if microphone and self._run.is_open and not self._again:
            return self._turn_off(now, notice=problem, cue=Cue.ERROR)
        self._notices.say(problem)
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
        self._run.is_open, self.lost = True, ""
        self._limits.speech(now)
        if self.state == State.CONNECTING:
            self.state = State.ON
        return [Note("session open", {"run": event.run})]

    def _down(self, event: Down, now: float) -> list[Effect]:
        self.lost = event.reason
        return [Note("connection lost", {"run": event.run}), Play(Cue.ERROR)]

    def _up(self, event: Up, now: float) -> list[Effect]:
        self.lost = ""
        self._limits.speech(now)
        return [Note("connection back", {"run": event.run})]

    def _over(self, event: Over, now: float) -> list[Effect]:
        if not event.problem and self.state == State.DRAINING:
            self._limits.answered(now)  # what is on the desk is still written: see _settle
            self._run.is_open = False
            return []
        if event.problem and not event.is_retryable:
            if self.state == State.DRAINING:
                self._notices.say(event.problem)
                return [Play(Cue.ERROR), *self._leave(now)]
            return self._fail(event.problem, now)
        # Its audio is kept as far as no final covers it, and goes to another session.
        was_open = self._run.is_open
        if was_open and self.state == State.ON:
            self._limits.connect(now)
        self.lost = event.problem or "the server has ended the session"
        effects: list[Effect] = [] if not was_open else [Play(Cue.ERROR)]
        effects += self._open_session(now, after_s=0.0 if was_open else RETRY_S)
        if self.state == State.DRAINING:
            effects.append(EndSession(self._run.number))
        return effects

    def _warned(self, event: Warned, now: float) -> list[Effect]:
        self._notices.warn(event.message)
        return []

    def _speech_began(self, event: SpeechBegan, now: float) -> list[Effect]:
        self._limits.speech(now)
        self._run.begin(event.utterance, event.target.window)
        return []

    def _guessed(self, event: Guessed, now: float) -> list[Effect]:
        self._limits.speech(now)
        self.interim = event.text
        return []

    def _said(self, event: Said, now: float) -> list[Effect]:
        self._limits.speech(now)
        self.interim = ""
        due, place = self._run.take(event.final)
        spoken = self._wishes.writing.write(due, event.final.language)
        if spoken.takes_back:
            self._desk.put(TakeBack())
        if spoken.text:
            self.history.appendleft(spoken.text)
            self._desk.put(Utterance(spoken.text, place if self._wishes.stay else ""))
        numbers = {"run": event.run, "utterance": event.final.utterance, "length": len(spoken.text)}
        return [Note("final", numbers)]

    def _heard(self, event: Heard, now: float) -> list[Effect]:
        if not self.is_wanted:
            return []
        is_first = not self._ear.has_begun
        took_s = self._ear.hear(event.peak_db, event.level_db, now)
        return [Note("first audio", {"after_ms": round(1000 * took_s)}), Play(Cue.START)] if is_first else []

    def _audio_lost(self, event: AudioLost, now: float) -> list[Effect]:
        if self.is_wanted:
            self._notices.say(event.reason)
        return [Note("audio lost")]

    def _from_desk(self, effects: list[Effect]) -> list[Effect]:
        self._notices.of_desk(self._desk.notice)
        return effects

    def _due(self, now: float) -> list[Effect]:
        """What time has brought about."""
        if self.is_wanted and (problem := self._ear.problem(now)):
            return self._fail(problem, now, microphone=True)
        if notice := self._limits.why_off(self.state, now, is_lost=bool(self.lost)):
            return self._turn_off(now, notice=notice)
        if self.state == State.CONNECTING and self._limits.is_server_late(now):
            return self._fail(self.lost or "The server did not answer.", now)
        return []

    def _settle(self, now: float) -> list[Effect]:
        """Begin what is due on the desk, and leave DRAINING when its time is over."""
        effects = self._desk.next() + self._desk.again(now)
        if self.state == State.DRAINING and self._limits.is_server_late(now):
            if self._run.is_open:  # its last final did not come in time
                if not self._notices:
                    self._notices.say("The last words did not come in time.")
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
