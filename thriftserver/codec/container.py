"""Lists, sets and maps: bytes to values and back.

Nothing here decides about the schema (``codec.plan`` did), knows base types (``codec.node`` does) or how a struct is
read (``codec.walk`` does). This one source runs on plain CPython, and Cython compiles it, with ``_container.pxd``, into
the module ``_container``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias

from thriftserver.codec.fault import Fault
from thriftserver.codec.plan import Row
from thriftserver.schema.frozen import FrozenMap
from thriftserver.schema.text import describe

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.node import Node, enter, nest
    from thriftserver.codec.seam import Sink, Source, check_size, put_size, put_u8, take_length, take_pairs, take_u8

#: Gives the node of an inner type.
NodeOf: TypeAlias = Callable[[Row], Node]
#: Stands for inner nodes until they are linked.
_NOBODY = Node(Row("nobody", 0, 1, "nothing"))


class List(Node):
    __slots__ = ("element", "frozen")

    def __init__(self, row: Row) -> None:
        Node.__init__(self, row)
        self.frozen = row.frozen
        self.element = _NOBODY

    def link(self, row: Row, node_of: NodeOf) -> None:
        self.element = node_of(row.element)

    def read(self, source: Source) -> Any:
        items = self.read_items(source)
        return tuple(items) if self.frozen else items

    def read_items(self, source: Source) -> list[Any]:
        element = self.element
        code = take_u8(source)
        size = take_length(source)
        if size == 0:
            return []
        if code != element.wire:
            raise Fault(f"bad element type {code}, expected {element.wire} of {self.text}")
        check_size(source, size, element.width)
        enter(source)
        items = element.read_run(source, size)
        source.depth -= 1
        return items

    def write(self, sink: Sink, value: Any) -> None:
        if isinstance(value, (list, tuple)):
            self.write_items(sink, value)
        elif isinstance(value, AbstractSet | Mapping | str | bytes | bytearray | memoryview):
            raise self.misfit(value)
        else:
            self.write_items(sink, listed(self, value))

    def write_items(self, sink: Sink, items: Any) -> None:
        element = self.element
        put_u8(sink, element.wire)
        size = len(items)
        put_size(sink, size)
        nest(sink)
        if element.write_run(sink, items) != size:
            raise Fault("changed its size while it was written")
        sink.depth -= 1


class Set(List):
    __slots__ = ()

    def read(self, source: Source) -> Any:
        items = self.read_items(source)
        return frozenset(items) if self.frozen else set(items)

    def write(self, sink: Sink, value: Any) -> None:
        if isinstance(value, (set, frozenset, list, tuple)):
            self.write_items(sink, list(value))
        elif isinstance(value, Mapping | str | bytes | bytearray | memoryview):
            raise self.misfit(value)
        else:
            self.write_items(sink, listed(self, value))


class Map(Node):
    __slots__ = ("element", "frozen", "key")

    def __init__(self, row: Row) -> None:
        Node.__init__(self, row)
        self.frozen = row.frozen
        self.key = _NOBODY
        self.element = _NOBODY

    def link(self, row: Row, node_of: NodeOf) -> None:
        self.key = node_of(row.key)
        self.element = node_of(row.element)

    def read(self, source: Source) -> Any:
        key = self.key
        element = self.element
        key_code = take_u8(source)
        code = take_u8(source)
        size = take_length(source)
        items: dict[Any, Any] = {}
        if size != 0:
            if key_code != key.wire or code != element.wire:
                expected = f"{key.wire}:{element.wire} of {self.text}"
                raise Fault(f"bad element types {key_code}:{code}, expected {expected}")
            check_size(source, size, key.width + element.width)
            enter(source)
            index = take_pairs(source, items, size, key.kind, element.kind, element.members)
            name = None
            known = False
            try:
                while index < size:
                    known = False
                    name = key.read_key(source)
                    known = True
                    items[name] = element.read(source)
                    index += 1
            except Fault as fault:
                fault.steps.append(map_step(index, known, name))
                raise
            source.depth -= 1
        return FrozenMap(items) if self.frozen else items

    def write(self, sink: Sink, value: Any) -> None:
        if type(value) is dict:  # compiled code takes no subclass of it
            self.write_items(sink, value)
        elif isinstance(value, Mapping):
            self.write_items(sink, dict(value))
        else:
            raise self.misfit(value)

    def write_items(self, sink: Sink, items: Any) -> None:
        key = self.key
        element = self.element
        put_u8(sink, key.wire)
        put_u8(sink, element.wire)
        size = len(items)
        put_size(sink, size)
        nest(sink)
        index = 0
        name = None
        known = False
        try:
            for name, item in items.items():
                if index == size:
                    index = -1
                    break
                known = False
                key.write(sink, name)
                known = True
                element.write(sink, item)
                index += 1
        except Fault as fault:
            fault.steps.append(map_step(index, known, name))
            raise
        except RuntimeError:  # of the iteration, unless some attribute raised it
            if index < size == len(items):
                raise
            index = -1
        if index != size:
            raise Fault("changed its size while it was written")
        sink.depth -= 1


def map_step(index: int, known: bool, name: Any) -> str:
    """The step of a map's value (by its key), or of the key itself (by its position)."""
    return f"[{describe(name)[:60]}]" if known else f"[key #{index}]"


def listed(node: Node, value: Any) -> list[Any]:
    """Any other collection as a list."""
    try:
        len(value)
        return list(value)
    except TypeError:
        raise node.misfit(value) from None
