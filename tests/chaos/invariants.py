"""What must hold after a run, whatever died in it: checks over what clients received and Redis kept."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from tests.support.live import Message
from tests.support.marked import Talk

LOGGED = ("ready", "speech_start", "speech_end", "final", "warning", "closed", "error")
_FRAME_S = 512 / 16_000


def violations(messages: Sequence[Message], said: Talk, logged: Sequence[tuple[int, str]]) -> list[str]:
    """Everything that is wrong with one session, in words. `logged` is its log in Redis: numbers, types."""
    return [*violations_but_words(messages, said.duration_s, logged), *_words(messages, said)]


def violations_but_words(
    messages: Sequence[Message], duration_s: float, logged: Sequence[tuple[int, str]]
) -> list[str]:
    """The same where it is not known exactly what is to be heard."""
    return [
        *_ending(messages, duration_s),
        *_numbers(messages, logged),
        *_utterances(messages),
        *_coverage(messages, duration_s),
    ]


def _ending(messages: Sequence[Message], duration_s: float) -> list[str]:
    last: Message = messages[-1] if messages else {"type": "nothing"}
    if last["type"] != "closed":
        return [f"ended with {last}"]
    if abs(last["duration"] - duration_s) > 0.001:
        return [f"{duration_s} s were sent and {last['duration']} s decided"]
    return []


def _numbers(messages: Sequence[Message], logged: Sequence[tuple[int, str]]) -> list[str]:
    """Numbers rise, and a client gets every logged event once; partials may be missed."""
    wrong: list[str] = []
    numbers = [m["seq"] for m in messages]
    if numbers != sorted(set(numbers)):
        wrong.append("numbers do not rise")
    received = [(m["seq"], m["type"]) for m in messages if m["type"] in LOGGED]
    if received != list(logged):
        missed = sorted(set(logged) ^ set(received))
        wrong.append(f"received is not what was logged; in one only: {missed}")
    if logged and logged[0] != (1, "ready"):
        wrong.append(f"the log begins with {logged[0]}")
    return wrong


def _utterances(messages: Sequence[Message]) -> list[str]:
    """Each utterance starts, ends and gets its final once, in this order."""
    steps = ("speech_start", "speech_end", "final")
    said = [(m["utterance"], m["type"]) for m in messages if m["type"] in steps]
    wrong = [
        f"{event} of utterance {n} {count} times" for (n, event), count in Counter(said).items() if count > 1
    ]
    finals = [n for n, event in said if event == "final"]
    if finals != list(range(len(finals))):
        wrong.append(f"finals of utterances {finals}")
    for number in finals:
        order = [event for n, event in said if n == number]
        if order != list(steps):
            wrong.append(f"utterance {number}: {order}")
    return wrong


def _words(messages: Sequence[Message], said: Talk) -> list[str]:
    heard = [word for m in messages if m["type"] == "final" for word in m["text"].split()]
    if heard == list(said.words):
        return []
    counts, expected = Counter(heard), Counter(said.words)
    wrong = {
        "lost": expected - counts,
        "doubled or foreign": counts - expected,
    }
    return [f"words {kind}: {sorted(which)}" for kind, which in wrong.items() if which] or [
        "words out of order"
    ]


def _coverage(messages: Sequence[Message], duration_s: float) -> list[str]:
    """Finals lie one behind the other within the audio, and what is covered never goes back."""
    finals = [m for m in messages if m["type"] == "final"]
    wrong = [f"final {b['utterance']} overlaps" for a, b in pairwise(finals) if b["start"] < a["end"] - 0.001]
    if any(b["covered"] < a["covered"] for a, b in pairwise(finals)):
        wrong.append("covered goes back")
    if finals and finals[-1]["end"] > duration_s + _FRAME_S:
        wrong.append("a final ends behind the audio")
    return wrong
