"""The state machine of dictation: events in, effects out. Pure."""

import unicodedata
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.dictation.core.desk import EXCLUDED, MOVED, NO_UNDO, SECURE
from client.dictation.core.ear import GONE, SILENT, STALLED
from client.dictation.core.machine import Dictation
from client.dictation.core.moves import (
    CaptureFailed,
    Down,
    DropSession,
    Effect,
    EndSession,
    Erase,
    Guessed,
    Heard,
    HoldKey,
    Input,
    Look,
    Looked,
    Opened,
    OpenSession,
    Over,
    Paste,
    Play,
    Said,
    SpeechBegan,
    StartCapture,
    StopCapture,
    Tick,
    Toggle,
    TurnOff,
    TurnOn,
    Type,
    Undo,
    Up,
    Warned,
    Wrote,
)
from client.dictation.core.target import Rule, Rules, Target
from client.dictation.core.view import Cue, State
from client.dictation.core.wishes import Wishes
from client.dictation.core.writing import Writing
from shared.events import Final
from shared.transcript import Tail, join

HOME = Target("editor", "1")
LOUD = Heard(-10.0, -20.0)


@dataclass
class Desk:
    """A machine with a desktop that does at once what it is told, and remembers it."""

    wishes: Wishes = field(default_factory=Wishes)
    target: Target = HOME
    now: float = 100.0
    presses: int = 0
    problem: str = ""
    answers: bool = True
    typed: str = ""
    run: int = 0
    is_recording: bool = False
    done: list[Effect] = field(default_factory=list[Effect])

    def __post_init__(self) -> None:
        self.machine = Dictation(self.wishes)
        self._end = Tail()
        self._utterance = 0

    def __call__(self, event: Input, after_s: float = 0.0) -> list[Effect]:
        self.now += after_s
        effects = self.machine.on(event, self.now)
        self.done += effects
        for effect in effects:
            self._do(effect)
        return effects

    def _do(self, effect: Effect) -> None:
        match effect:
            case StartCapture():
                assert not self.is_recording
                self.is_recording = True
            case StopCapture():
                assert self.is_recording
                self.is_recording = False
            case OpenSession(run):
                assert run > self.run
                self.run, self._end, self._utterance = run, Tail(), 0
            case Look() if self.answers:
                self(Looked(self.target, self.presses))
            case Type(text) | Paste(text):
                if not self.problem:
                    self.typed += text
                self(Wrote(self.presses, self.problem))
            case Erase(count):
                self.typed = self.typed[:-count]
                self(Wrote(self.presses))
            case _:
                pass

    def final(self, text: str, language: str = "en") -> Said:
        """The next final of the session."""
        place = self._end.offset_of(text)
        self._end = self._end.after(text)
        self._utterance += 1
        final = Final(
            utterance=self._utterance - 1,
            text=text,
            start=0,
            end=0,
            committed=len(text),
            offset=place,
            language=language,
        )
        return Said(self.run, final)

    def say(self, text: str, language: str = "en") -> None:
        """Let the server say it."""
        self(self.final(text, language))

    def start(self) -> "Desk":
        """To ON."""
        self(TurnOn())
        self(LOUD)
        self(Opened(self.run))
        return self


def test_one_dictation_from_on_to_off() -> None:
    desk = Desk()
    assert desk.machine.wake_at() is None
    assert [type(e) for e in desk(Toggle())][1:] == [StartCapture, OpenSession]
    assert (desk.machine.state, desk.machine.view().light) == (State.CONNECTING, "wait")
    assert Play(Cue.START) in desk(LOUD)
    desk(Opened(desk.run))
    assert (desk.machine.state, desk.machine.view().light) == (State.ON, "on")
    desk(Guessed(desk.run, "Hello wor"))
    assert desk.machine.view().interim == "Hello wor"
    assert desk.typed == ""
    desk.say("Hello world.")
    desk.say("How are you?")
    assert desk.typed == "Hello world. How are you?"
    assert desk.machine.view().interim == ""
    assert EndSession(desk.run) in desk(Toggle())
    assert (desk.machine.state, desk.is_recording) == (State.DRAINING, False)
    desk.say("Bye.")
    assert DropSession(desk.run) in desk(Over(desk.run))
    assert desk.machine.state == State.OFF
    assert desk.typed == "Hello world. How are you? Bye."
    assert desk.machine.view().history == ("Bye.", "How are you?", "Hello world.")
    assert desk.machine.wake_at() is None
    desk(desk.final("late"))
    assert not desk.typed.endswith("late")


