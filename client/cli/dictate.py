"""`steno dictate`: talk, and it types into the app in front."""

import json
import logging
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from client.errors import NotInstalled
from shared import logs
from shared.errors import StenoError

Action = Literal["run", "on", "off", "toggle", "undo", "status", "quit", "selftest"]


def dictate(
    action: Annotated[
        Action,
        typer.Argument(help="run, or what the one that runs is to do; selftest says what works here."),
    ] = "run",
    settings: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="No icon and no window: lines on stderr.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Log what happens: ids and lengths, no text.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Talk, and it types into the app in front.

    Without an action it stays and waits for the hotkey (by default Ctrl+Alt+D). With one it tells the
    dictation that runs what to do: where programs can't take keys, let your desktop call
    `steno dictate toggle`.
    """
    try:
        from client.dictation import control
        from client.dictation import settings as settings_file
    except ImportError:
        raise NotInstalled("dictation needs its extra: pip install 'steno[dictation]'") from None
    if action in control.VERBS:
        answer = control.ask(control.folder(), action)
        if as_json:
            print(json.dumps(answer))
        else:
            _tell(answer)
        return
    logs.configure("debug" if debug else "warning")
    path = settings or settings_file.settings_path()
    loaded = settings_file.load(path)
    try:
        if sys.platform == "darwin":
            from client.dictation.macos.desktop import desktop
        else:
            from client.dictation.linux.desktop import desktop
        from client.dictation.app import App
        from client.dictation.selftest import run_selftest
    except ImportError:
        raise NotInstalled("dictation needs its extra: pip install 'steno[dictation]'") from None
    if action == "selftest":
        raise typer.Exit(0 if run_selftest(loaded, desktop) else 1)
    try:
        App(loaded, desktop(loaded, plain=plain), control.folder(), settings_file=path).run()
    except StenoError:
        raise
    except Exception as error:  # noqa: BLE001 - its text may hold what was said
        logging.getLogger(__name__).error("dictation failed", extra={"kind": type(error).__name__})
        raise typer.Exit(1) from None


def _tell(answer: dict[str, object]) -> None:
    shown = ("state", "headline", "notice", "app", "session", "history")
    for name in shown:
        if answer.get(name) not in ("", None):
            print(f"{name:9} {answer[name]}")
