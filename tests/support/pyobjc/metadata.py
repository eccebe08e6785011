"""What PyObjC's wheels say of Apple's frameworks: names, values, and signatures that the Objective-C runtime
does not know. The wheels are for macOS; the modules read here are plain Python."""

import functools
import re
import runpy
import struct
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest import mock

import pytest

FOLDER: Final = Path(__file__).parents[3] / ".macos-wheels"
"""Where `make` unpacks the wheels of `wheels.txt`."""

PARENTS: Final = {
    "CoreFoundation": (),
    "Foundation": ("CoreFoundation",),
    "AppKit": ("Foundation",),
    "Quartz": ("Quartz.CoreGraphics", "AppKit"),
    "Quartz.CoreGraphics": ("CoreFoundation",),
    "HIServices": ("AppKit",),
    "ApplicationServices": ("HIServices", "Quartz"),
    "CoreAudio": ("CoreFoundation",),
    "CoreMedia": ("CoreFoundation",),
    "AVFAudio": ("CoreAudio", "Foundation"),
    "AVFoundation": ("AVFAudio", "CoreAudio", "CoreMedia", "Foundation"),
    "ServiceManagement": ("CoreFoundation",),
    "Carbon": ("CoreFoundation",),
}
"""Each framework and whose names it has beside its own, as its `__init__` says."""
_WITHOUT_METADATA: Final = frozenset({"Quartz", "ApplicationServices"})
"""Only gather others."""


@dataclass(frozen=True, slots=True)
class Function:
    """A C function."""

    result: str
    arguments: tuple[str, ...]
    extra: dict[int, dict[str, Any]]
    """By argument: what its type does not say."""


@dataclass(slots=True)
class Names:
    """What one framework adds."""

    constants: frozenset[str] = frozenset()
    """Known by name; their values are in the framework."""
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    functions: dict[str, Function] = field(default_factory=dict[str, Function])


@dataclass(slots=True)
class Metadata:
    """All frameworks."""

    names: dict[str, Names] = field(default_factory=dict[str, Names])
    selectors: dict[tuple[str, str], dict[str, Any]] = field(
        default_factory=dict[tuple[str, str], dict[str, Any]]
    )
    """By class and selector. What was registered last holds, so `AVFoundation` replaces `AVFAudio`."""


@functools.cache
def read() -> Metadata:
    """The metadata of all frameworks, in the order in which PyObjC would import them. Skips the test where
    the wheels were not unpacked."""
    need_wheels()
    metadata = Metadata()
    for name in PARENTS:
        metadata.names[name] = Names() if name in _WITHOUT_METADATA else _read_one(name, metadata)
    return metadata


def need_wheels() -> None:
    """Skip the test where they are not."""
    if not (FOLDER / "ready").exists():
        pytest.skip("PyObjC's wheels are not here; `make test` unpacks them")


def read_file(path: str) -> tuple[Names, Metadata]:
    """What one more file of metadata adds."""
    need_wheels()
    metadata = Metadata()
    return _read_path(FOLDER / path, metadata), metadata


def _read_one(name: str, metadata: Metadata) -> Names:
    return _read_path(FOLDER.joinpath(*name.split("."), "_metadata.py"), metadata)


def _read_path(path: Path, metadata: Metadata) -> Names:
    with mock.patch.dict(sys.modules, {"objc": _recorder(metadata)}):
        raw = runpy.run_path(str(path))
    values: dict[str, Any] = dict(raw.get("misc", {}))
    for item in raw.get("enums", "").split("$"):
        if item:
            key, _, value = item.partition("@")
            values[key] = _value(value)
    for alias, target in raw.get("aliases", {}).items():
        if target in values:
            values[alias] = values[target]
    return Names(
        constants=frozenset(item.partition("@")[0] for item in raw.get("constants", "").split("$") if item),
        values=values,
        functions={key: _function(*value) for key, value in raw.get("functions", {}).items()},
    )


def _recorder(metadata: Metadata) -> Any:
    objc = types.ModuleType("objc")

    def register(cls: bytes, selector: bytes, about: dict[str, Any]) -> None:
        metadata.selectors[cls.decode(), selector.decode()] = about

    ignored: Any = lambda *_args, **_more: None  # noqa: E731
    for name in ("registerNewKeywords", "registerNewKeywordsFromSelector", "_updatingMetadata", "selector"):
        setattr(objc, name, ignored)
    for name in ("createOpaquePointerType", "createStructType", "informal_protocol"):
        setattr(objc, name, lambda name, *_args, **_more: name)
    objc.registerMetaDataForSelector = register  # type: ignore[attr-defined]
    objc.arch = "arm64"  # type: ignore[attr-defined]
    objc.NULL = None  # type: ignore[attr-defined]
    return objc


def _value(text: str) -> int | float:
    if text.startswith("'"):  # four characters
        return struct.unpack(">l", text[1:-1].encode("latin1"))[0]
    return float(text) if "." in text or "e" in text else int(text)


def _function(signature: bytes | str, _doc: str = "", about: dict[str, Any] | None = None) -> Function:
    text = signature.decode() if isinstance(signature, bytes) else signature
    result, *arguments = split(text)
    return Function(result, tuple(arguments), (about or {}).get("arguments", {}))


_QUALIFIERS: Final = "rnNoORV"


def split(encoding: str) -> list[str]:
    """The types in a type encoding, without qualifiers."""
    found: list[str] = []
    rest = encoding
    while rest:
        rest = rest.lstrip(_QUALIFIERS)
        end = _end(rest)
        found.append(rest[:end])
        rest = re.sub(r"^\d+", "", rest[end:])
    return found


def _end(text: str) -> int:
    if text[0] == "^":
        return 1 + _end(text[1:])
    if text.startswith(("@?", "^?")):
        return 2
    if text[0] not in "{([":
        return 1
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "{([") - (character in "})]")
        if depth == 0:
            return place + 1
    raise ValueError(f"{text} does not end")
