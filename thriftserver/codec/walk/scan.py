"""Finds the end of a message that has no length, without making anything of it.

Each step is tried where the one before has ended, and tried again when more has come, so the time is linear in the
bytes however they are cut. One source: it runs on plain CPython, and Cython compiles it, with ``_scan.pxd``, into the
``_scan`` of each protocol.
"""

from __future__ import annotations

from thriftserver import wire
from thriftserver.codec.fault import Short

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.memory import Source
    from thriftserver.codec.protocol import Scanner

    from .header import pass_message
    from .node import enter, width_of
    from .seam import open_list, open_map, open_struct, pass_fields, pass_value, pass_values, take_field

_STRUCT = wire.STRUCT
_MAP = wire.MAP
_LIST = wire.LIST


class Scan(Scanner):
    """``kind`` is the wire type of the container that we are in, ``left`` how many of its values are still to come."""

    __slots__ = ("begun", "codes", "first", "kind", "left", "lefts", "level", "second")

    def __init__(self) -> None:
        Scanner.__init__(self)
        if not cython.compiled:  # there they are arrays of C, for the 200 levels that ``set_max_depth`` allows
            self.lefts = [0] * 201
            self.codes = [0] * 603
        self.reset()

    def reset(self) -> None:
        self.begun = False
        self.kind = 0
        self.left = 0
        #: Wire types of keys or elements, and of values (-1: none).
        self.first = 0
        self.second = -1
        #: Containers around this one; what is to be known of them is in ``lefts``, and by threes in ``codes``.
        self.level = 0

    def scan(self, source: Source) -> bool:
        mark = source.pos
        source.depth = self.level + 1 if self.begun else 0
        try:
            if not self.begun:
                pass_message(source)
                enter(source)
                self.begun = True
                self.kind = _STRUCT
                mark = source.pos
            while self.kind != 0:
                mark = source.pos
                if self.kind == _STRUCT:
                    pass_fields(source)
                    mark = source.pos
                    self.pass_field(source)
                else:
                    self.pass_items(source)
        except Short as short:
            source.pos = mark
            self.wanted = short.size - short.left
            return False
        return True

    def pass_field(self, source: Source) -> None:
        """One field, or the end of a struct."""
        source.field = 0  # ids do not matter, and those of inner structs must not add up
        code = take_field(source)
        if code == 0:
            self.leave(source)
        elif not pass_value(source, code):
            self.open(source, code)

    def pass_items(self, source: Source) -> None:
        """One value, all of them where they have one size, or the end of a container."""
        if self.left == 0:
            self.leave(source)
        elif pass_values(source, self.left, self.first, self.second):
            self.left = 0
        else:
            # A pair is two values, and ``left`` counts both.
            code = self.first if self.second < 0 or self.left % 2 == 0 else self.second
            if pass_value(source, code):
                self.left -= 1
            else:
                self.open(source, code)

    def open(self, source: Source, code: int) -> None:
        """Go into a container or struct; nothing has changed when its head is not there yet."""
        size = 0
        second = -1
        if code == _STRUCT:
            open_struct(source)
        elif code == _MAP:
            size = open_map(source)
            second = source.code if size > 0 else -1
        else:
            size = open_list(source)
        enter(source)
        first = source.key_code if second >= 0 else source.code
        if size > 0:
            width_of(first)
            if second >= 0:
                width_of(second)
        if self.kind != _STRUCT:
            self.left -= 1
        level = self.level
        self.lefts[level] = self.left
        self.codes[3 * level] = self.kind
        self.codes[3 * level + 1] = self.first
        self.codes[3 * level + 2] = self.second
        self.level = level + 1
        self.kind = _LIST if code not in (_STRUCT, _MAP) else code
        self.left = size
        self.first = first
        self.second = second
        if second >= 0 and not pass_values(source, 0, first, second):
            self.left = 2 * size

    def leave(self, source: Source) -> None:
        source.depth -= 1
        if self.level == 0:
            self.kind = 0
        else:
            level = self.level - 1
            self.level = level
            self.left = self.lefts[level]
            self.kind = self.codes[3 * level]
            self.first = self.codes[3 * level + 1]
            self.second = self.codes[3 * level + 2]
