"""The version of this service, as surfaces name it."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def own_version() -> str:
    """The version; empty when run from a checkout. Kept: to look it up reads files, and it is said with every
    result of some surfaces."""
    try:
        return version("steno")
    except PackageNotFoundError:
        return ""
