"""The binary protocol: bytes to values and back, by walking plan rows. The only place that knows how values stand in bytes.

Nothing here decides about the schema (``codec.plan`` did) or touches single bytes (``codec.seam`` does). This one source
runs on plain CPython, and Cython compiles it, with ``_walk.pxd``, into the module ``_walk``.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from uuid import UUID

from thriftserver import wire
from thriftserver.codec.fault import Fault
from thriftserver.schema.frozen import FrozenMap
from thriftserver.schema.special import ThriftUnion
from thriftserver.schema.text import brief

try:
    import cython
except ImportError:  # needed to compile this file, not to run it
    from thriftserver.codec import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.seam import (
        begin,
        complete,
        keep,
        kept,
        pass_over,
        put_bytes,
        put_double,
        put_field,
        put_i8,
        put_i16,
        put_i32,
        put_i64,
        put_raw,
        put_size,
        put_text,
        put_u8,
        slot,
        slot_offsets,
        slot_table,
        take_bytes,
        take_double,
        take_i8,
        take_i16,
        take_i32,
        take_i64,
        take_text,
        take_u8,
    )

#: Whether this is the compiled form.
COMPILED = cython.compiled

_ABSENT = object()
#: Containers and structs within each other that are allowed.
_limit = wire.MAX_DEPTH


class Node:
    """Reads and writes the values of one type."""

    __slots__ = ("text", "width", "wire")

    def __init__(self, row):
        self.wire = row.wire
        self.width = row.width
        self.text = row.text

    def link(self, row):
        """Find the nodes of inner types; apart from ``__init__`` because types may be recursive."""

    def read(self, source):
        raise NotImplementedError

    def write(self, sink, value):
        raise NotImplementedError

    def misfit(self, value):
        """The fault of a value that this type cannot hold."""
        if isinstance(value, int) and not isinstance(value, bool) and self.wire in _INTEGERS:
            return Fault(f"{brief(value)} is out of range of {self.text}")
        return Fault(f"expected {self.text}, got {brief(value)}")


class Bool(Node):
    __slots__ = ()

    def read(self, source):
        return take_u8(source) != 0

    def write(self, sink, value):
        if value is True:
            put_u8(sink, 1)
        elif value is False:
            put_u8(sink, 0)
        else:
            self.write_other(sink, value)

    def write_other(self, sink, value):
        # Databases and numpy have truth values of their own; 0 and 1 are plain enough, "false" or 17 are mistakes.
        if isinstance(value, str | bytes | float) or value not in (0, 1):
            raise self.misfit(value)
        put_u8(sink, 1 if value == 1 else 0)


class I8(Node):
    __slots__ = ()

    def read(self, source):
        return take_i8(source)

    def write(self, sink, value):
        if not put_i8(sink, value):
            raise self.misfit(value)


class I16(Node):
    __slots__ = ()

    def read(self, source):
        return take_i16(source)

    def write(self, sink, value):
        if not put_i16(sink, value):
            raise self.misfit(value)


class I32(Node):
    __slots__ = ()

    def read(self, source):
        return take_i32(source)

    def write(self, sink, value):
        if not put_i32(sink, value):
            raise self.misfit(value)


class I64(Node):
    __slots__ = ()

    def read(self, source):
        return take_i64(source)

    def write(self, sink, value):
        if not put_i64(sink, value):
            raise self.misfit(value)


class Double(Node):
    __slots__ = ()

    def read(self, source):
        return take_double(source)

    def write(self, sink, value):
        if not put_double(sink, value):
            raise self.misfit(value)


class Enum(Node):
    """Members where the number has one, else the number itself: a newer peer may know more of them."""

    __slots__ = ("members",)

    def __init__(self, row):
        Node.__init__(self, row)
        self.members = row.members

    def read(self, source):
        number = take_i32(source)
        return self.members.get(number, number)

    def write(self, sink, value):
        if not put_i32(sink, value):
            raise self.misfit(value)


class Text(Node):
    __slots__ = ()

    def read(self, source):
        return take_text(source, take_length(source))

    def write(self, sink, value):
        if not put_text(sink, value):
            if isinstance(value, str):
                raise Fault("a string with lone surrogates cannot be UTF-8")
            raise self.misfit(value)


class Binary(Node):
    __slots__ = ()

    def read(self, source):
        return take_bytes(source, take_length(source))

    def write(self, sink, value):
        if not put_bytes(sink, value):
            raise self.misfit(value)


class Uuid(Node):
    __slots__ = ()

    def read(self, source):
        return UUID(bytes=take_bytes(source, 16))

    def write(self, sink, value):
        if not isinstance(value, UUID):
            raise self.misfit(value)
        put_raw(sink, value.bytes)


class List(Node):
    __slots__ = ("element", "frozen")

    def __init__(self, row):
        Node.__init__(self, row)
        self.frozen = row.frozen

    def link(self, row):
        self.element = node_of(row.element)

    def read(self, source):
        items = self.read_items(source)
        return tuple(items) if self.frozen else items

    def read_items(self, source):
        element = self.element
        code = take_u8(source)
        size = take_length(source)
        if size == 0:
            return []
        if code != element.wire:
            raise Fault(f"bad element type {code}, expected {element.wire} of {self.text}")
        check_size(source, size, element.width)
        enter(source)
        items = []
        try:
            for _ in range(size):
                items.append(element.read(source))
        except Fault as fault:
            fault.steps.append(f"[{len(items)}]")
            raise
        source.depth -= 1
        return items

    def write(self, sink, value):
        if isinstance(value, (list, tuple)):
            self.write_items(sink, value)
        elif isinstance(value, AbstractSet | Mapping | str | bytes | bytearray | memoryview):
            raise self.misfit(value)
        else:
            self.write_items(sink, listed(self, value))

    def write_items(self, sink, items):
        element = self.element
        put_u8(sink, element.wire)
        size = len(items)
        put_size(sink, size)
        enter(sink)
        index = 0
        try:
            for item in items:
                element.write(sink, item)
                index += 1
        except Fault as fault:
            fault.steps.append(f"[{index}]")
            raise
        if index != size:
            raise Fault("changed its size while it was written")
        sink.depth -= 1


class Set(List):
    __slots__ = ()

    def read(self, source):
        items = self.read_items(source)
        return frozenset(items) if self.frozen else set(items)

    def write(self, sink, value):
        if isinstance(value, (set, frozenset, list, tuple)):
            self.write_items(sink, list(value))
        elif isinstance(value, Mapping | str | bytes | bytearray | memoryview):
            raise self.misfit(value)
        else:
            self.write_items(sink, listed(self, value))


class Map(Node):
    __slots__ = ("element", "frozen", "key")

    def __init__(self, row):
        Node.__init__(self, row)
        self.frozen = row.frozen

    def link(self, row):
        self.key = node_of(row.key)
        self.element = node_of(row.element)

    def read(self, source):
        key = self.key
        element = self.element
        key_code = take_u8(source)
        code = take_u8(source)
        size = take_length(source)
        items = {}
        if size != 0:
            if key_code != key.wire or code != element.wire:
                expected = f"{key.wire}:{element.wire} of {self.text}"
                raise Fault(f"bad element types {key_code}:{code}, expected {expected}")
            check_size(source, size, key.width + element.width)
            enter(source)
            index = 0
            name = _ABSENT
            try:
                for index in range(size):
                    name = _ABSENT
                    name = key.read(source)
                    items[name] = element.read(source)
            except Fault as fault:
                fault.steps.append(map_step(index, name))
                raise
            source.depth -= 1
        return FrozenMap(items) if self.frozen else items

    def write(self, sink, value):
        if isinstance(value, dict):
            self.write_items(sink, value)
        elif isinstance(value, Mapping):
            self.write_items(sink, dict(value))
        else:
            raise self.misfit(value)

    def write_items(self, sink, items):
        key = self.key
        element = self.element
        put_u8(sink, key.wire)
        put_u8(sink, element.wire)
        put_size(sink, len(items))
        enter(sink)
        index = 0
        name = _ABSENT
        try:
            for name_, item in items.items():
                name = _ABSENT
                key.write(sink, name_)
                name = name_
                element.write(sink, item)
                index += 1
        except Fault as fault:
            fault.steps.append(map_step(index, name))
            raise
        sink.depth -= 1


class Member:
    """One field: a node with an id, a name and a place."""

    __slots__ = ("default", "factory", "id", "name", "node", "offset", "place", "rank", "required", "step", "wire")

    def __init__(self, row, rank, offset):
        self.rank = rank
        self.id = row.id
        self.name = row.name
        self.step = f".{row.name}"
        self.place = row.place
        self.offset = offset  # of the slot, for compiled code; 0 where values go through a list
        self.required = row.required
        self.default = row.default
        self.factory = row.factory
        self.wire = row.row.wire
        self.node = node_of(row.row)

    def fallback(self):
        """What an absent field is."""
        if self.required:
            fault = Fault("required field is missing")
            fault.steps.append(self.step)
            raise fault
        return self.factory()


class Fields:
    """The fields of one struct, or the arguments of one method."""

    __slots__ = ("blank", "by_id", "cls", "count", "direct", "late", "members", "table")

    def __init__(self, rows, cls=None):
        self.cls = cls
        offsets = slot_offsets(cls, [row.name for row in sorted(rows, key=lambda row: row.place)])
        self.direct = bool(offsets)
        self.table = slot_table(offsets)
        self.members = [Member(row, rank, offsets[row.place] if offsets else 0) for rank, row in enumerate(rows)]
        self.count = len(self.members)
        self.by_id = {member.id: member for member in self.members}
        # Values before anything is read; what needs a look when it is still absent at the end holds _ABSENT.
        self.late = [member for member in self.members if member.required or member.factory is not None]
        self.blank = [None] * self.count
        for member in self.members:
            self.blank[member.place] = _ABSENT if member in self.late else member.default

    def read(self, source):
        """An instance of ``cls``, or for None a list of the values in the order of declaration."""
        members = self.members
        count = self.count
        values = begin(self)
        hint = 0
        member = None
        id = 0
        step = ""
        try:
            while True:
                step = ""
                member = None
                code = take_u8(source)
                if code == 0:
                    break
                id = take_i16(source)
                if hint < count:
                    member = members[hint]
                    if member.id != id:
                        member = self.by_id.get(id)
                else:
                    member = self.by_id.get(id)
                if member is None:
                    step = f".{id}"
                    skip(source, code)
                else:
                    hint = member.rank + 1
                    step = member.step
                    if member.wire == code:
                        keep(values, member, member.node.read(source))
                    else:
                        skip(source, code)
        except Fault as fault:
            if step:
                fault.steps.append(step)
            raise
        for member in self.late:
            if kept(values, member) is _ABSENT:
                keep(values, member, member.fallback())
        return complete(self, values)


class Struct(Node):
    __slots__ = ("cls", "fields", "plan")

    def link(self, row):
        self.plan = row.plan
        self.cls = row.plan.cls
        self.fields = Fields(row.plan.fields, row.plan.cls)

    def read(self, source):
        enter(source)
        made = self.fields.read(source)
        source.depth -= 1
        return made

    def write(self, sink, value):
        enter(sink)
        direct = self.fields.direct and isinstance(value, self.cls)
        if not direct and type(value).__module__ == "builtins":
            raise self.misfit(value)
        member = None
        try:
            for member in self.fields.members:
                item = slot(value, member) if direct else getattr(value, member.name)
                if item is not None:
                    put_field(sink, member.wire, member.id)
                    member.node.write(sink, item)
                elif member.required:
                    raise Fault("required field is None")
        except Fault as fault:
            fault.steps.append(member.step)
            raise
        except AttributeError as error:
            raise self.stranger(value, member.name) from error
        put_u8(sink, 0)
        sink.depth -= 1

    def stranger(self, value, name):
        return Fault(f"expected {self.text}, got {type(value).__name__} without attribute {name!r}")


class Union(Struct):
    """At most one member is read (the last one wins), exactly one written."""

    __slots__ = ()

    def read(self, source):
        enter(source)
        made = self.cls.__new__(self.cls)
        member = None
        step = ""
        try:
            while True:
                step = ""
                code = take_u8(source)
                if code == 0:
                    break
                id = take_i16(source)
                member = self.fields.by_id.get(id)
                step = f".{id}" if member is None else member.step
                if member is None or member.wire != code:
                    skip(source, code)
                else:
                    choose(made, member.name, member.node.read(source))
        except Fault as fault:
            if step:
                fault.steps.append(step)
            raise
        source.depth -= 1
        return made

    def write(self, sink, value):
        enter(sink)
        if not isinstance(value, self.cls) and type(value).__module__ == "builtins":
            raise self.misfit(value)
        chosen = None
        item = None
        if isinstance(value, ThriftUnion):
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
        put_field(sink, chosen.wire, chosen.id)
        try:
            chosen.node.write(sink, item)
        except Fault as fault:
            fault.steps.append(chosen.step)
            raise
        put_u8(sink, 0)
        sink.depth -= 1


_INTEGERS = (wire.BYTE, wire.I16, wire.I32, wire.I64)
_NODES = {
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
#: Bytes of the wire types that always have the same; 0 for the others.
_WIDTHS = [0, 0, 1, 1, 8, 0, 2, 0, 4, 0, 8, 0, 0, 0, 0, 0, 16]
#: Bytes that a value of a wire type has at least; 0 for a wire type that does not exist.
_LEAST = [0, 0, 1, 1, 8, 0, 2, 0, 4, 0, 8, 4, 1, 6, 5, 5, 16]

_choose_which = ThriftUnion.__dict__["__which__"].__set__
_choose_value = ThriftUnion.__dict__["__value__"].__set__


def choose(union, name, value):
    _choose_which(union, name)
    _choose_value(union, value)


def node_of(row):
    """The node of a row; of one struct there is one node, kept in its plan."""
    if row.plan is None:
        node = _NODES[row.op](row)
        node.link(row)
        return node
    node = row.plan.nodes.get(__name__)
    if node is None:
        node = _NODES[row.op](row)
        row.plan.nodes[__name__] = node
        node.link(row)
    return node


def set_max_depth(limit):
    """How deep containers and structs may be nested, in reading, writing and skipping."""
    global _limit
    if not 1 <= limit <= 200:
        raise ValueError("the depth limit must be between 1 and 200")
    _limit = limit


def enter(place):
    """One container or struct further in, of a source or a sink."""
    place.depth += 1
    if place.depth > _limit:
        raise Fault(f"nested deeper than {_limit} levels")


def take_length(source):
    """A size that cannot be negative."""
    size = take_i32(source)
    if size < 0:
        raise Fault(f"negative size {size}")
    return size


def check_size(source, size, width):
    """Refuse a container that claims more elements than the rest of the data could hold."""
    if size > (source.end - source.pos) // width:
        raise Fault(f"size {size} is more than the {source.end - source.pos} bytes left can hold")


def map_step(index, name):
    """The step of a map's value (by its key), or of the key itself (by its position)."""
    if name is _ABSENT:
        return f"[key #{index}]"
    text = repr(name) if isinstance(name, (int, str, bytes)) else brief(name)
    return f"[{text[:60]}]"


