"""Compiles a schema into rows, once per type: everything about a type that the codec has to know, decided here.

Nothing here knows bytes beyond wire types; the walkers of each protocol, compiled or not, follow the rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from thriftserver import wire
from thriftserver.codec.fault import HIDDEN
from thriftserver.schema import model
from thriftserver.schema.classes import class_of, default_of, enum_of, materialize

if TYPE_CHECKING:
    from thriftserver.codec.foreign import Types

_BASES: dict[str, int] = {
    "bool": wire.BOOL,
    "i8": wire.BYTE,
    "i16": wire.I16,
    "i32": wire.I32,
    "i64": wire.I64,
    "double": wire.DOUBLE,
    "string": wire.STRING,
    "binary": wire.STRING,
    "uuid": wire.UUID,
}

#: Held while anything is made of a schema, here and in ``codec.walk``.
lock = threading.RLock()
#: Containers within each other in one type; deeper ones could not be read or written anyway.
_DEEPEST = 200


class Row:
    """How values of one type stand on the wire. ``op`` names the kind of walker that handles it."""

    __slots__ = ("element", "frozen", "key", "members", "op", "plan", "text", "wire")

    def __init__(self, op: str, wire: int, text: str, frozen: bool = False) -> None:
        self.op = op
        self.wire = wire
        self.text = text  # the type in the IDL's words, for messages
        self.frozen = frozen  # in key or member position: decodes to hashable values
        self.key: Any = None  # Row of a map's keys
        self.element: Any = None  # Row of elements, or of a map's values
        self.plan: Any = None  # Plan of a struct
        self.members: dict[int, Any] = {}


class FieldRow:
    """A field of a struct, an argument, a result. ``place`` is its index in the order of declaration.

    ``step`` is what it adds to the path in a message: nothing for a result.
    """

    __slots__ = ("default", "factory", "id", "name", "place", "required", "row", "step")

    def __init__(self, place: int, id: int, name: str, required: bool, row: Row, hidden: bool = False) -> None:
        self.place = place
        self.id = id
        self.name = name
        self.required = required
        self.row = row
        self.step = (f".{name}" if id else "") + (HIDDEN if hidden else "")
        self.default: Any = None
        self.factory: Callable[[], Any] | None = None


class Plan:
    """The rows of one struct, union or exception. ``fields`` are in the order of their ids, as Apache writes them.

    ``make`` takes the values in the order of declaration: the class itself, or what makes an instance of a foreign one.
    """

    __slots__ = ("cls", "fields", "frozen", "kind", "make", "name", "nodes", "row", "twin", "types")

    def __init__(self, struct: model.Struct, frozen: bool, types: Types | None = None) -> None:
        self.name = struct.name
        # A union of another library's is a struct of whose fields all but one are None.
        union = struct.kind == "union" and types is None
        self.row = Row("union" if union else "struct", wire.STRUCT, struct.name, frozen)
        self.row.plan = self
        self.kind = struct.kind
        self.types = types
        self.cls: type = class_of(struct)
        self.make: Any = self.cls if types is None else types.maker(struct, frozen)
        self.frozen = frozen
        self.fields: tuple[FieldRow, ...] = ()
        #: What each walker has made of this plan, by the walker's name.
        self.nodes: dict[str, Any] = {}
        #: The same struct in key position, once it is needed.
        self.twin: Plan | None = None


class MethodPlan:
    """The rows of one method: its arguments, its result (None for void), its declared exceptions.

    ``idempotent``: may a call of it be executed twice?
    """

    __slots__ = ("args", "idempotent", "name", "oneway", "result", "throws")

    def __init__(self, function: model.Function, types: Types | None = None) -> None:
        self.name = function.name
        self.oneway = function.oneway
        self.idempotent = function.idempotent
        self.args = _fields(function.args, False, types=types)
        self.result: FieldRow | None = None
        if function.returns is not None:
            self.result = FieldRow(0, 0, "success", False, row(function.returns), function.redacted)
        self.throws = _fields(function.throws, False)

    def declared(self, exc: BaseException) -> int | None:
        """The index in ``throws`` of the exception that this one is: by class, else by a class's name.

        By name match what thriftpy2 or Apache's compiler made from the same IDL; the nearest class wins.
        """
        for index, field in enumerate(self.throws):
            if issubclass(type(exc), _class(field)):
                return index
        if self.throws:
            names = [_class(field).__name__ for field in self.throws]
            for base in type(exc).__mro__:
                if base.__module__ != "builtins" and base.__name__ in names:
                    return names.index(base.__name__)
        return None


def _class(field: FieldRow) -> type:
    return field.row.plan.cls  # type: ignore[no-any-return]  # only exceptions can be thrown, they have a plan


def struct_plan(struct: model.Struct, frozen: bool = False) -> Plan:
    """The plan of a struct, compiled at the first call; ``frozen`` for one in key or member position."""
    with lock:
        plan = _declare(struct, frozen, None)
        _complete()
        return plan


#: Plans that still need their fields, and all that were begun together: types may lead back to each other, and lead on
#: for thousands of structs, so nothing here recurses from struct to struct.
_waiting: list[tuple[Plan, model.Struct]] = []
_begun: list[Plan] = []


def _declare(struct: model.Struct, frozen: bool, types: Types | None) -> Plan:
    if types is not None:
        return _declare_foreign(struct, frozen, types)
    cls = class_of(struct)
    plan: Plan | None = cls.__dict__.get("__plan__")
    if plan is None:
        plan = Plan(struct, False)
        cls.__plan__ = plan  # type: ignore[attr-defined]
        _waiting.append((plan, struct))
        _begun.append(plan)
    if not frozen:
        return plan
    if plan.twin is None:
        plan.twin = Plan(struct, True)
        _waiting.append((plan.twin, struct))
        _begun.append(plan)
    return plan.twin


def _declare_foreign(struct: model.Struct, frozen: bool, types: Types) -> Plan:
    plan = types.plans.get((struct, frozen))
    if plan is None:
        plan = types.plans[struct, frozen] = Plan(struct, frozen, types)
        _waiting.append((plan, struct))
        _begun.append(plan)
    return plan


def _complete() -> None:
    try:
        while _waiting:
            plan, struct = _waiting.pop()
            plan.fields = _fields(struct.fields, plan.frozen, struct.redacted, plan.types)
            if plan.types is not None and plan.kind == "union":
                for field in plan.fields:  # what is absent is so for the sake of the one that is there
                    field.default = field.factory = None
    except BaseException:
        # Half of a plan would silently write half of a value: forget everything that may lead to one.
        for plan in _begun:
            plan.twin = None
            if plan.types is not None:
                plan.types.plans.clear()
            elif "__plan__" in plan.cls.__dict__:
                del plan.cls.__plan__  # type: ignore[attr-defined]
        _waiting.clear()
        raise
    finally:
        _begun.clear()


def plan_of(cls: type) -> Plan:
    """The plan of a class made by ``class_of``, or of a subclass of one."""
    definition = getattr(cls, "__thrift__", None)
    if not isinstance(definition, model.Struct):
        raise TypeError(f"expected a class made from an IDL struct, got {cls.__name__}")
    return struct_plan(definition)


def method_plan(function: model.Function, types: Types | None = None) -> MethodPlan:
    """The plan of one method; callers keep it. With ``types``, structs in its arguments are of those classes."""
    with lock:
        plan = MethodPlan(function, types)
        _complete()
        return plan


def row(type: model.Type, frozen: bool = False, depth: int = 0, types: Types | None = None) -> Row:
    """The row of a type; structs in it are only declared."""
    if depth > _DEEPEST:
        return Row("deep", wire.STOP, "a type nested too deep")
    match type:
        case model.Base(name=name):
            return Row(name, _BASES[name], name)
        case model.Enum():
            made = Row("enum", wire.I32, type.name)
            made.members = dict(enum_of(type)._value2member_map_ if types is None else types.members(type))
            return made
        case model.List(element=element):
            made = Row("list", wire.LIST, _text(type), frozen)
            made.element = row(element, frozen, depth + 1, types)
        case model.Set(element=element):
            made = Row("set", wire.SET, _text(type), frozen)
            made.element = row(element, True, depth + 1, types)
        case model.Map(key=key, value=value):
            made = Row("map", wire.MAP, _text(type), frozen)
            made.key = row(key, True, depth + 1, types)
            made.element = row(value, frozen, depth + 1, types)
        case model.Struct():
            return _declare(type, frozen, types).row
    return made


def _text(type: model.Type) -> str:
    text = str(type)
    return text if len(text) <= 100 else f"{text[:100]}..."


def _fields(
    fields: tuple[model.Field, ...], frozen: bool, hidden: bool = False, types: Types | None = None
) -> tuple[FieldRow, ...]:
    rows = []
    for place, field in enumerate(fields):
        required, type = field.required is True, row(field.type, frozen, types=types)
        made = FieldRow(place, field.id, field.name, required, type, hidden or field.redacted)
        made.default, made.factory = default_of(field, types)
        if frozen and made.factory is not None:
            made.default, made.factory = materialize(field.type, field.default, True, types), None
        rows.append(made)
    return tuple(sorted(rows, key=lambda made: made.id))
