"""Finds the end of a JSON message that nothing says the length of, however its bytes arrive.

One source: it runs on plain CPython, and Cython compiles it, with ``_scan.pxd``, into the module ``_scan``.
"""

from __future__ import annotations

from thriftserver.codec.fault import Fault
from thriftserver.codec.tjson import grammar

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.memory import Source
    from thriftserver.codec.protocol import Scanner
    from thriftserver.codec.tjson.seam import next_mark, past_gap

#: Brackets within each other. A level of Thrift costs two of them, the message and its arguments three: no valid
#: message comes here, whatever ``set_max_depth`` allows.
_DEEPEST = grammar.DEEPEST


class Scan(Scanner):
    """What is known of a message of which a part has arrived; when it is complete, of the next one."""

    __slots__ = ("begun", "depth", "escaped", "quoted")

    def __init__(self) -> None:
        Scanner.__init__(self)
        self.reset()

    def reset(self) -> None:
        self.depth = 0  # brackets that are open
        self.quoted = False  # in a string
        self.escaped = False  # behind a backslash
        self.begun = False

    def scan(self, source: Source) -> bool:
        """Go on where the last call stopped: True at the end of the message, just behind it; False if there is more.

        Each byte is looked at once. Raises Fault for what never becomes a message.
        """
        if not self.begun:
            mark = past_gap(source)
            if mark < 0:
                return False
            if mark != 0x5B:
                raise grammar.expected("'['", source.pos, mark)
            self.begun = True
        while source.pos < source.end:
            if self.escaped:
                source.pos += 1
                self.escaped = False
                continue
            mark = next_mark(source, self.quoted)
            if mark == 0x22:
                self.quoted = not self.quoted
            elif mark == 0x5C:
                self.escaped = True
            elif mark == 0x5B or mark == 0x7B:
                self.depth += 1
                if self.depth > _DEEPEST:
                    raise Fault(f"more than {_DEEPEST} brackets within each other")
            elif mark >= 0:
                self.depth -= 1
                if self.depth == 0:
                    self.begun = False
                    return True
        return False
