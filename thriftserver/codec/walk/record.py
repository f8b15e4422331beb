"""Structs and unions: bytes to values and back, by walking plan rows; and which node serves which row.

Nothing here decides about the schema (``codec.plan`` did), knows other types (``node`` and ``container`` do) or a
protocol. One source: it runs on plain CPython, and Cython compiles it, with ``_record.pxd``, into the ``_record`` of
each protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from thriftserver.codec.fault import Fault
from thriftserver.codec.plan import FieldRow, Row, lock
from thriftserver.schema.special import ThriftUnion

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.memory import Sink, Source
    from thriftserver.codec.slots import (
        begin,
        complete,
        keep,
        kept,
        list_offset,
        put_plain,
        slot,
        slot_offsets,
        slot_rows,
        slot_table,
        take_plain,
    )

    from .container import List, Map, Set
    from .node import (
        I8,
        I16,
        I32,
        I64,
        Binary,
        Bool,
        Deep,
        Double,
        Enum,
        Node,
        Text,
        Uuid,
        enter,
        nest,
        skip,
    )
    from .seam import (
        begin_struct,
        close_field,
        close_struct,
        end_field,
        end_struct,
        open_struct,
        put_field,
        take_field,
    )

_ABSENT = object()
#: For compiled code: there is nothing to be looked for at the end, so that what is absent need not be marked.
_NO_BLANK: list[Any] = []
#: Nodes of structs that do not know their fields yet.
_unlinked: list[tuple[Node, Row]] = []


class Member:
    """One field: a node with an id, a name and a place."""

    __slots__ = ("default", "factory", "id", "name", "node", "offset", "order", "place", "required", "step", "wire")

    def __init__(self, row: FieldRow, offset: int) -> None:
        self.order = 0  # of its id among those of all fields
        self.id = row.id
        self.name = row.name
        self.step = row.step
        self.place = row.place
        self.offset = offset  # of the slot, for compiled code; 0 where values go through a list
        self.required = row.required
        self.default = row.default
        self.factory = row.factory
        self.wire = row.row.wire
        self.node = node_of(row.row)

    def fallback(self) -> Any:
        """What an absent field is."""
        if self.required:
            fault = Fault("required field is missing")
            fault.steps.append(self.step)
            raise fault
        return self.default if self.factory is None else self.factory()


class Fields:
    """The fields of one struct, or the arguments of one method."""

    __slots__ = ("blank", "by_id", "cls", "count", "direct", "late", "members", "rows", "table")

    def __init__(self, rows: Sequence[FieldRow], cls: Any = None) -> None:
        self.cls = cls
        offsets = slot_offsets(cls, [row.name for row in sorted(rows, key=lambda row: row.place)])
        self.direct = offsets is not None
        self.table = slot_table(offsets or [])
        self.members = [Member(row, offsets[row.place] if offsets else 0) for row in rows]
        self.rows = slot_rows([self.row(member) for member in self.members])
        self.count = len(self.members)
        for order, member in enumerate(self.members):
            member.order = order
        self.by_id = {member.id: member for member in self.members}
        # Values before anything is read: no value that is read can be one of these. What needs a look when it is
        # still absent at the end holds _ABSENT.
        self.late = [each for each in self.members if each.required or (each.default, each.factory) != (None, None)]
        self.blank: list[Any] = [None] * self.count
        for member in self.late:
            self.blank[member.place] = _ABSENT

    def row(self, member: Member) -> tuple[int, int, int, int, bool, dict[int, Any]]:
        node = member.node
        offset = member.offset if self.direct else list_offset(member.place)
        return offset, member.id, member.wire, node.kind, member.required, node.members

    def read(self, source: Source) -> Any:
        """An instance of ``cls``, or for None a list of the values in the order of declaration."""
        values = begin(self)
        members = self.members
        index = 0  # of the one expected, after the highest id so far
        member = None
        id = 0
        inside = False
        try:
            outer = open_struct(source)
            while True:
                inside = False
                index = take_plain(source, values, self, index)
                code = take_field(source)
                if code == 0:
                    break
                id = source.field
                inside = True
                member = members[index] if index < self.count else None
                if member is not None and member.id == id:
                    index += 1
                else:
                    member = self.by_id.get(id)
                    if member is not None and member.order < index:
                        if member.wire == code:
                            self.count_late(source, values, member)
                    elif member is not None:
                        index = member.order + 1
                if member is not None and member.wire == code:
                    keep(values, member, member.node.read(source))
                else:
                    source.skipped += 1
                    skip(source, code)
                close_field(source)
            close_struct(source, outer)
        except Fault as fault:
            if inside:
                fault.steps.append(f".{id}" if member is None else member.step)
            raise
        for member in self.late:
            if kept(values, member) is _ABSENT:
                keep(values, member, member.fallback())
        return complete(self, values)

    def count_late(self, source: Source, values: Any, member: Member) -> None:
        """A field after one of a higher or the same id: it comes again, or out of order."""
        if kept(values, member) is self.blank[member.place]:
            source.misordered += 1
        else:
            source.repeated += 1


class Struct(Node):
    __slots__ = ("cls", "fields")

    def __init__(self, row: Row) -> None:
        Node.__init__(self, row)
        self.fields = Fields(())

    def link(self, row: Row, node_of: Callable[[Row], Node]) -> None:
        self.cls: Any = row.plan.cls
        self.fields = Fields(row.plan.fields, row.plan.make)

    def read(self, source: Source) -> Any:
        enter(source)
        made = self.fields.read(source)
        source.depth -= 1
        return made

    def write(self, sink: Sink, value: Any) -> None:
        nest(sink)
        fields = self.fields
        kind = type(value)  # what it is, not what its __class__ says
        direct = fields.direct and (kind is self.cls or issubclass(kind, self.cls))
        if not direct and kind.__module__ == "builtins":
            raise self.misfit(value)
        index = 0
        outer = begin_struct(sink)
        try:
            while True:
                if direct:
                    index = put_plain(sink, value, fields, index)
                if index == fields.count:
                    break
                member = fields.members[index]
                index += 1
                item = slot(value, member) if direct else getattr(value, member.name)
                if item is not None:
                    put_field(sink, member.wire, member.id)
                    member.node.write(sink, item)
                    end_field(sink)
                elif member.required:
                    raise Fault("required field is None")
        except Fault as fault:
            fault.steps.append(member.step)
            raise
        except AttributeError as error:
            raise self.stranger(value, member.name) from error
        end_struct(sink, outer)
        sink.depth -= 1

    def stranger(self, value: Any, name: str) -> Fault:
        return Fault(f"expected {self.text}, got {type(value).__name__} without attribute {name!r}")


class Union(Struct):
    """At most one member is read (the last one wins), exactly one written."""

    __slots__ = ()

    def read(self, source: Source) -> Any:
        enter(source)
        made = self.cls.__new__(self.cls)
        member = None
        id = 0
        inside = False
        chosen = False
        try:
            outer = open_struct(source)
            while True:
                inside = False
                code = take_field(source)
                if code == 0:
                    break
                id = source.field
                inside = True
                member = self.fields.by_id.get(id)
                if member is None or member.wire != code:
                    source.skipped += 1
                    skip(source, code)
                else:
                    if chosen:
                        source.repeated += 1
                    choose(made, member.name, member.node.read(source))
                    chosen = True
                close_field(source)
            close_struct(source, outer)
        except Fault as fault:
            if inside:
                fault.steps.append(f".{id}" if member is None else member.step)
            raise
        source.depth -= 1
        return made

    def write(self, sink: Sink, value: Any) -> None:
        nest(sink)
        kind = type(value)
        if not issubclass(kind, self.cls) and kind.__module__ == "builtins":
            raise self.misfit(value)
        chosen = None
        item = None
        if issubclass(kind, ThriftUnion):
            name = value.__which__
            item = value.__value__
            for member in self.fields.members:
                if member.name == name:
                    chosen = member
        else:
            for member in self.fields.members:
                try:
                    found = getattr(value, member.name)
                except AttributeError as error:
                    raise self.stranger(value, member.name) from error
                if found is not None:
                    if chosen is not None:
                        raise Fault(f"union {self.text} holds {chosen.name} and {member.name}, one is allowed")
                    chosen = member
                    item = found
        if chosen is None:
            raise Fault(f"union {self.text} holds no member")
        outer = begin_struct(sink)
        put_field(sink, chosen.wire, chosen.id)
        try:
            chosen.node.write(sink, item)
        except Fault as fault:
            fault.steps.append(chosen.step)
            raise
        end_field(sink)
        end_struct(sink, outer)
        sink.depth -= 1


_NODES = {
    "deep": Deep,
    "bool": Bool,
    "i8": I8,
    "i16": I16,
    "i32": I32,
    "i64": I64,
    "double": Double,
    "enum": Enum,
    "string": Text,
    "binary": Binary,
    "uuid": Uuid,
    "list": List,
    "set": Set,
    "map": Map,
    "struct": Struct,
    "union": Union,
}

_choose_which = ThriftUnion.__dict__["__which__"].__set__
_choose_value = ThriftUnion.__dict__["__value__"].__set__


def choose(union: Any, name: str | None, value: Any) -> None:
    _choose_which(union, name)
    _choose_value(union, value)


def node_of(row: Row) -> Node:
    """The node of a row; of one struct there is one node, kept in its plan."""
    if row.plan is None:
        node = _NODES[row.op](row)
        node.link(row, node_of)
        return node
    with lock:
        node = row.plan.nodes.get(__name__)
        if node is None:
            node = _NODES[row.op](row)
            row.plan.nodes[__name__] = node
            _unlinked.append((node, row))
            if len(_unlinked) == 1:  # else a call further out will come to it: structs may lead on for thousands
                try:
                    while _unlinked:
                        _unlinked[0][0].link(_unlinked[0][1], node_of)
                        _unlinked.pop(0)
                finally:
                    for _, each in _unlinked:
                        each.plan.nodes.pop(__name__)
                    _unlinked.clear()
        return node