def test_nothing_is_typed_after_off_when_the_last_is_not_wished() -> None:
    desk = Desk(Wishes(type_last=False)).start()
    desk.answers = False
    desk.say("waits")
    last = desk.final("too late")
    desk(TurnOff())
    assert desk.machine.state == State.OFF
    desk(last)
    desk.answers = True
    assert desk.typed == ""


def test_a_last_final_that_does_not_come_is_not_waited_for_for_ever() -> None:
    desk = Desk().start()
    desk(TurnOff())
    at = desk.machine.wake_at()
    assert at is not None
    desk(Tick(), at - desk.now)
    assert desk.machine.state == State.OFF
    assert "in time" in desk.machine.view().notice


def test_what_is_said_before_there_is_a_session_is_typed_though_the_key_is_let_go() -> None:
    desk = Desk()
    desk(HoldKey(is_down=True))
    desk(LOUD, 0.1)
    desk(HoldKey(is_down=False), 1.0)
    assert desk.machine.state == State.DRAINING
    desk(Opened(desk.run))
    desk.say("Quick.")
    desk(Over(desk.run))
    assert (desk.typed, desk.machine.state) == ("Quick.", State.OFF)


def test_push_to_talk_and_a_tap_that_stays() -> None:
    desk = Desk()
    desk(HoldKey(is_down=True))
    desk(HoldKey(is_down=False), 0.1)
    assert desk.machine.is_wanted
    desk(HoldKey(is_down=True), 5.0)
    assert not desk.machine.is_wanted
    desk(HoldKey(is_down=False), 5.0)
    assert not desk.machine.is_wanted


def test_on_again_while_the_last_final_is_awaited() -> None:
    desk = Desk().start()
    old = desk.run
    desk(TurnOff())
    desk(TurnOn())
    assert desk.is_recording
    desk.say("The end.")
    effects = desk(Over(old))
    assert OpenSession(old + 1) in effects
    assert desk.machine.state == State.CONNECTING
    desk(LOUD)
    desk(Opened(old + 1))
    desk.say("Again.")
    assert desk.typed == "The end.Again."  # a new dictation stands by itself
    desk(TurnOff())
    desk(TurnOn())
    desk(TurnOff())
    assert not desk.is_recording
    desk(Over(desk.run))
    assert desk.machine.state == State.OFF


def test_a_lost_connection_is_red_and_nothing_is_typed_twice() -> None:
    desk = Desk().start()
    first = desk.final("One.")
    desk(first)
    assert Play(Cue.ERROR) in desk(Down(desk.run, "gone"))
    assert desk.machine.view().light == "red"
    desk(LOUD, 50.0)
    desk(Up(desk.run), 0.5)
    desk(first)
    desk.say("Two.")
    assert desk.typed == "One. Two."
    assert desk.machine.view().light == "on"


def test_a_lost_session_goes_on_in_a_new_one() -> None:
    desk = Desk().start()
    desk.say("One.")
    old = desk.run
    desk(Over(old, "not resumed", is_retryable=True))
    assert desk.machine.view().light == "red"
    for _ in range(3):
        assert desk(Over(desk.run, "no server", is_retryable=True))
        desk(LOUD, 0.5)
    desk(Opened(desk.run))
    desk.say("Two.")
    desk(Said(old, desk.final("One.").final))
    assert desk.typed == "One. Two."
    assert desk.machine.state == State.ON


