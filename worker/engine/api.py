"""What an engine is, and how one is chosen by name.

Engines are imported when they are made: importing one loads native libraries that a process without it
must not need.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared.errors import BadParameter, ModelUnavailable
from worker.core.decode import DecodeRequest, DecodeResult, EngineInfo
from worker.core.window import WindowPolicy


class Engine(Protocol):
    """Decodes batches of windows. `decode` may be called from `info.parallel` threads at once; the rest
    from one."""

    @property
    def info(self) -> EngineInfo:
        """Capabilities; valid from construction on."""
        ...

    def prepare(self) -> None:
        """Warm up: the first real decode is as quick as the next."""
        ...

    def decode(self, batch: Sequence[DecodeRequest]) -> list[DecodeResult]:
        """Results in the order of the requests. Raises `EngineFault`; then no request of the batch has a
        result."""
        ...

    def close(self) -> None:
        """Give the device back."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What an engine is made with."""

    model: str
    """Name for people and for sessions that ask for a model."""
    path: Path | None = None
    """Model directory; None for engines without weights."""
    multilingual: bool = True
    device: str = "auto"
    compute_type: str = "auto"
    threads: int = 1
    """Decodes at once."""
    batch_max: int = 0
    """Most rows of one call; 0 for what suits the device."""
    window: WindowPolicy | None = None
    """How long windows are; None for what suits the model."""


def _faster_whisper(options: EngineOptions) -> Engine:
    from worker.engine.ctranslate import CTranslate2Backend
    from worker.engine.whisper import WhisperEngine

    return WhisperEngine(CTranslate2Backend(options), options)


def _huggingface(options: EngineOptions) -> Engine:
    from worker.engine.huggingface import TransformersBackend
    from worker.engine.whisper import WhisperEngine

    return WhisperEngine(TransformersBackend(options), options)


def _scripted(options: EngineOptions) -> Engine:
    from worker.engine.scripted import ScriptedEngine

    return ScriptedEngine(options)


_FASTER = "faster_whisper"
_SHORT = {_FASTER: "faster"}
_EXTRAS: dict[str, str] = dict.fromkeys(("safetensors", "torch", "transformers"), "huggingface")
"""Packages that are not in the extra `worker`."""
ENGINES: dict[str, Callable[[EngineOptions], Engine]] = {
    _FASTER: _faster_whisper,
    "huggingface": _huggingface,
    "scripted": _scripted,
}
WITHOUT_WEIGHTS = frozenset({"scripted"})


def check_engine(name: str) -> None:
    """Raises `BadParameter` that lists the engines when `name` is none."""
    known = ", ".join(_SHORT.get(engine, engine) for engine in sorted(ENGINES))
    if name == "remote":
        raise BadParameter(
            "STENO_ENGINE is 'remote', which is for applications that ask a service; a worker is that "
            f"service: it must be one of {known}"
        )
    if name not in ENGINES:
        raise BadParameter(f"STENO_ENGINE (STT_BACKEND) is {name!r}; it must be one of {known}")


def make_engine(name: str, options: EngineOptions) -> Engine:
    """Load an engine. Raises `BadParameter` for an unknown name, `ModelUnavailable` or `EngineFault` when
    it can't be loaded."""
    check_engine(name)
    try:
        return ENGINES[name](options)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise ModelUnavailable(
            f"the {_SHORT.get(name, name)} engine needs the package {package}: "
            f"pip install 'steno[{_EXTRAS.get(package, 'worker')}]'"
        ) from None
