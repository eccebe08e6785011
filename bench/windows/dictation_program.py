"""`steno dictate`, which also writes down what the server said and what was shown: finals as lines of JSON in
the file `STENO_TEST_FINALS`, each light in `STENO_TEST_LIGHTS`."""

import json
import os
from pathlib import Path

from client.cli.main import main
from client.dictation.app import App
from client.dictation.core.moves import Guessed, Input, Said

finals, lights = Path(os.environ["STENO_TEST_FINALS"]), Path(os.environ["STENO_TEST_LIGHTS"])
tell = App.tell


def told(self: App, event: Input) -> None:
    """Write it down, and go on."""
    tell(self, event)
    if isinstance(event, Said):
        line = {"run": event.run, "utterance": event.final.utterance, "text": event.final.text}
        with finals.open("a") as out:
            out.write(json.dumps(line) + "\n")
    with lights.open("a") as out:
        view = self._machine.view()  # pyright: ignore[reportPrivateUsage]
        said = "+" if isinstance(event, Guessed) and event.text else ""
        out.write(f"{view.light}{said}\n")


App.tell = told
main()