@pytest.mark.parametrize("is_retryable", [False, True])
def test_a_server_that_is_not_there_or_refuses(is_retryable: bool) -> None:
    desk = Desk()
    desk(TurnOn())
    desk(LOUD)
    for _ in range(1 if not is_retryable else 200):
        desk(Over(desk.run, "no such key", is_retryable), 0.5)
        desk(LOUD) if desk.machine.is_wanted else None
    view = desk.machine.view()
    assert (view.state, view.notice, desk.is_recording) == (State.OFF, "no such key", False)


def test_no_microphone_and_one_that_vanishes() -> None:
    desk = Desk()
    desk(TurnOn())
    desk(CaptureFailed("There is none."))
    assert (desk.machine.state, desk.machine.view().notice) == (State.OFF, "There is none.")
    desk.start()
    desk(Tick(), 1.5)
    assert desk.machine.view().notice == STALLED
    desk(Tick(), 2.0)
    assert (desk.machine.state, desk.machine.view().notice) == (State.DRAINING, GONE)
    desk.say("What I said.")
    assert desk.typed == "What I said."


def test_a_silent_microphone_is_told_of_after_a_second() -> None:
    desk = Desk().start()
    for _ in range(11):
        assert desk.machine.view().notice == ""
        desk(Heard(-96.0, -96.0), 0.1)
    assert desk.machine.view().notice == SILENT
    desk(LOUD, 0.1)
    assert desk.machine.view().notice == ""


def test_it_ends_by_itself() -> None:
    for wishes, words in (
        (Wishes(silence_s_max=60), "nothing was said"),
        (Wishes(session_s_max=50), "minutes"),
    ):
        desk = Desk(wishes).start()
        for _ in range(70):
            desk(LOUD, 1.0) if desk.machine.is_wanted else None
        assert not desk.machine.is_wanted
        assert words in desk.machine.view().notice


def test_undo_takes_back_only_what_is_still_the_last() -> None:
    desk = Desk().start()
    desk.say("One.")
    desk.say("Two 👩‍👩‍👧")
    desk(Undo())
    assert Erase(6) in desk.done
    desk(Undo())
    assert desk.machine.view().notice == NO_UNDO
    desk.say("Three.")
    desk.presses += 1
    desk(Undo())
    assert desk.machine.view().notice == NO_UNDO
    desk.say("Four.")
    desk.target = Target("editor", "2")
    desk(Undo())
    assert sum(isinstance(effect, Erase) for effect in desk.done) == 1


def test_a_spoken_undo() -> None:
    desk = Desk(Wishes(writing=Writing(commands=True))).start()
    desk.say("One.")
    desk.say("Scratch that.")
    assert desk.typed == ""


def test_where_nothing_may_be_typed() -> None:
    desk = Desk(Wishes(stay=True, hold_s=0.0, rules=Rules((Rule(match="bank*", insert="never"),)))).start()
    cases = (
        (Target("editor", "1", is_secure=True), SECURE),
        (Target("Banking", "3"), EXCLUDED),
        (Target("editor", "2"), MOVED),
    )
    for number, (target, notice) in enumerate(cases):
        desk(SpeechBegan(desk.run, number, HOME if notice == MOVED else target))
        desk.target = target
        desk.say(f"Secret {number}.")
        assert desk.machine.view().notice == notice
        assert desk.machine.view().last == f"Secret {number}."
    assert desk.typed == ""


def test_a_warning_of_the_server_does_not_hide_what_became_of_a_text() -> None:
    desk = Desk().start()
    for message in ("Partials are slow.", "Partials come in time."):
        desk(Warned(desk.run, message))
        assert desk.machine.view().notice == message
    desk.target = Target("editor", "1", is_secure=True)
    desk.say("Secret.")
    desk(Warned(desk.run, "Partials are slow."))
    assert "secret" in desk.machine.view().notice