def listed(node, value):
    """Any other collection as a list."""
    try:
        len(value)
        return list(value)
    except TypeError:
        raise node.misfit(value) from None


def skip(source, code):
    """Pass over a value of any wire type."""
    if code < 0 or code > 16 or _LEAST[code] == 0:
        raise Fault(f"unknown wire type {code}")
    width = _WIDTHS[code]
    if width != 0:
        pass_over(source, width)
    elif code == wire.STRING:
        pass_over(source, take_length(source))
    else:
        enter(source)
        if code == wire.STRUCT:
            while True:
                inner = take_u8(source)
                if inner == 0:
                    break
                pass_over(source, 2)
                skip(source, inner)
        elif code == wire.MAP:
            key = take_u8(source)
            inner = take_u8(source)
            skip_items(source, take_length(source), key, inner)
        else:
            inner = take_u8(source)
            skip_items(source, take_length(source), inner, -1)
        source.depth -= 1


def skip_items(source, size, first, second):
    """Pass over elements; ``second`` is the wire type of a map's values, else -1."""
    if size > 0:
        least = least_of(first) + (least_of(second) if second >= 0 else 0)
        check_size(source, size, least)
        if _WIDTHS[first] != 0 and (second < 0 or _WIDTHS[second] != 0):
            pass_over(source, size * least)
        else:
            for _ in range(size):
                skip(source, first)
                if second >= 0:
                    skip(source, second)


def least_of(code):
    if code < 0 or code > 16 or _LEAST[code] == 0:
        raise Fault(f"bad element type {code}")
    return _LEAST[code]
