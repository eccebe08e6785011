"""What an object holds, all that it refers to included."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def held_bytes(thing: Any) -> int:
    """Bytes of audio, text and numbers that hang on `thing`: what would grow if something leaked. Objects are
    counted once, and without Python's own overhead."""
    seen: set[int] = set()
    total = 0
    left: deque[Any] = deque([thing])
    while left:
        item = left.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, np.ndarray):
            total += item.nbytes
        elif isinstance(item, str | bytes | bytearray):
            total += len(item)
        elif isinstance(item, int | float):
            total += 8
        else:
            left.extend(_parts(item))
    return total


def _parts(item: Any) -> Iterable[Any]:
    if isinstance(item, Mapping):
        return [*item.keys(), *item.values()]
    if isinstance(item, list | tuple | set | frozenset | deque):
        return item
    if isinstance(item, type) or callable(item):
        return ()
    slots = [name for kind in type(item).__mro__ for name in getattr(kind, "__slots__", ())]
    return [*getattr(item, "__dict__", {}).values(), *(getattr(item, name, None) for name in slots)]
