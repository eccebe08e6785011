"""FastRTC, imported. It has no types that would be of use, and is not among the locked packages."""

import os
from importlib import import_module
from typing import Any, Final

from client.errors import NotInstalled


def _library() -> Any:
    # Gradio, which FastRTC brings, tells its makers of every start unless it is asked not to.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        return import_module("fastrtc")
    except ModuleNotFoundError as error:
        raise NotInstalled(f"FastRTC needs the package {error.name}: pip install 'steno[fastrtc]'") from None


FASTRTC: Final = _library()
