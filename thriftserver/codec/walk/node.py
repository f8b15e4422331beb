"""Values of base types: bytes to Python and back, and passing over what nobody wants.

Nothing here knows containers (``container`` does), structs (``record``) or a protocol: single values are taken and put
by the ``seam`` of the protocol's folder that this is run in. One source: it runs on plain CPython, and Cython compiles
it, with ``_node.pxd``, into the ``_node`` of each protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, SafeUUID

from thriftserver import wire
from thriftserver.codec.fault import Fault
from thriftserver.codec.plan import Row
from thriftserver.schema.text import REDACTED, brief

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.memory import Sink, Source, check_size

    from .seam import (
        close_field,
        close_key,
        close_list,
        close_map,
        close_struct,
        kind_of,
        least_of,
        open_key,
        open_list,
        open_map,
        open_struct,
        pass_value,
        pass_values,
        put_bool,
        put_bytes,
        put_double,
        put_double_run,
        put_i8,
        put_i16,
        put_i32,
        put_i32_run,
        put_i64,
        put_i64_run,
        put_run_from,
        put_text,
        put_uuid,
        take_binary,
        take_bool,
        take_double,
        take_double_run,
        take_field,
        take_i8,
        take_i16,
        take_i32,
        take_i32_run,
        take_i64,
        take_i64_run,
        take_name,
        take_run,
        take_text,
        take_uuid,
    )

#: Containers and structs within each other that are allowed.
_limit = wire.MAX_DEPTH
_STRUCT = wire.STRUCT
_MAP = wire.MAP

_INTEGERS = (wire.BYTE, wire.I16, wire.I32, wire.I64)


class Node:
    """Reads and writes the values of one type."""

    __slots__ = ("kind", "members", "text", "width", "wire")

    def __init__(self, row: Row) -> None:
        self.wire = row.wire
        self.kind = kind_of(row.op, row.wire)
        self.members = row.members  # of an enum, by number
        self.width = least_of(row.wire) or 1
        self.text = row.text

    def link(self, row: Row, node_of: Callable[[Row], Node]) -> None:
        """Find the nodes of inner types; apart from ``__init__`` because types may be recursive."""

    def read(self, source: Source) -> Any:
        raise NotImplementedError

    def write(self, sink: Sink, value: Any) -> None:
        raise NotImplementedError

    def read_key(self, source: Source) -> Any:
        """The same for a map's key, where the same few values come again and again."""
        return self.read(source)

    def read_run(self, source: Source, size: int) -> list[Any]:
        """A list of ``size`` values."""
        return self.read_rest(source, size, take_run(source, size, self.kind, self.members))

    def read_rest(self, source: Source, size: int, items: list[Any]) -> list[Any]:
        """The values after those that a loop could take without a closer look."""
        try:
            for _ in range(size - len(items)):
                items.append(self.read(source))  # noqa: PERF401  # what has been read must be known
        except Fault as fault:
            fault.steps.append(f"[{len(items)}]")
            raise
        return items

    def write_run(self, sink: Sink, items: Any) -> int:
        """The values of a list or tuple; says how many."""
        index = 0
        try:
            if self.kind == 0:  # nothing that a loop in C could do, as in pure code: to ask it for each item costs time
                for item in items:
                    self.write(sink, item)
                    index += 1
                return index
            while (index := put_run_from(sink, items, index, self.kind, self.wire)) < len(items):
                self.write(sink, items[index])
                index += 1
        except Fault as fault:
            fault.steps.append(f"[{index}]")
            raise
        return index

    def misfit(self, value: Any) -> Fault:
        """The fault of a value that this type cannot hold."""
        kind = type(value)
        if issubclass(kind, int) and kind is not bool and self.wire in _INTEGERS:
            return Fault(f"{brief(value)} is out of range of {self.text}", f"out of range of {self.text}")
        return Fault(f"expected {self.text}, got {brief(value)}", f"expected {self.text}, got {REDACTED}")


class Deep(Node):
    """A type nested so deep that no value of it is allowed."""

    __slots__ = ()

    def read(self, source: Source) -> Any:
        raise Fault("the type is nested too deep")

    def write(self, sink: Sink, value: Any) -> None:
        raise Fault("the type is nested too deep")


class Bool(Node):
    __slots__ = ()

    def read(self, source: Source) -> Any:
        return take_bool(source)

    def write(self, sink: Sink, value: Any) -> None:
        if value is True:
            put_bool(sink, True)
        elif value is False:
            put_bool(sink, False)
        else:
            self.write_other(sink, value)

    def write_other(self, sink: Sink, value: Any) -> None:
        # Databases and numpy have truth values of their own; 0 and 1 are plain enough, "false" or 17 are mistakes.
        if issubclass(type(value), (str, bytes, float)) or value not in (0, 1):
            raise self.misfit(value)
        put_bool(sink, bool(value == 1))


class I8(Node):
    __slots__ = ()

    def read(self, source: Source) -> Any:
        return take_i8(source)

    def write(self, sink: Sink, value: Any) -> None:
        if not put_i8(sink, value):
            raise self.misfit(value)


class I16(Node):
    __slots__ = ()

    def read(self, source: Source) -> Any:
        return take_i16(source)

    def write(self, sink: Sink, value: Any) -> None:
        if not put_i16(sink, value):
            raise self.misfit(value)


