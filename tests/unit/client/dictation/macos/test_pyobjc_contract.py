"""The fakes refuse what PyObjC would refuse; versions, systems and the app's configuration fit together."""

import re
import subprocess
import sys
import threading
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from client.dictation.macos.login import BUNDLE
from tests.support.pyobjc import headers, metadata
from tests.support.pyobjc.mac import FakeMac

ROOT = Path(__file__).parents[5]
APP = tomllib.loads((ROOT / "deploy/macos/pyproject.toml").read_text())["tool"]["briefcase"]
MAC = APP["app"]["dictation"]["macOS"]


def ask_for_microphone(mac: FakeMac, answer: Any) -> None:
    """With a block."""
    device = mac.avfoundation.AVCaptureDevice
    device.requestAccessForMediaType_completionHandler_(mac.avfoundation.AVMediaTypeAudio, answer)


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda mac: mac.appkit.NSStatusBarr, AttributeError),
        (lambda mac: mac.appkit.NSStatusItemLengthVariable, AttributeError),
        (lambda mac: mac.appkit.NSStatusBar.systemStatusBars(), AttributeError),
        (lambda mac: mac.appkit.NSStatusBar.systemStatusBar().statusItemWithLength_(), TypeError),
        (lambda mac: mac.appkit.NSStatusBar.systemStatusBar().statusItemWithLength_("wide"), TypeError),
        (lambda mac: mac.appkit.NSMenu.alloc().initWithTitle_(object()), TypeError),
        (lambda mac: mac.appkit.NSPanel.alloc().setFrameOrigin_((1.0, 2.0, 3.0)), ValueError),
        (lambda mac: mac.quartz.CGEventPost(0), TypeError),
        (lambda mac: mac.quartz.CGEventCreateKeyboardEvent(None, 1 << 20, True), ValueError),
        (lambda mac: mac.quartz.CGEventKeyboardSetUnicodeString(None, 3, "ab"), ValueError),
        (lambda mac: mac.avfoundation.AVAudioEngine.alloc().init().startAndReturnError_(), TypeError),
        (lambda mac: mac.avfoundation.AVAudioEngine.alloc().init().startAndReturnError_("x"), TypeError),
        (lambda mac: ask_for_microphone(mac, lambda: None), TypeError),
        (lambda mac: type("Bad", (mac.foundation.NSObject,), {"picked_": lambda self: None}), TypeError),
    ],
)
def test_what_pyobjc_would_refuse_is_refused(mac: FakeMac, act: Any, error: type[Exception]) -> None:
    """Or these tests would show nothing."""
    with pytest.raises(error):
        act(mac)


def test_lengths_of_text_are_utf16_units(mac: FakeMac) -> None:
    """One that counts characters cuts an emoji in half, without an error: as the bridge does it."""
    seen: list[str] = []
    mac.runtime.behaviours["CGEventKeyboardSetUnicodeString"] = lambda _e, _n, text: seen.append(text)
    mac.quartz.CGEventKeyboardSetUnicodeString(None, len("👍"), "👍")
    mac.quartz.CGEventKeyboardSetUnicodeString(None, 2, "👍")
    assert seen == ["\ud83d", "👍"]


def test_views_belong_to_the_main_thread(mac: FakeMac) -> None:
    """AppKit off it ends the process, sooner or later."""
    caught: list[BaseException] = []

    def off() -> None:
        try:
            mac.appkit.NSMenu.alloc().initWithTitle_("x")
        except AssertionError as error:
            caught.append(error)

    thread = threading.Thread(target=off)
    thread.start()
    thread.join()
    assert caught


def test_blocks_and_out_arguments_are_known_to_pyobjc(mac: FakeMac) -> None:
    """Without this metadata a call fails on the Mac alone."""
    selectors = metadata.read().selectors
    for name, cls in headers.read().items():
        for selector, method in cls.methods.items():
            about = selectors.get((name, selector[1:]), {}).get("arguments", {})
            for place, kind in enumerate(method.arguments, 2):
                if kind == "@?":
                    assert "callable" in about[place], (name, selector)
                if kind == "^@":
                    assert about[place]["type_modifier"] == b"o", (name, selector)


def test_all_that_is_used_is_there_in_the_oldest_macos() -> None:
    """Which the app's configuration names."""
    oldest = tuple(map(int, MAC["min_os_version"].split(".")))
    for name, cls in headers.read().items():
        for selector, method in cls.methods.items():
            since = tuple(map(int, method.since.split("."))) if method.since else (10, 0)
            assert since <= oldest, (name, selector)


def test_versions_are_the_same_everywhere() -> None:
    """Those that are installed on a Mac, that are in the app, and that were read here."""
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["macos"]
    assert all("sys_platform == 'darwin'" in line for line in extra if line.startswith("pyobjc"))
    assert [line.partition(";")[0] for line in extra] == MAC["requires"]
    pinned = dict(line.lower().split("==") for line in MAC["requires"] if "==" in line)
    assert len(set(pinned.values())) == 1, "parts of two releases do not fit together"
    read = re.findall(
        r"^(pyobjc\S+)==(\S+)", (Path(metadata.__file__).parent / "wheels.txt").read_text(), re.M
    )
    assert {version for _, version in read} == set(pinned.values())
    assert {name for name, _ in read} - {"pyobjc-framework-carbon"} <= set(pinned)


def test_the_app_may_listen_and_has_no_icon_in_the_dock() -> None:
    """Without the words macOS ends an app that listens; without the entitlement it hears silence."""
    app = APP["app"]["dictation"]
    assert app["permission"]["microphone"]
    assert MAC["entitlement"] == {"com.apple.security.device.audio-input": True}
    assert MAC["info"] == {"LSUIElement": True}
    assert MAC["universal_build"]
    assert f"{APP['bundle']}.dictation" == BUNDLE
    assert all((ROOT / "deploy/macos" / source).is_dir() for source in app["sources"])


def test_the_app_brings_what_dictation_imports() -> None:
    """And it imports nothing of the service."""
    script = (
        "import sys; before = set(sys.modules);"
        "import client.cli.main, client.cli.dictate, client.dictation.control, client.dictation.app;"
        "import client.dictation.selftest, client.dictation.macos.desktop;"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    command = [sys.executable, "-c", script]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    owners = packages_distributions()
    imported = {owners[name][0].lower() for name in shown.stdout.split() if name in owners}
    requires = {
        re.split(r"[><=;\[]", line)[0].lower()
        for line in APP["app"]["dictation"]["requires"] + MAC["requires"]
    }
    own = {"steno", "setuptools", "click"}  # click: httpx takes it where it is
    needed = {"pydantic", "pydantic-core", "pydantic_core"}  # of pydantic-settings
    assert imported - own - needed - _required_by(requires) <= requires


def _required_by(names: set[str]) -> set[str]:
    from importlib.metadata import PackageNotFoundError, requires

    found: set[str] = set()
    todo = list(names)
    while todo:
        try:
            lines = requires(todo.pop()) or []
        except PackageNotFoundError:
            continue
        for line in lines:
            name = re.split(r"[ ><=;!~\[(]", line)[0].lower()
            if "extra ==" not in line and name not in found:
                found |= {name, name.replace("-", "_")}
                todo.append(name)
    return found
