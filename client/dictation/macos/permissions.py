"""What the user must allow on macOS: the microphone, and Accessibility, without which events go nowhere."""

from client.dictation.macos.frameworks import Frameworks
from client.dictation.macos.links import ADVICE, LINKS, TERMINAL
from client.dictation.macos.login import is_bundled
from client.dictation.ports import Need, Permission


class MacPermissions:
    """`Permissions` on macOS."""

    def __init__(self, mac: Frameworks) -> None:
        self._mac = mac
        self._was_asked_to_type = False

    def state(self, need: Need) -> Permission:
        """See the port."""
        if need == "typing":
            if self._mac.accessibility.AXIsProcessTrusted():
                return "granted"
            # The system does not tell a refusal from a question that was never asked.
            return "denied" if self._was_asked_to_type else "unknown"
        av = self._mac.avfoundation
        status = av.AVCaptureDevice.authorizationStatusForMediaType_(av.AVMediaTypeAudio)
        if status == av.AVAuthorizationStatusAuthorized:
            return "granted"
        return "unknown" if status == av.AVAuthorizationStatusNotDetermined else "denied"

    def request(self, need: Need) -> None:
        """See the port. The system asks once; after that only the user can open the settings, so they are
        opened."""
        if self.state(need) == "unknown":
            (self._ask_for_microphone if need == "microphone" else self._ask_to_type)()
        elif self.state(need) == "denied":
            self.open_settings(need)

    def open_settings(self, need: Need) -> None:
        """Show the pane of System Settings with the switch."""
        url = self._mac.foundation.NSURL.URLWithString_(LINKS[need])
        self._mac.appkit.NSWorkspace.sharedWorkspace().openURL_(url)

    def advice(self, need: Need) -> str:
        """See the port."""
        return ADVICE[need] + ("" if is_bundled(self._mac) else TERMINAL)

    def _ask_for_microphone(self) -> None:
        av = self._mac.avfoundation

        def answered(_granted: bool) -> None:
            """Who asks looks at `state` again: this is called on a thread of the system's."""

        av.AVCaptureDevice.requestAccessForMediaType_completionHandler_(av.AVMediaTypeAudio, answered)

    def _ask_to_type(self) -> None:
        self._was_asked_to_type = True
        ax = self._mac.accessibility
        ax.AXIsProcessTrustedWithOptions({ax.kAXTrustedCheckOptionPrompt: True})