class I32(Node):
    __slots__ = ()

    def read(self, source: Source) -> Any:
        return take_i32(source)

    def write(self, sink: Sink, value: Any) -> None:
        if not put_i32(sink, value):
            raise self.misfit(value)

    def read_run(self, source: Source, size: int) -> list[Any]:
        items = take_i32_run(source, size)
        return items if len(items) == size else self.read_rest(source, size, items)

    def write_run(self, sink: Sink, items: Any) -> int:
        put = put_i32_run(sink, items)
        return put if put == len(items) else Node.write_run(self, sink, items)


class I64(Node):
    __slots__ = ()

    def read(self, source: Source) -> Any:
        return take_i64(source)

    def write(self, sink: Sink, value: Any) -> None:
        if not put_i64(sink, value):
            raise self.misfit(value)

    def read_run(self, source: Source, size: int) -> list[Any]:
        items = take_i64_run(source, size)
        return items if len(items) == size else self.read_rest(source, size, items)

    def write_run(self, sink: Sink, items: Any) -> int:
        put = put_i64_run(sink, items)
        return put if put == len(items) else Node.write_run(self, sink, items)


class Double(Node):
    __slots__ = ()

    def read(self, source: Source) -> Any:
        return take_double(source)

    def write(self, sink: Sink, value: Any) -> None:
        if not put_double(sink, value):
            raise self.misfit(value)

    def read_run(self, source: Source, size: int) -> list[Any]:
        items = take_double_run(source, size)
        return items if len(items) == size else self.read_rest(source, size, items)

    def write_run(self, sink: Sink, items: Any) -> int:
        put = put_double_run(sink, items)
        return put if put == len(items) else Node.write_run(self, sink, items)


class Enum(Node):
    """Members where the number has one, else the number itself: a newer peer may know more of them."""

    __slots__ = ()

    def read(self, source: Source) -> Any:
        number = take_i32(source)
        return self.members.get(number, number)

    def write(self, sink: Sink, value: Any) -> None:
        if not put_i32(sink, value):
            raise self.misfit(value)


class Text(Node):
    __slots__ = ()

    def read(self, source: Source) -> Any:
        return take_text(source)

    def read_key(self, source: Source) -> Any:
        return take_name(source)

    def write(self, sink: Sink, value: Any) -> None:
        if not put_text(sink, value):
            if issubclass(type(value), str):
                raise Fault("a string with lone surrogates cannot be UTF-8")
            raise self.misfit(value)


class Binary(Node):
    __slots__ = ()

    def read(self, source: Source) -> Any:
        return take_binary(source)

    def write(self, sink: Sink, value: Any) -> None:
        if not put_bytes(sink, value):
            raise self.misfit(value)


# What a uuid holds, past what a subclass may say and what its constructor, written in Python, costs.
_uuid_int = UUID.__dict__["int"]
_uuid_safety = UUID.__dict__["is_safe"]
_UNKNOWN = SafeUUID.unknown


class Uuid(Node):
    __slots__ = ()

    def read(self, source: Source) -> Any:
        made = UUID.__new__(UUID)
        _uuid_int.__set__(made, int.from_bytes(take_uuid(source), "big"))
        _uuid_safety.__set__(made, _UNKNOWN)
        return made

    def write(self, sink: Sink, value: Any) -> None:
        if not issubclass(type(value), UUID):
            raise self.misfit(value)
        try:
            data = int.to_bytes(_uuid_int.__get__(value), 16, "big")
        except (AttributeError, OverflowError, TypeError):  # one that its constructor has not made
            raise self.misfit(value) from None
        put_uuid(sink, data)


def set_max_depth(limit: int) -> None:
    """How deep containers and structs may be nested, in reading, writing and skipping."""
    global _limit
    if not 1 <= limit <= 200:
        raise ValueError("the depth limit must be between 1 and 200")
    _limit = limit


def enter(source: Source) -> None:
    """One container or struct further in, reading."""
    source.depth += 1
    if source.depth > _limit:
        raise Fault(f"nested deeper than {_limit} levels")


def nest(sink: Sink) -> None:
    """One container or struct further in, writing."""
    sink.depth += 1
    if sink.depth > _limit:
        raise Fault(f"nested deeper than {_limit} levels")


def skip(source: Source, code: int) -> None:
    """Pass over a value of any wire type."""
    if not pass_value(source, code):
        enter(source)
        skip_inside(source, code)
        source.depth -= 1


def skip_inside(source: Source, code: int) -> None:
    """Pass over a container or struct."""
    if code == _STRUCT:
        outer = open_struct(source)
        while True:
            inner = take_field(source)
            if inner == 0:
                break
            skip(source, inner)
            close_field(source)
        close_struct(source, outer)
    elif code == _MAP:
        size = open_map(source)
        skip_items(source, size, source.key_code, source.code)
        close_map(source)
    else:
        size = open_list(source)
        skip_items(source, size, source.code, -1)
        close_list(source)


def skip_items(source: Source, size: int, first: int, second: int) -> None:
    """Pass over elements; ``second`` is the wire type of a map's values, else -1."""
    if size > 0:
        check_size(source, size, width_of(first) + (width_of(second) if second >= 0 else 0))
        if not pass_values(source, size, first, second):
            for _ in range(size):
                if second < 0:
                    skip(source, first)
                else:
                    open_key(source)
                    skip(source, first)
                    close_key(source)
                    skip(source, second)


def width_of(code: int) -> int:
    """Bytes that an element of a wire type has at least."""
    width = least_of(code)
    if width == 0:
        raise Fault(f"bad element type {code}")
    return width
