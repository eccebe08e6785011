"""Where the user allows things on macOS: panes of System Settings, and the words for them. Pure."""

from typing import Final

from client.dictation.ports import Need

_PANE: Final = "x-apple.systempreferences:com.apple.preference.security?"

LINKS: Final[dict[Need, str]] = {
    "microphone": f"{_PANE}Privacy_Microphone",
    "typing": f"{_PANE}Privacy_Accessibility",
}
"""Opened, each shows the pane with its switch."""

ADVICE: Final[dict[Need, str]] = {
    "microphone": "Allow Steno under System Settings > Privacy & Security > Microphone.",
    "typing": (
        "Allow Steno under System Settings > Privacy & Security > Accessibility; if it is allowed there "
        "already, remove it with the minus sign and add it again: that switch belonged to another version."
    ),
}
"""An app that was signed anew is another one for the system, though its switch still stands on."""

TERMINAL: Final = " Started from a terminal, it is the terminal that must be allowed."
