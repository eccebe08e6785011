"""What the menu in the menu bar holds. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from client.dictation.core.view import Light, State, View
from client.dictation.macos.login import LoginState
from client.dictation.ports import Need, Permission

LOGIN: Final = "login"
ALLOW: Final = "allow "
"""Before a need: the user wants to allow it."""

TITLES: Final[dict[Light, str]] = {
    "off": "",
    "wait": "Dictation …",
    "on": "Dictation ON",
    "red": "Dictation: no connection",
}
"""Beside the icon: whether what is said is heard must be seen at a glance."""
SYMBOLS: Final[dict[Light, str]] = {
    "off": "mic",
    "wait": "mic.badge.plus",
    "on": "mic.fill",
    "red": "mic.slash.fill",
}
"""SF Symbols."""

_NAMES: Final[dict[Need, str]] = {"microphone": "the Microphone", "typing": "Typing into Apps"}
_LOGIN: Final[dict[LoginState, str]] = {
    "on": "Open at Login",
    "off": "Open at Login",
    "approve": "Open at Login (allow it in System Settings)",
    "unavailable": "Open at Login (needs the app and macOS 13)",
}


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the menu. Without an action it can't be picked; without a title it is a line between
    groups."""

    title: str = ""
    action: str = ""
    """A `Wish`, `LOGIN`, or `ALLOW` and a need."""
    is_checked: bool = False


def items(view: View, login: LoginState, permissions: Mapping[Need, Permission]) -> list[Item]:
    """The menu for what is to be shown."""
    found = [Item(view.headline)]
    if view.notice:
        found.append(Item(view.notice))
    found += [Item(f"Allow {_NAMES[need]} …", ALLOW + need) for need in missing(permissions)]
    is_off = view.state in (State.OFF, State.DRAINING)
    found += [
        Item(),
        Item("Turn Dictation On" if is_off else "Turn Dictation Off", "on" if is_off else "off"),
    ]
    if view.last:
        found += [Item("Undo Last Utterance", "undo"), Item("Copy Last Text", "copy_last")]
    is_fixed = login == "unavailable"
    found += [
        Item(),
        Item(_LOGIN[login], "" if is_fixed else LOGIN, is_checked=login == "on"),
        Item("Settings …", "settings"),
        Item("Quit Steno", "quit"),
    ]
    return found


def missing(permissions: Mapping[Need, Permission]) -> list[Need]:
    """What the user still has to allow."""
    return [need for need, state in permissions.items() if state != "granted"]
