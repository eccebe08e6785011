"""Grapheme clusters (UAX 29): what a reader takes for one character, and one Backspace removes."""

from collections.abc import Iterator

import regex

_CLUSTER = regex.compile(r"\X")


def clusters(text: str) -> list[str]:
    """The text's clusters. Put together they are the text."""
    return _CLUSTER.findall(text)


def common_prefix(one: str, other: str) -> str:
    """The longest beginning that both have in whole clusters."""
    same = 0
    for mine, theirs in zip(clusters(one), clusters(other), strict=False):
        if mine != theirs:
            break
        same += len(mine)
    return one[:same]


def parts(text: str, units_max: int) -> Iterator[str]:
    """The text in pieces of at most so many UTF-16 code units, cut between clusters; within one only where it
    alone is longer, and then not inside a surrogate pair."""
    piece, units = "", 0
    for cluster in clusters(text):
        for fragment in [cluster] if utf16_units(cluster) <= units_max else cluster:
            size = utf16_units(fragment)
            if piece and units + size > units_max:
                yield piece
                piece, units = "", 0
            piece, units = piece + fragment, units + size
    if piece:
        yield piece


def utf16_units(text: str) -> int:
    """Its length in UTF-16 code units."""
    return len(text) + sum(char > "\uffff" for char in text)
