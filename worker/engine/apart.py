"""Windows of files decoded together, so that one that can't be decoded takes none of the others with it."""

from collections.abc import Sequence

from shared.errors import DeviceFault, EngineFault
from worker.core.decode import DecodeRequest, DecodeResult
from worker.engine.api import Engine


def decode_apart(engine: Engine, requests: Sequence[DecodeRequest]) -> list[DecodeResult | EngineFault]:
    """Decode a batch, and where that fails one request after the other. Raises `DeviceFault`, and the fault
    of a single request."""
    try:
        return [*engine.decode(requests)]
    except DeviceFault:
        raise
    except EngineFault:
        if len(requests) == 1:
            raise
    return [_alone(engine, request) for request in requests]


def _alone(engine: Engine, request: DecodeRequest) -> DecodeResult | EngineFault:
    try:
        return engine.decode([request])[0]
    except DeviceFault:
        raise
    except EngineFault as fault:
        return fault
