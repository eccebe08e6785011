"""From settings' values to an engine."""

import os

from shared.models import resolve
from worker.engine.api import WITHOUT_WEIGHTS, Engine, EngineOptions, make_engine


def load(
    engine: str, model: str, *, device: str = "auto", compute_type: str = "auto", threads: int = 1
) -> Engine:
    """Resolve the model and load it; it is not warm yet. `threads`: see `threads_for`. Raises
    `BadParameter`, `ModelUnavailable` or `EngineFault`."""
    path, multilingual = None, True
    if engine not in WITHOUT_WEIGHTS:
        files = resolve(model)
        path, multilingual = files.path, files.multilingual
    options = EngineOptions(
        model=model,
        path=path,
        multilingual=multilingual,
        device=device,
        compute_type=compute_type,
        threads=threads,
    )
    return make_engine(engine, options)


def threads_for(device: str, *, processes: int = 1) -> int:
    """Decodes at once: the cores of this machine, shared between so many processes that decode. On CUDA one
    call fills the device."""
    if device == "cuda":
        return 1
    return max(1, (os.cpu_count() or 1) // max(1, processes))
