"""What is served, as Wyoming's `info` says it: kept in memory, because Home Assistant waits one second for it
and gives the server up then."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from api.own_version import own_version
from api.session_desk import SessionDesk
from shared.languages import LANGUAGES
from shared.redis.connection import ConnectionLost
from shared.redis.presence import WorkerPresence

_LOOK_S: Final = 2.0
PROGRAM: Final = "steno"
_URL: Final = "https://github.com/openai/whisper"
_ENGLISH_SUFFIX: Final = ".en"


class Catalog:
    """Models and their languages: what living workers said last, and until one did, what the settings
    promise. A model whose workers are gone for a moment is still listed: Home Assistant would forget its
    languages."""

    def __init__(self, model: str) -> None:
        """`model` is the one that the service is configured with."""
        english = model.rstrip("/").endswith(_ENGLISH_SUFFIX)
        self._models: dict[str, tuple[str, ...]] = {model: ("en",) if english else tuple(sorted(LANGUAGES))}

    @property
    def models(self) -> Mapping[str, Sequence[str]]:
        """Languages by model."""
        return self._models

    def learn(self, workers: Sequence[WorkerPresence]) -> None:
        """Take what living workers say."""
        if workers:
            self._models = {
                w.model: tuple(sorted(w.languages)) for w in workers if w.languages
            } or self._models

    async def learn_forever(self, desk: SessionDesk) -> NoReturn:
        """Ask again and again, through outages."""
        while True:
            with contextlib.suppress(*ConnectionLost):
                self.learn(await desk.workers())
            await asyncio.sleep(_LOOK_S)

    def info(self) -> dict[str, Any]:
        """The data of `info`."""
        program = {
            "name": PROGRAM,
            "attribution": {"name": "Steno", "url": ""},
            "installed": True,
            "description": "Steno: self-hosted transcription with Whisper",
            "version": own_version(),
            "models": [_model(name, languages) for name, languages in sorted(self._models.items())],
            "supports_transcript_streaming": True,
            "requires_external_vad": True,
            "prefers_auto_gain_enabled": False,
            "prefers_noise_reduction_enabled": False,
        }
        others = ("tts", "handle", "intent", "wake", "mic", "snd")
        return {"asr": [program], **{name: [] for name in others}, "satellite": None}


def _model(name: str, languages: Sequence[str]) -> dict[str, Any]:
    shown = name.rstrip("/").rpartition("/")[2] or name
    return {
        "name": name,
        "attribution": {"name": "OpenAI", "url": _URL},
        "installed": True,
        "description": f"Whisper {shown}",
        "version": None,
        "languages": list(languages),
    }
