"""Microphone and Accessibility: asked once, then opened in System Settings; launch at login."""

import pytest

from client.dictation.macos.links import ADVICE, LINKS
from client.dictation.macos.login import BUNDLE, LaunchAtLogin
from client.dictation.macos.permissions import MacPermissions
from tests.support.pyobjc.mac import FakeMac


@pytest.mark.parametrize(("status", "state"), [(0, "unknown"), (1, "denied"), (2, "denied"), (3, "granted")])
def test_the_microphone_s_state_is_the_systems(mac: FakeMac, status: int, state: str) -> None:
    """Restricted by an administrator is denied."""
    mac.microphone.authorized = status
    assert MacPermissions(mac).state("microphone") == state


def test_the_system_asks_for_the_microphone_once(mac: FakeMac) -> None:
    """A second request opens the settings, because the system would say nothing."""
    permissions = MacPermissions(mac)
    mac.microphone.authorized = 0
    permissions.request("microphone")
    assert mac.microphone.answer is not None
    mac.microphone.answer(False)
    assert mac.opened == []
    mac.microphone.authorized = 2
    permissions.request("microphone")
    assert mac.opened == [LINKS["microphone"]]
    mac.microphone.authorized = 3
    permissions.request("microphone")
    assert len(mac.opened) == 1


def test_the_system_asks_for_accessibility_once(mac: FakeMac) -> None:
    """It does not tell a refusal from a question that was never asked."""
    permissions = MacPermissions(mac)
    mac.is_trusted = False
    assert permissions.state("typing") == "unknown"
    permissions.request("typing")
    assert mac.trust_prompts == 1
    assert permissions.state("typing") == "denied"
    permissions.request("typing")
    assert (mac.trust_prompts, mac.opened) == (1, [LINKS["typing"]])
    mac.is_trusted = True
    assert permissions.state("typing") == "granted"


def test_advice_says_whose_permission_it_is(mac: FakeMac) -> None:
    """From a terminal, it is the terminal's."""
    permissions = MacPermissions(mac)
    assert "terminal" in permissions.advice("typing")
    mac.runtime.behaviours["NSBundle"].identifier = BUNDLE
    assert permissions.advice("typing") == ADVICE["typing"]
    assert all(link.startswith("x-apple.systempreferences:") for link in LINKS.values())


def test_launch_at_login_is_for_the_app(mac: FakeMac) -> None:
    """A script can't be started by the system."""
    login = LaunchAtLogin(mac)
    assert login.state() == "unavailable"
    login.toggle()
    mac.runtime.behaviours["NSBundle"].identifier = BUNDLE
    assert login.state() == "off"
    login.toggle()
    assert login.state() == "on"
    login.toggle()
    assert login.state() == "off"
    mac.runtime.behaviours["SMAppService"].state_now = 2
    assert login.state() == "approve"
    login.toggle()
    assert mac.runtime.called("openSystemSettingsLoginItems") == [()]
