"""Which Python values PyObjC takes for a type of Objective-C, and what a block may be."""

import inspect
from collections.abc import Callable
from typing import Any, Final, cast

from tests.support.pyobjc.metadata import split

_INTEGERS: Final = {
    "i": (-(2**31), 2**31),
    "I": (0, 2**32),
    "l": (-(2**63), 2**63),
    "L": (0, 2**64),
    "q": (-(2**63), 2**63),
    "Q": (0, 2**64),
    "s": (-(2**15), 2**15),
    "S": (0, 2**16),
    "T": (0, 2**16),
}


class Block:
    """A Python function where Objective-C wants a block. Behaviours call it as the framework would."""

    def __init__(self, function: Callable[..., Any], about: dict[str, Any]) -> None:
        self._function = function
        types = {place: _text(item["type"]) for place, item in about["arguments"].items()}
        self._argument_count = len(types) - 1  # the block itself is the first
        self._result = _text(about["retval"]["type"])
        modifiers = (item.get("type_modifier", b"") for item in about["arguments"].values())
        self._returned = sum("o" in kind[:1] for kind in types.values()) + sum(b"o" in m for m in modifiers)
        try:
            inspect.signature(function).bind(*range(self._argument_count))
        except TypeError:
            raise TypeError(f"a block is called with {self._argument_count} arguments: {function}") from None

    def __call__(self, *arguments: Any) -> Any:
        """What the function returns, which must be what the block is to return."""
        assert len(arguments) == self._argument_count, "the behaviour calls this block wrongly"
        result = self._function(*arguments)
        if self._returned:
            if not isinstance(result, tuple) or len(cast(tuple[Any, ...], result)) != self._returned + 1:
                raise TypeError("a block with arguments to fill in returns its result and those")
            return cast(tuple[Any, ...], result)
        if self._result == "v" and result is not None:
            raise ValueError("a block without a result returned one")
        return result


def check(value: Any, encoding: str, about: dict[str, Any]) -> Any:  # noqa: PLR0911 - a line for each kind
    """`value` as a fake is given it. Raises TypeError or ValueError for what PyObjC can't convert."""
    if encoding in ("@?", "^?"):
        return _block(value, about)
    if about.get("type_modifier") in ("o", b"o"):
        if value is not None:
            raise TypeError("for an argument that is filled in, only None is passed")
        return None
    if encoding in _INTEGERS:
        return _integer(value, encoding)
    if encoding in "df":
        return _float(value)
    if encoding in "BZc":
        if value not in (True, False):
            raise TypeError(f"{value!r} is no truth value")
        return bool(value)
    if encoding == ":":
        if not isinstance(value, str | bytes):
            raise TypeError(f"{value!r} names no selector")
        return value
    if encoding[0] == "{":
        return _struct(value, encoding)
    if isinstance(value, bool | int | float | str | bytes | bytearray | list | dict | tuple | None):
        return value  # what is bridged to an object
    if getattr(type(value), "is_fake", False):
        return value
    raise TypeError(f"{type(value).__name__} is no object of Objective-C")


def _block(value: Any, about: dict[str, Any]) -> Block | None:
    if value is None:
        return None
    if "callable" not in about:
        raise TypeError("PyObjC does not know the signature of this block")
    if not callable(value):
        raise TypeError(f"{value!r} can't be called")
    return Block(value, about["callable"])


def _integer(value: Any, encoding: str) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no integer")
    low, high = _INTEGERS[encoding]
    if not low <= value < high:
        raise ValueError(f"{value} does not fit `{encoding}`")
    return value


def _float(value: Any) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _struct(value: Any, encoding: str) -> tuple[Any, ...]:
    fields = split(encoding[1:-1].partition("=")[2])
    if not isinstance(value, tuple) or len(cast(tuple[Any, ...], value)) != len(fields):
        raise ValueError(f"{value!r} is no {encoding}")
    return tuple(
        check(item, kind, {}) for item, kind in zip(cast(tuple[Any, ...], value), fields, strict=True)
    )


def _text(kind: bytes | str) -> str:
    return kind.decode() if isinstance(kind, bytes) else kind
