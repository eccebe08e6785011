"""Frameworks made of the metadata and the table of headers: what our macOS code imports, in tests."""

import inspect
import itertools
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar, Final

from tests.support.pyobjc import headers, metadata
from tests.support.pyobjc.conversion import check
from tests.support.pyobjc.metadata import PARENTS, Function

_ANY_THREAD: Final = frozenset({"NSWorkspace", "NSRunningApplication", "NSPasteboard", "NSSound", "NSColor"})
"""Classes of AppKit that may be used off the main thread."""


class FakeClass(type):
    """A class of Objective-C. A subclass that is written in Python is checked as PyObjC would."""

    runtime: "Runtime"
    is_fake: ClassVar = True

    def __new__(meta, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> "FakeClass":
        if space.get("runtime") is None and bases:
            for key, value in space.items():
                if inspect.isfunction(value) and not key.startswith("__"):
                    _check_method(name, key, value)
        return super().__new__(meta, name, bases, space)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return cls.runtime.method(cls, None, name)


class FakeObject(metaclass=FakeClass):
    """An object of Objective-C. `state` is for behaviours and tests."""

    runtime: Any = None

    def __init__(self) -> None:
        self.state = SimpleNamespace()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "state":
            raise AttributeError(name)
        return self.runtime.method(type(self), self, name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def _check_method(cls: str, name: str, function: Callable[..., Any]) -> None:
    wanted = name.count("_") if not name.startswith("_") else None
    if wanted is not None and len(inspect.signature(function).parameters) != wanted + 1:
        raise TypeError(f"{cls}.{name} takes {wanted} arguments as a selector; see objc.python_method")


class Framework:
    """What `import NAME` gives."""

    def __init__(self, runtime: "Runtime", name: str) -> None:
        self._runtime = runtime
        self._name = name
        self._names = metadata.read().names[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = self._runtime.find(self._name, name)
        if found is None:
            raise AttributeError(f"{self._name} has no {name}")
        return found


class Runtime:
    """One fake macOS. It belongs to the thread that makes it: that is its main thread.

    `behaviours` are classes, by the name of the class of Objective-C that they stand for, and functions by
    their name; `cocoa.py` has them. Without one, initialisers return the object, setters are remembered for
    getters, and what has no result does nothing; anything else is an error.
    """

    def __init__(self) -> None:
        self.main_thread = threading.current_thread()
        self.behaviours: dict[str, Any] = {}
        self.calls: list[tuple[str, str, tuple[Any, ...]]] = []
        """Class or framework, selector or function, arguments: in their order."""
        self._classes: dict[str, FakeClass] = {}
        self._functions: dict[str, Callable[..., Any]] = {}
        self._frameworks = {name: Framework(self, name) for name in PARENTS}
        self.addresses = itertools.count(1)

    def framework(self, name: str) -> Any:
        """What `import NAME` gives."""
        return self._frameworks[name]

    def called(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of each call of a selector or function."""
        return [arguments for _, called, arguments in self.calls if called == name]

    def make(self, cls: str, **state: Any) -> Any:
        """An object as the system would hand it out."""
        made = self.cls(cls)()
        made.state.__dict__.update(state)
        return made

    def cls(self, name: str) -> FakeClass:
        """A class of the table."""
        if name not in self._classes:
            declared = headers.read()[name]
            base = self.cls(declared.parent) if declared.parent else FakeObject
            self._classes[name] = FakeClass(name, (base,), {"runtime": self})
        return self._classes[name]

    def find(self, framework: str, name: str) -> Any:
        """A name of a framework or of its parents; None when there is none."""
        names = metadata.read().names[framework]
        declared = headers.read().get(name)
        if declared is not None and declared.framework == framework:
            return self.cls(name)
        if name in names.values:
            return names.values[name]
        if name in names.functions:
            return self._functions.setdefault(name, self._function(framework, name, names.functions[name]))
        if name in names.constants:
            return self.behaviours.get(name, name)
        for parent in PARENTS[framework]:
            if (found := self.find(parent, name)) is not None:
                return found
        return None

    def _function(self, framework: str, name: str, about: Function) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            if len(given) != len(about.arguments):
                raise TypeError(f"{name} takes {len(about.arguments)} arguments, not {len(given)}")
            extra = about.extra
            arguments = tuple(
                _array(value, kind, extra[place], given)
                if "c_array_length_in_arg" in extra.get(place, {})
                else check(value, kind, extra.get(place, {}))
                for place, (value, kind) in enumerate(zip(given, about.arguments, strict=True))
            )
            self.calls.append((framework, name, arguments))
            behaviour = self.behaviours.get(name)
            if behaviour is None:
                if about.result == "v":
                    return None
                raise NotImplementedError(f"no behaviour for {name}")
            return behaviour(*arguments)

        return call

    def method(self, cls: FakeClass, target: Any, name: str) -> Callable[..., Any]:
        """A method by its Python name; `target` is None for a class method. Raises AttributeError."""
        selector = name.replace("_", ":")
        if target is None and selector == "alloc":
            return cls
        if selector == "init":
            return lambda: self._behave(cls, target, "init", (), "@")
        owner, method = self._declared(cls, ("+" if target is None else "-") + selector)
        extra = self._extra(cls, selector)

        def call(*given: Any) -> Any:
            self._check_thread(owner)
            if len(given) != len(method.arguments):
                raise TypeError(f"{cls.__name__} {selector} takes {len(method.arguments)} arguments")
            arguments = tuple(
                check(value, kind, extra.get(place + 2, {}))
                for place, (value, kind) in enumerate(zip(given, method.arguments, strict=True))
            )
            self.calls.append((cls.__name__, selector, arguments))
            return self._behave(cls, target, name, arguments, method.result)

        return call

    def _declared(self, cls: FakeClass, selector: str) -> tuple[str, headers.Method]:
        for ancestor in cls.__mro__:
            declared = headers.read().get(ancestor.__name__)
            if declared is not None and selector in declared.methods:
                return ancestor.__name__, declared.methods[selector]
        raise AttributeError(f"{cls.__name__} has no {selector} in the table of headers")

    def _extra(self, cls: FakeClass, selector: str) -> dict[int, dict[str, Any]]:
        for ancestor in cls.__mro__:
            about = metadata.read().selectors.get((ancestor.__name__, selector))
            if about is not None:
                return about.get("arguments", {})
        return {}

    def _check_thread(self, cls: str) -> None:
        is_view = headers.read()[cls].framework == "AppKit" and cls not in _ANY_THREAD
        if is_view and threading.current_thread() is not self.main_thread:
            raise AssertionError(f"{cls} is used off the main thread")

    def _behave(self, cls: FakeClass, target: Any, name: str, arguments: tuple[Any, ...], result: str) -> Any:
        for ancestor in cls.__mro__:
            behaviour = self.behaviours.get(ancestor.__name__)
            if behaviour is not None and name in vars(behaviour):
                function = vars(behaviour)[name]
                return function(cls if target is None else target, *arguments)
        if target is not None:
            if name.startswith("init"):
                target.state.made = arguments
                return target
            if name.startswith("set") and len(arguments) == 1 and result == "v":
                setattr(target.state, name[3:-1].lower(), arguments[0])
                return None
            key = name.removeprefix("is").lower()
            if not arguments and hasattr(target.state, key):
                return getattr(target.state, key)
        if result == "v":
            return None
        raise NotImplementedError(f"no behaviour for {cls.__name__} {name}")


def _array(value: Any, kind: str, about: dict[str, Any], given: tuple[Any, ...]) -> Any:
    """A C array whose length another argument says. As the bridge does it: a length that is too large is an
    error, one that is too small cuts."""
    length = given[about["c_array_length_in_arg"]]
    if kind == "^T":
        units = value.encode("utf-16-le", "surrogatepass")
        if 2 * length > len(units):
            raise ValueError(f"{length} units were to be taken of {len(units) // 2}")
        return units[: 2 * length].decode("utf-16-le", "surrogatepass")
    if length > len(value):
        raise ValueError(f"{length} values were to be taken of {len(value)}")
    return value[:length]
