"""The five requests of the X keyboard extension (XKB protocol 1.0, section 16) that the typer needs and
python-xlib lacks."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from Xlib.protocol import rq

NAME: Final = "XKEYBOARD"
_CORE_KEYBOARD: Final = 0x100


class _UseExtension(rq.ReplyRequest):
    _request = rq.Struct(
        rq.Card8("opcode"), rq.Opcode(0), rq.RequestLength(), rq.Card16("major"), rq.Card16("minor")
    )
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Card8("supported"),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Card16("server_major"),
        rq.Card16("server_minor"),
        rq.Pad(20),
    )


class _GetState(rq.ReplyRequest):
    _request = rq.Struct(rq.Card8("opcode"), rq.Opcode(4), rq.RequestLength(), rq.Card16("device"), rq.Pad(2))
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Card8("device"),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Card8("modifiers"),
        rq.Card8("base"),
        rq.Card8("latched"),
        rq.Card8("locked"),
        rq.Card8("group"),
        rq.Card8("locked_group"),
        rq.Pad(18),
    )


class _LatchLockState(rq.Request):
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(5),
        rq.RequestLength(),
        rq.Card16("device"),
        rq.Card8("affected_locks"),
        rq.Card8("locks"),
        rq.Card8("lock_group"),
        rq.Card8("group"),
        rq.Card8("affected_latches"),
        rq.Card8("latches"),
        rq.Pad(4),
    )


class _GetMap(rq.ReplyRequest):
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(8),
        rq.RequestLength(),
        rq.Card16("device"),
        rq.Card16("full"),
        rq.Card16("partial"),
        rq.Pad(2),  # types
        rq.Card8("first"),
        rq.Card8("count"),
        rq.Pad(14),
    )
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Card8("device"),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Pad(32),
        rq.Binary("maps"),
    )


class _SetMap(rq.Request):
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(9),
        rq.RequestLength(),
        rq.Card16("device"),
        rq.Card16("present"),
        rq.Card16("flags"),
        rq.Card8("lowest"),
        rq.Card8("highest"),
        rq.Pad(2),  # types
        rq.Card8("first"),
        rq.Card8("count"),
        rq.Card16("total"),
        rq.Pad(18),  # what is not set
        rq.Binary("maps"),
    )


_KEYSYMS: Final = 2
"""The part of a map that is read and written: which keysyms a key has."""
_MAP_HEAD: Final = struct.Struct("=4sBBH")
"""A key's types by group, its groups, its levels, and how many keysyms follow."""
_ONE_LEVEL: Final = bytes(4)
"""Type 0 in each group: no modifier changes it."""


@dataclass(frozen=True, slots=True)
class Locks:
    """Which modifiers are locked (Caps Lock, say), and which group of the layout is active."""

    modifiers: int
    group: int


class Keyboard:
    """The locks of a display's keyboard. Raises `LookupError` where the server lacks the extension."""

    def __init__(self, display: Any) -> None:
        extension = display.query_extension(NAME)
        if extension is None or not extension.present:
            raise LookupError(NAME)
        self._display = display.display
        self._opcode = extension.major_opcode
        _UseExtension(display=self._display, opcode=self._opcode, major=1, minor=0)

    def locks(self) -> Locks:
        """What is locked now."""
        state: Any = _GetState(display=self._display, opcode=self._opcode, device=_CORE_KEYBOARD)
        return Locks(state.locked, state.locked_group)

    def bind(self, keysyms: Mapping[int, int]) -> None:
        """Give keys, by their code, one keysym each, 0 for none. All other keys keep what they have.

        One request, so that every client is told once: some read the whole map anew each time.
        """
        first, last = min(keysyms), max(keysyms)
        count = last - first + 1
        reply: Any = _GetMap(
            display=self._display,
            opcode=self._opcode,
            device=_CORE_KEYBOARD,
            full=0,
            partial=_KEYSYMS,
            first=first,
            count=count,
        )
        maps, total = _with(bytes(reply.maps), first, count, keysyms)
        _SetMap(
            display=self._display,
            opcode=self._opcode,
            device=_CORE_KEYBOARD,
            present=_KEYSYMS,
            flags=0,
            lowest=self._display.info.min_keycode,
            highest=self._display.info.max_keycode,
            first=first,
            count=count,
            total=total,
            maps=maps,
        )

    def lock(self, locks: Locks, affected: int) -> None:
        """Set the locks among `affected` modifiers, and the group; end what is latched among them."""
        _LatchLockState(
            display=self._display,
            opcode=self._opcode,
            device=_CORE_KEYBOARD,
            affected_locks=affected,
            locks=locks.modifiers & affected,
            lock_group=1,
            group=locks.group,
            affected_latches=affected,
            latches=0,
        )


def _with(maps: bytes, first: int, count: int, keysyms: Mapping[int, int]) -> tuple[bytes, int]:
    """The key maps with some keys' keysyms replaced, and how many keysyms there are in all."""
    written: list[bytes] = []
    at = total = 0
    for code in range(first, first + count):
        length = _MAP_HEAD.unpack_from(maps, at)[3]
        end = at + _MAP_HEAD.size + 4 * length
        keysym = keysyms.get(code)
        if keysym is None:
            written.append(maps[at:end])
        elif keysym:
            length = 1
            written.append(_MAP_HEAD.pack(_ONE_LEVEL, 1, 1, 1) + struct.pack("=I", keysym))
        else:
            length = 0
            written.append(_MAP_HEAD.pack(_ONE_LEVEL, 0, 0, 0))
        total += length
        at = end
    return b"".join(written), total
