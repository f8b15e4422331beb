"""Makes the Python classes of an IDL: structs, unions, exceptions and enums, each once, stored in its definition.

Nothing here knows bytes; ``codec`` reads and fills these classes. Structs are ``msgspec.Struct`` (slots and C speed for
init, eq and copy); exceptions and unions are in ``schema.special``, because msgspec has neither.
"""

from __future__ import annotations

import inspect
import keyword
import threading
from collections.abc import Callable
from enum import IntEnum
from functools import partial
from sys import intern
from typing import Any

import msgspec

from thriftserver.errors import IdlError
from thriftserver.schema import model
from thriftserver.schema.frozen import FrozenMap, hash_of
from thriftserver.schema.pickles import register, revive
from thriftserver.schema.special import ThriftException, ThriftUnion, member_property
from thriftserver.schema.text import describe

_lock = threading.RLock()

#: Of enum members that Python's Enum cannot have under their own name.
_UNUSABLE_MEMBERS = frozenset({"mro"})


class ThriftStruct(msgspec.Struct):
    """Base of the classes of structs; it adds what msgspec leaves to its users."""

    def __repr__(self) -> str:
        return describe(self)

    def __hash__(self) -> int:
        # By value, so that a struct can be a map key. Changing one that is a key is as wrong as it always was.
        return hash_of(type(self), msgspec.structs.astuple(self))

    def __reduce__(self) -> Any:
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return revive, (*identity(self), values)


class ThriftEnum(IntEnum):
    """Base of the classes of enums; members pickle by the IDL's path, name and number."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        return revive, (*identity(self), int(self))


def identity(value: Any) -> tuple[str, str, str]:
    """Where a value's class comes from: path of the IDL, its module's name, the definition's name."""
    definition: model.Definition = type(value).__thrift__
    return definition.where.path, definition.module, definition.name


def class_of(struct: model.Struct) -> type:
    """The class of a struct, union or exception, made at the first call."""
    if struct.runtime is None:
        with _lock:
            if struct.runtime is None:
                for field in struct.fields:
                    _check_name(field)
                made = _MAKERS[struct.kind](struct)
                register(struct.where.path, struct.name, made)
                struct.runtime = made
    return struct.runtime  # type: ignore[no-any-return]


def enum_of(enum: model.Enum) -> type[IntEnum]:
    """The ``IntEnum`` of an enum, made at the first call. Two names of one number are one member with an alias."""
    if enum.runtime is None:
        with _lock:
            if enum.runtime is None:
                functional: Any = ThriftEnum
                made = functional(enum.name, _members(enum), module=enum.module)
                made.__doc__ = enum.doc or None
                made.__thrift__ = enum
                register(enum.where.path, enum.name, made)
                enum.runtime = made
    return enum.runtime  # type: ignore[no-any-return]


def materialize(type: model.Type, value: model.Value, frozen: bool = False) -> Any:
    """A fresh Python object of a constant's neutral value; ``frozen`` for one in key or member position."""
    match type:
        case model.List(element=element):
            items = (materialize(element, item, frozen) for item in value)
            return tuple(items) if frozen else list(items)
        case model.Set(element=element):
            members = (materialize(element, item, True) for item in value)
            return frozenset(members) if frozen else set(members)
        case model.Map(key=key_type, value=value_type):
            made = {materialize(key_type, key, True): materialize(value_type, item, frozen) for key, item in value}
            return FrozenMap(made) if frozen else made
        case model.Enum():
            return enum_of(type)._value2member_map_.get(value, value)
        case model.Struct(fields=fields):
            types = {field.name: field.type for field in fields}
            return class_of(type)(**{name: materialize(types[name], item, frozen) for name, item in value.items()})
    return value


def default_of(field: model.Field) -> tuple[Any, Callable[[], Any] | None]:
    """A field's default as ``(value, None)``, or ``(None, factory)`` where instances must not share it."""
    if field.default is model.ABSENT:
        return None, None
    if isinstance(field.type, model.Base | model.Enum):
        return materialize(field.type, field.default), None
    return None, lambda: materialize(field.type, field.default)


def _check_name(field: model.Field) -> None:
    if field.name.startswith("__") and field.name.endswith("__"):
        raise IdlError(f"{field.where}: error: field name '{field.name}' is reserved by Python")


def _members(enum: model.Enum) -> list[tuple[str, int]]:
    def usable(name: str) -> str:
        hidden = name.startswith("_") and name.endswith("_")
        return f"x{name}" if hidden else f"{name}_" if name in _UNUSABLE_MEMBERS else name

    return [(usable(member.name), member.value) for member in enum.members]


def _namespace(struct: model.Struct) -> dict[str, Any]:
    return {"__doc__": struct.doc or None, "__thrift__": struct, "__module__": struct.module}


def _struct(struct: model.Struct) -> type:
    fields: list[tuple[str, Any, Any]] = []
    for field in struct.fields:
        value, factory = default_of(field)
        fields.append((intern(field.name), Any, value if factory is None else msgspec.field(default_factory=factory)))
    return msgspec.defstruct(struct.name, fields, bases=(ThriftStruct,), namespace=_namespace(struct))


def _signature(struct: model.Struct) -> inspect.Signature | None:
    if any(keyword.iskeyword(field.name) for field in struct.fields):
        return None  # inspect has no words for such parameters
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(field.name, kind, default=None) for field in struct.fields])


def _exception(struct: model.Struct) -> type:
    names = tuple(field.name for field in struct.fields)
    defaults = [(field.name, *default_of(field)) for field in struct.fields]
    namespace = _namespace(struct) | {
        "__slots__": names,
        "__thrift_fields__": names,
        "__thrift_defaults__": tuple(default for default in defaults if default[1:] != (None, None)),
        "__match_args__": names,
        "__signature__": _signature(struct),
    }
    return type(struct.name, (ThriftException,), namespace)


def _union(struct: model.Struct) -> type:
    names = tuple(field.name for field in struct.fields)
    namespace: dict[str, Any] = _namespace(struct) | {
        "__slots__": (),
        "__thrift_fields__": names,
        "__match_args__": names,
        "__signature__": _signature(struct),
    }
    for field in struct.fields:
        namespace[field.name] = member_property(field.name, field.doc)
    # A default makes sense for one member at most; the last one given wins, as in a constructor of Apache's.
    for field in struct.fields:
        value, factory = default_of(field)
        if factory is not None or value is not None:
            namespace["__thrift_default__"] = (field.name, factory or partial(materialize, field.type, field.default))
    return type(struct.name, (ThriftUnion,), namespace)


_MAKERS: dict[str, Callable[[model.Struct], type]] = {"struct": _struct, "exception": _exception, "union": _union}
