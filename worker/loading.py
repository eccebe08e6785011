"""From settings' values to an engine."""

import os

from shared.models import resolve
from worker.engine.api import WITHOUT_WEIGHTS, Engine, EngineOptions, check_engine, make_engine


def load(
    engine: str,
    model: str,
    *,
    device: str = "auto",
    compute_type: str = "auto",
    threads: int = 0,
    processes: int = 1,
    batch_max: int = 0,
) -> Engine:
    """Resolve the model and load it; it is not warm yet. `threads` are decodes at once; 0: as many as suit a
    device that so many `processes` of this machine share. `batch_max` are the most rows of one call; 0: what
    suits the device. Raises `BadParameter`, `ModelUnavailable` or `EngineFault`."""
    check_engine(engine)
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
        threads=threads or threads_for(engine, device, processes=processes),
        batch_max=batch_max,
    )
    return make_engine(engine, options)


def threads_for(engine: str, device: str, *, processes: int = 1) -> int:
    """Decodes at once: the cores of this machine, shared between its processes. On CUDA one call fills the
    device."""
    if device == "auto" and engine == "faster_whisper":
        from worker.engine.devices import choose_device

        device, _ = choose_device(device, "default")
    if device == "cuda":
        return 1
    return max(1, (os.cpu_count() or 1) // max(1, processes))