def test_the_last_ten_texts_are_kept() -> None:
    desk = Desk().start()
    for number in range(12):
        desk.say(f"Text {number}.")
    assert desk.machine.view().history == tuple(f"Text {number}." for number in range(11, 1, -1))


def test_other_ways_in() -> None:
    rules = Rules((Rule(match="chat", newline="shift-return"), Rule(match="vm", insert="paste")))
    desk = Desk(Wishes(rules=rules, trailing_space=True)).start()
    desk.target = Target("chat", "1")
    desk.say("One.")
    desk.say("世界")
    desk.target = Target("vm", "2")
    desk.say("Two.")
    assert [e for e in desk.done if isinstance(e, Type | Paste)] == [
        Type("One. ", "shift-return"),
        Type("世界 ", "shift-return"),
        Paste("Two. "),
    ]


def test_what_could_not_be_typed_is_told_and_kept() -> None:
    desk = Desk().start()
    desk.problem = "no"
    desk.say("Lost?")
    assert desk.machine.view().notice.startswith("no")
    assert desk.machine.view().last == "Lost?"
    desk(Undo())
    assert not any(isinstance(effect, Erase) for effect in desk.done)


TEXTS = st.lists(st.text("ab ,.界é👍\u0301", max_size=6).map(str.strip), max_size=6)


@given(TEXTS, st.data())
def test_whatever_happens_each_final_is_typed_once_and_nothing_else(
    texts: list[str], data: st.DataObject
) -> None:
    desk = Desk().start()
    said: list[Said] = []
    noise: list[Input] = [LOUD, Tick(), Down(1, "x"), Up(1), Guessed(1, "guess"), Heard(-96, -96)]
    for text in texts:
        said.append(desk.final(text))
        desk(said[-1])
        for event in data.draw(st.lists(st.sampled_from([*noise, *said]), max_size=4)):
            desk(event, 0.01)
    whole = ""
    for text in texts:
        whole = join(whole, unicodedata.normalize("NFC", text))
    assert _spaceless(desk.typed) == _spaceless(whole)
    if not any(text[:1] in ".," or text[-1:] in " " for text in texts):
        assert desk.typed == whole


def _spaceless(text: str) -> str:
    """Before a mark that begins an utterance no space is typed, though the transcript has one."""
    return unicodedata.normalize("NFC", text.replace(" ", ""))


INPUTS = st.sampled_from(
    [
        TurnOn(),
        TurnOff(),
        Toggle(),
        HoldKey(True),
        HoldKey(False),
        Undo(),
        LOUD,
        Tick(),
        CaptureFailed("x"),
        *("open", "final", "over", "failed", "refused", "down", "up"),
    ]
)


@given(st.lists(st.tuples(INPUTS, st.sampled_from([0.0, 0.2, 2.0, 61.0])), max_size=25), st.booleans())
def test_any_order_of_events_keeps_the_microphone_and_the_state_together(
    events: list[tuple[Input | str, float]], type_last: bool
) -> None:
    desk = Desk(Wishes(type_last=type_last))
    for event, after_s in events:
        before, state = desk.typed, desk.machine.state
        named: dict[str, Input] = {
            "open": Opened(desk.run),
            "over": Over(desk.run),
            "failed": Over(desk.run, "x"),
            "refused": Over(desk.run, "x", is_retryable=True),
            "down": Down(desk.run, "x"),
            "up": Up(desk.run),
        }
        if event == "final":
            desk.now += after_s
            desk.say("text")
        else:
            desk(named[event] if isinstance(event, str) else event, after_s)
        assert desk.is_recording == desk.machine.is_wanted
        if state == State.OFF:
            assert desk.typed[: len(before)] == before[: len(desk.typed)]
            assert len(desk.typed) <= len(before)  # after OFF only Undo does anything
        wake_at = desk.machine.wake_at()
        assert (wake_at is None) == (desk.machine.state == State.OFF)
        view = desk.machine.view()
        assert (view.level_db is not None) <= desk.is_recording
