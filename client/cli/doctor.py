"""`steno doctor`: what would keep the service from running here, and what to do about it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final, cast

import typer

from client.cli import flags
from client.cli.findings import Row, files_row, port_rows, redis_rows, split, tls_rows, tried
from client.cli.preflight import check_data_dir
from shared.errors import ModelUnavailable
from shared.settings import Settings, load_settings

_PROBE_S_MAX: Final = 60.0

# Native libraries that don't fit the machine can end the process that loads them, so they are asked in one
# of their own.
_DEVICE_PROBE: Final = """
import json, ctranslate2 as ct2
count = ct2.get_cuda_device_count()
types = {d: sorted(ct2.get_supported_compute_types(d)) for d in ["cpu", "cuda"][: 2 if count else 1]}
print(json.dumps({"version": ct2.__version__, "cuda_count": count, "types": types}))
"""
_AUDIO_PROBE: Final = """
import json, sounddevice
print(json.dumps([d["name"] for d in sounddevice.query_devices() if d["max_input_channels"]]))
"""

_MARKS: Final = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


def doctor(
    host: flags.Host = None,
    port: flags.Port = None,
    model: flags.Model = None,
    device: flags.Device = None,
    redis_url: flags.RedisUrl = None,
    data_dir: flags.DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check the machine and the settings. Exit status 1 when something would fail."""
    settings = load_settings(
        host=host, port=port, model=model, device=device, redis_url=redis_url, data_dir=data_dir
    )
    rows = list(examine(settings))
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        for row in rows:
            print(f"{_MARKS[row.status]}  {row.name:<11} {row.detail}")
            if row.remedy:
                print(f"{'':<18}{row.remedy}")
    raise typer.Exit(any(row.status == "fail" for row in rows))


def examine(settings: Settings) -> Iterator[Row]:
    """All findings, in the order in which `steno up` would meet the problems."""
    yield from port_rows(settings)
    yield tried("data", f"{settings.data_dir} can be written", lambda: check_data_dir(settings.data_dir))
    yield from tls_rows(settings)
    yield from redis_rows(settings)
    yield files_row(settings)
    yield Row("cpu", "ok", f"{_core_count()} cores")
    if settings.engine == "faster_whisper":
        yield from device_rows(settings, _probe(_DEVICE_PROBE))
        yield _model(settings)
    yield microphone_row(_probe(_AUDIO_PROBE))


def device_rows(settings: Settings, probe: "Probe") -> Iterator[Row]:
    """What the probe of the decoder's library says about the chosen device and compute type."""
    if probe.said is None:
        remedy = "Install the worker's packages: pip install 'steno[worker]'."
        yield Row("device", "fail", f"the decoder's library does not load ({probe.reason})", remedy)
        return
    said = cast(dict[str, Any], probe.said)
    types = cast(dict[str, list[str]], said["types"])
    device = settings.device if settings.device != "auto" else max(types, key=["cpu", "cuda"].index)
    if device not in types:
        remedy = "Set STENO_DEVICE to cpu or auto, or install the NVIDIA driver and CUDA 12 with cuBLAS."
        yield Row("device", "fail", "cuda was asked for, but no CUDA device is seen", remedy)
        return
    found = f"{said['cuda_count']} CUDA device(s) seen" if said["cuda_count"] else "no CUDA device seen"
    yield Row("device", "ok", f"{device} (ctranslate2 {said['version']}; {found})")
    known = ", ".join(types[device])
    if settings.compute_type in ("auto", "default", *types[device]):
        yield Row("compute", "ok", f"{settings.compute_type} (this {device} knows {known})")
    else:
        detail = f"{settings.compute_type} is not known to this {device}"
        yield Row("compute", "fail", detail, f"Set STENO_COMPUTE_TYPE to auto, or to one of {known}.")


def microphone_row(probe: "Probe") -> Row:
    """Whether `steno listen mic` can work. Not having one is no fault."""
    if probe.said:
        return Row("microphone", "ok", ", ".join(cast(list[str], probe.said)))
    if probe.said is None:
        remedy = "Only for `steno listen mic`: pip install 'steno[mic]', and the PortAudio library."
        return Row("microphone", "warn", f"can't be used ({probe.reason})", remedy)
    return Row("microphone", "warn", "none found", "Only for `steno listen mic`: connect one.")


@dataclass(frozen=True, slots=True)
class Probe:
    """What a probe printed as JSON, or None and the last line of its complaint."""

    said: object
    reason: str = ""


def _probe(script: str) -> Probe:
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", script],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_PROBE_S_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Probe(None, f"no answer in {_PROBE_S_MAX:.0f} s")
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return Probe(None, lines[-1] if lines else f"ended with status {done.returncode}")
    return Probe(json.loads(done.stdout))


def _model(settings: Settings) -> Row:
    from shared.models import repository, resolve

    name = settings.model
    try:
        found = resolve(name, download=False)
    except ModelUnavailable as error:
        try:
            repository(name)
        except ModelUnavailable:  # neither a directory nor a name
            return Row("model", "fail", *split(error))
        return Row("model", "warn", *split(error))
    languages = "multilingual" if found.multilingual else "English only"
    return Row("model", "ok", f"{name} ({languages}) in {found.path}")


def _core_count() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
