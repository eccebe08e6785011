"""What a desktop can't do for dictation. No message ever carries what was said or typed.

StenoError
└── DesktopError
    ├── NoMicrophone         there is none, or it can't be opened
    ├── PermissionMissing    the user has not allowed it; the text says where it is allowed
    ├── HotkeyTaken          another program has these keys, or they are no keys
    └── NotTyped             the text did not get into the app in front
"""

from shared.errors import StenoError


class DesktopError(StenoError):
    """The desktop can't do what dictation needs."""

    code = "desktop"
    blame = "client"


class NoMicrophone(DesktopError):
    """There is no microphone, or it can't be opened."""

    code = "no_microphone"
    retryable = True


class PermissionMissing(DesktopError):
    """The user has not allowed it; the message says where it is allowed."""

    code = "permission_missing"


class HotkeyTaken(DesktopError):
    """Another program has these keys, or this keyboard lacks them."""

    code = "hotkey_taken"


class NotTyped(DesktopError):
    """The text did not get into the app in front: `typed` characters of it did."""

    code = "not_typed"

    def __init__(self, message: str, *, typed: int = 0) -> None:
        super().__init__(message)
        self.typed = typed
