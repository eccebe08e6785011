"""Classes and methods as Apple's headers declare them, for what our code uses: `selectors.txt`, written by
hand.

    python -m tests.support.pyobjc.headers CLONE

compares the table with the headers of macOS 26 as they are recorded in a clone of PyObjC's repository with
its tags, and prints what differs.
"""

import functools
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

TABLE: Final = Path(__file__).with_name("selectors.txt")

_RECORDS: Final = {
    # v12.1 for AppKit: the newest one whose record a shallow mirror holds.
    "AppKit": "v12.1:pyobjc-framework-Cocoa/metadata/raw.AppKit/arm64-26.1.fwinfo",
    "Foundation": "v12.2.2:pyobjc-framework-Cocoa/metadata/raw.Foundation/arm64-26.5.fwinfo",
    "AVFAudio": "v12.2.2:pyobjc-framework-AVFoundation/metadata/raw.AVFAudio/arm64-26.5.fwinfo",
    "AVFoundation": "v12.2.2:pyobjc-framework-AVFoundation/metadata/raw.AVFoundation/arm64-26.5.fwinfo",
    "ServiceManagement": "v12.2.2:pyobjc-framework-ServiceManagement/metadata/raw/arm64-26.5.fwinfo",
}


@dataclass(frozen=True, slots=True)
class Method:
    """A method, or an accessor of a property."""

    result: str
    arguments: tuple[str, ...]
    since: str
    """The macOS that has it first; empty when it was always there."""


@dataclass(slots=True)
class Class:
    """What is declared of a class."""

    framework: str
    parent: str
    methods: dict[str, Method] = field(default_factory=dict[str, Method])
    """By `-selector` and `+selector`."""


@functools.cache
def read() -> dict[str, Class]:
    """The table: `framework`, then classes with their parent, each followed by its methods as
    `-selector result argument… [since]`."""
    classes: dict[str, Class] = {}
    framework, current = "", Class("", "")
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "framework":
            framework = words[1]
        elif words[0][0] in "-+":
            since = words.pop()[1:] if words[-1].startswith("≥") else ""
            selector, result, *arguments = words
            current.methods[selector] = Method(result, tuple(arguments), since)
        else:
            current = classes[words[0]] = Class(framework, words[1] if len(words) > 1 else "")
    return classes


def declared(definitions: dict[str, Any]) -> dict[str, Class]:
    """The classes of one framework's record."""
    found: dict[str, Class] = {}
    for name, record in definitions["classes"].items():
        cls = found[name] = Class("", record.get("super") or "")
        for method in record.get("methods", ()):
            types = tuple(argument["typestr"] for argument in method["args"])
            key = ("+" if method["class_method"] else "-") + method["selector"]
            cls.methods[key] = Method(method["retval"]["typestr"], types, method.get("introduced", ""))
        for item in record.get("properties", ()):
            for key, method in _accessors(item):
                cls.methods[key] = method
    return found


def _accessors(item: dict[str, Any]) -> list[tuple[str, Method]]:
    name, kind, since = item["name"], item["typestr"], item.get("introduced", "")
    sign = "+" if "class" in item["attributes"] else "-"
    getter, setter = item.get("getter") or name, f"set{name[0].upper()}{name[1:]}:"
    for attribute in item["attributes"]:
        if isinstance(attribute, list) and attribute[0] == "getter":
            getter = attribute[1]
    accessors = [(sign + getter, Method(kind, (), since))]
    if "readonly" not in item["attributes"]:
        accessors.append((sign + setter, Method("v", (kind,), since)))
    return accessors


def differences(clone: Path) -> list[str]:
    """What the table says otherwise than the records in a clone of PyObjC's repository."""
    records = {name: declared(_record(clone, where)) for name, where in _RECORDS.items()}
    found: list[str] = []
    for name, cls in read().items():
        owner = records[cls.framework].get(name)
        if owner is None:
            found.append(f"{cls.framework} has no {name}")
            continue
        if owner.parent != cls.parent:
            found.append(f"{name} inherits from {owner.parent}")
        # A framework may add methods to a class of another one.
        methods = {
            k: m for record in records.values() if name in record for k, m in record[name].methods.items()
        }
        for selector, method in cls.methods.items():
            if methods.get(selector) != method:
                found.append(f"{name} {selector}: {methods.get(selector)}")
    return found


def _record(clone: Path, where: str) -> dict[str, Any]:
    shown = subprocess.run(
        ["git", "-C", str(clone), "show", where], capture_output=True, text=True, check=True
    )
    lines = (line for line in shown.stdout.splitlines() if not line.startswith("//"))
    return json.loads("\n".join(lines))["definitions"]


if __name__ == "__main__":
    wrong = differences(Path(sys.argv[1]))
    print("\n".join(wrong) or "the table is as the headers are")
    sys.exit(bool(wrong))
