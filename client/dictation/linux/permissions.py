"""Permissions on Linux: none are asked for. What can be in the way is that there is no microphone."""

from client.dictation.ports import Need, Permission


class LinuxPermissions:
    """The port `Permissions`. In a sandbox (Flatpak, Snap) the sandbox's own settings decide."""

    def state(self, need: Need) -> Permission:
        """See `Permissions`: the system does not say before it is tried."""
        return "unknown"

    def request(self, need: Need) -> None:
        """See `Permissions`: there is nothing to ask."""

    def advice(self, need: Need) -> str:
        """See `Permissions`."""
        if need == "microphone":
            return "Choose a microphone in the sound settings, and see that it is not muted."
        return "Typing works on X11, and on Wayland where `wtype` does; see docs/dictation.md."
