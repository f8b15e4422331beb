"""Lists, sets and maps: bytes to values and back.

Nothing here decides about the schema (``codec.plan`` did), knows base types (``node`` does), how a struct is read
(``record`` does) or a protocol. One source: it runs on plain CPython, and Cython compiles it, with ``_container.pxd``,
into the ``_container`` of each protocol.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias
from uuid import UUID

from thriftserver.codec.crowd import FEW
from thriftserver.codec.fault import Fault
from thriftserver.codec.plan import Row
from thriftserver.schema.frozen import FrozenMap
from thriftserver.schema.text import describe

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.crowd import all_of, crowded
    from thriftserver.codec.memory import Sink, Source, check_size, cut, length, put_raw

    from .node import Node, enter, nest
    from .seam import (
        begin_key,
        begin_list,
        begin_map,
        close_key,
        close_list,
        close_map,
        end_key,
        end_list,
        end_map,
        open_key,
        open_list,
        open_map,
        put_pairs,
        take_pairs,
    )

#: Gives the node of an inner type.
NodeOf: TypeAlias = Callable[[Row], Node]
#: The most that a container can hold on the wire, and hash tables that are looked at before they are filled.
_MOST = 0x7FFFFFFF
_FEW = FEW
#: Types that need no look: Python's hash of texts is keyed, and small numbers have nothing to collide with.
_SAFE = frozenset({"string", "binary", "bool", "i8", "i16", "deep"})
#: Classes whose values are equal when their bytes are. An enum's members count as numbers do; see ``_alike``.
_ALIKE: dict[str, type] = dict.fromkeys(("i8", "i16", "i32", "i64", "enum"), int) | {
    "bool": bool,
    "double": float,
    "string": str,
    "binary": bytes,
    "uuid": UUID,
}
#: Collections that are no list. A tuple, because of ``A | B`` compiled code takes what a check raises for a yes.
_NO_LIST = (AbstractSet, Mapping, str, bytes, bytearray, memoryview)
#: Stands for inner nodes until they are linked.
_NOBODY = Node(Row("nobody", 0, "nothing"))


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
        size = open_list(source)
        if size == 0:
            close_list(source)
            return []
        if source.code != element.wire:
            raise Fault(f"bad element type {source.code}, expected {element.wire} of {self.text}")
        check_size(source, size, element.width)
        enter(source)
        items = element.read_run(source, size)
        source.depth -= 1
        close_list(source)
        return items

    def write(self, sink: Sink, value: Any) -> None:
        kind = type(value)
        if kind is list or kind is tuple:
            self.write_items(sink, value)
        else:
            self.write_items(sink, self.held(value))

    def write_items(self, sink: Sink, items: Any) -> None:
        """What exactly a list or tuple holds: a subclass would have a word in what its size is."""
        element = self.element
        size = len(items)
        begin_list(sink, element.wire, sized(size))
        nest(sink)
        if element.write_run(sink, items) != size:
            raise Fault("changed its size while it was written")
        sink.depth -= 1
        end_list(sink)

    def held(self, value: Any) -> list[Any]:
        """What a subclass of list or tuple holds, whatever methods of its own say; what any other collection gives."""
        kind = type(value)
        if issubclass(kind, list):
            return list(list.__iter__(value))
        if issubclass(kind, tuple):
            return list(tuple.__iter__(value))
        if isinstance(value, _NO_LIST):
            raise self.misfit(value)
        return listed(self, value)


class Set(List):
    __slots__ = ("first", "guarded", "second")

    def __init__(self, row: Row) -> None:
        List.__init__(self, row)
        self.guarded = False
        self.first: type | None = None
        self.second: type | None = None

    def link(self, row: Row, node_of: NodeOf) -> None:
        List.link(self, row, node_of)
        self.guarded = row.element.op not in _SAFE
        self.first, self.second = _alike(row.element)

    def read(self, source: Source) -> Any:
        items = self.read_items(source)
        if self.guarded and len(items) > _FEW and crowded(items, False):
            raise Fault(f"the hashes of the {len(items)} members collide")
        return frozenset(items) if self.frozen else set(items)

    def write(self, sink: Sink, value: Any) -> None:
        kind = type(value)
        hashed = True
        if kind is set or kind is frozenset:
            items = list(value)
        else:
            items = self.held(value)
            unique = distinct(items, self.guarded)
            if unique is None:
                hashed = False
            else:
                items = unique
        if len(items) < 2 or (hashed and not self.frozen and all_of(items, self.first, self.second)):
            self.write_items(sink, items)
        else:
            self.write_once(sink, items)

    def write_once(self, sink: Sink, items: list[Any]) -> None:
        """Members of which only the bytes tell whether they are equal: each once, in their order.

        In a key or member they are sorted, so that equal ones have equal bytes.
        """
        element = self.element
        pieces: dict[bytes, None] = {}
        start = length(sink)
        nest(sink)
        index = 0
        try:
            for item in items:
                element.write(sink, item)
                pieces[cut(sink, start)] = None
                index += 1
        except Fault as fault:
            fault.steps.append(f"[{index}]")
            raise
        sink.depth -= 1
        begin_list(sink, element.wire, sized(len(pieces)))
        for piece in sorted(pieces) if self.frozen else pieces:
            put_raw(sink, piece)
        end_list(sink)

    def held(self, value: Any) -> list[Any]:
        kind = type(value)
        if issubclass(kind, set):
            return list(set.__iter__(value))
        if issubclass(kind, frozenset):
            return list(frozenset.__iter__(value))
        if isinstance(value, AbstractSet):
            return listed(self, value)
        return List.held(self, value)


class Map(Node):
    __slots__ = ("element", "first", "frozen", "guarded", "key", "second")

    def __init__(self, row: Row) -> None:
        Node.__init__(self, row)
        self.frozen = row.frozen
        self.guarded = False
        self.first: type | None = None
        self.second: type | None = None
        self.key = _NOBODY
        self.element = _NOBODY

    def link(self, row: Row, node_of: NodeOf) -> None:
        self.key = node_of(row.key)
        self.element = node_of(row.element)
        self.guarded = row.key.op not in _SAFE
        self.first, self.second = _alike(row.key)

    def read(self, source: Source) -> Any:
        key = self.key
        element = self.element
        size = open_map(source)
        items: dict[Any, Any] = {}
        if size != 0:
            if source.key_code != key.wire or source.code != element.wire:
                expected = f"{key.wire}:{element.wire} of {self.text}"
                raise Fault(f"bad element types {source.key_code}:{source.code}, expected {expected}")
            check_size(source, size, key.width + element.width)
            enter(source)
            index = take_pairs(source, items, size, key.kind, element.kind, element.members)
            name = None
            known = False
            names: Any = [] if self.guarded and size > _FEW else None  # to be looked at before they meet in a dict
            values = []
            try:
                while index < size:
                    known = False
                    open_key(source)
                    name = key.read_key(source)
                    close_key(source)
                    known = True
                    if names is None:
                        items[name] = element.read(source)
                    else:
                        names.append(name)
                        values.append(element.read(source))
                    index += 1
            except Fault as fault:
                fault.steps.append(map_step(index, known, name))
                raise
            source.depth -= 1
            if names is not None:
                if crowded(names, True):
                    raise Fault(f"the hashes of the {size} keys collide")
                items = dict(zip(names, values, strict=True))
        close_map(source)
        return FrozenMap(items) if self.frozen else items

    def write(self, sink: Sink, value: Any) -> None:
        kind = type(value)
        if kind is dict:
            self.write_items(sink, value)
        elif issubclass(kind, OrderedDict):
            self.write_items(sink, dict(OrderedDict.items(value)))
        elif issubclass(kind, dict):
            self.write_items(sink, dict(dict.items(value)))  # what it holds, whatever a method of its own says
        elif isinstance(value, Mapping):
            try:
                items = dict(value)
            except TypeError:  # keys without a hash
                self.write_once(sink, [(key, value[key]) for key in value.keys()])  # noqa: SIM118  # as dict() does
            else:
                self.write_items(sink, items)
        else:
            raise self.misfit(value)

    def write_items(self, sink: Sink, items: Any) -> None:
        key = self.key
        element = self.element
        start = length(sink)
        begin_map(sink, key.wire, element.wire, sized(len(items)))
        nest(sink)
        plain = not self.frozen and put_pairs(sink, items, key.kind, element.kind, element.wire)
        if plain or self.write_each(sink, items, start):
            sink.depth -= 1
            end_map(sink)

    def write_each(self, sink: Sink, items: Any, start: int) -> bool:
        """All pairs, the head of which is written after ``start`` bytes. False: the whole map is written anew."""
        key = self.key
        element = self.element
        first = self.first
        second = self.second
        size = len(items)
        index = 0
        name = None
        known = False
        unlike = size > 1 and (self.frozen or first is None)
        try:
            for name, item in items.items():
                if size > 1 and type(name) is not first and type(name) is not second:
                    unlike = True
                if unlike:
                    break
                if index == size:
                    index = -1
                    break
                known = False
                begin_key(sink)
                key.write(sink, name)
                end_key(sink)
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
        if unlike:
            cut(sink, start)
            sink.depth -= 1
            self.write_once(sink, list(items.items()))
            return False
        if index != size:
            raise Fault("changed its size while it was written")
        return True

    def write_once(self, sink: Sink, pairs: list[Any]) -> None:
        """Keys of which only the bytes tell whether they are equal: each once, with the last value, as in a dict.

        In a key or member they are sorted, so that equal ones have equal bytes.
        """
        key = self.key
        element = self.element
        pieces = {}
        start = length(sink)
        nest(sink)
        index = 0
        name = None
        known = False
        try:
            for name, item in pairs:
                known = False
                begin_key(sink)
                key.write(sink, name)
                end_key(sink)
                data = cut(sink, start)
                known = True
                element.write(sink, item)
                pieces[data] = cut(sink, start)
                index += 1
        except Fault as fault:
            fault.steps.append(map_step(index, known, name))
            raise
        sink.depth -= 1
        begin_map(sink, key.wire, element.wire, sized(len(pieces)))
        for data in sorted(pieces) if self.frozen else pieces:
            put_raw(sink, data)
            put_raw(sink, pieces[data])
        end_map(sink)


def _alike(row: Row) -> tuple[type | None, type | None]:
    """The classes whose values are equal when their bytes are; None where only the bytes tell."""
    first = _ALIKE.get(row.op)
    return first, next((type(each) for each in row.members.values()), first)


def distinct(items: list[Any], guarded: bool) -> list[Any] | None:
    """Each of the items once, as a set would hold them; None when their hashes are of no use."""
    try:
        if guarded and len(items) > _FEW and crowded(items, False):
            return None
        return list(dict.fromkeys(items))
    except TypeError:  # one has no hash
        return None


def sized(size: int) -> int:
    """A size that fits on the wire."""
    if size > _MOST:
        raise Fault(f"{size} are more than the {_MOST} that a container may hold")
    return size


def map_step(index: int, known: bool, name: Any) -> str:
    """The step of a map's value (by its key), or of the key itself (by its position)."""
    return f"[{describe(name)[:60]}]" if known else f"[key #{index}]"


def listed(node: Node, value: Any) -> list[Any]:
    """Any other collection as a list."""
    try:
        len(value)
        return [item for item in value]  # noqa: C416  # list() would make room for as many as it claims to have
    except TypeError:
        raise node.misfit(value) from None
