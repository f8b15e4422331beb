"""Makes the Python classes of an IDL: structs, unions, exceptions and enums, each once, stored in its definition.

Nothing here knows bytes; ``codec`` reads and fills these classes. Structs are ``msgspec.Struct`` (slots and C speed for
init, eq and copy); exceptions and unions are in ``schema.special``, because msgspec has neither.
"""

from __future__ import annotations

import inspect
import keyword
import threading
from collections.abc import Callable, Mapping
from copy import deepcopy
from enum import IntEnum
from functools import partial
from sys import intern
from typing import Any, ClassVar, Protocol

import msgspec
from msgspec.structs import force_setattr

from thriftserver.errors import IdlError
from thriftserver.schema import model
from thriftserver.schema.frozen import FrozenMap, hash_of
from thriftserver.schema.names import aliases, is_reserved, meant, properties
from thriftserver.schema.pickles import reduced, register
from thriftserver.schema.special import ThriftException, ThriftUnion, member_property
from thriftserver.schema.text import describe

_lock = threading.RLock()

#: Of enum members that Python's Enum cannot have under their own name.
_UNUSABLE_MEMBERS = frozenset({"mro"})


class ThriftStruct(msgspec.Struct):
    """Base of the classes of structs; it adds what msgspec leaves to its users."""

    __thrift__: ClassVar[model.Struct]

    def __repr__(self) -> str:
        return describe(self)

    def __hash__(self) -> int:
        # By value, so that a struct can be a map key. Changing one that is a key is as wrong as it always was.
        return hash_of(type(self), msgspec.structs.astuple(self))

    def __reduce__(self) -> Any:
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return (*reduced(self, values), getattr(self, "__dict__", None) or None)

    def __copy__(self) -> Any:
        made: Any = super().__copy__()  # type: ignore[misc]  # which msgspec's types do not tell
        if own := getattr(self, "__dict__", None):  # of a derived class
            made.__dict__.update(own)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        made = memo[id(self)] = self.__copy__()
        for name in self.__struct_fields__:
            force_setattr(made, name, deepcopy(getattr(self, name), memo))
        if own := getattr(self, "__dict__", None):
            made.__dict__.update(deepcopy(own, memo))
        return made

    @classmethod
    def __rebuild__(cls, values: dict[str, Any]) -> Any:
        return cls(**{name: values[name] for name in cls.__struct_fields__ if name in values})


class _OfEnum:
    """An attribute of an enum's class, made of its members whenever it is asked for."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make

    def __get__(self, _: Any, cls: Any) -> Any:
        return self._make(cls)


class ThriftEnum(IntEnum):
    """Base of the classes of enums; members pickle by the IDL's path, name and number."""

    __thrift__: ClassVar[model.Enum]
    # How code for Apache's and thriftpy2's classes asks for names.
    _VALUES_TO_NAMES = _OfEnum(lambda cls: {member.value: member.name for member in cls})
    _NAMES_TO_VALUES = _OfEnum(lambda cls: {name: member.value for name, member in cls.__members__.items()})

    def __reduce_ex__(self, protocol: Any) -> Any:
        return reduced(self, int(self))

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self


def class_of(struct: model.Struct) -> type:
    """The class of a struct, union or exception, made at the first call."""
    if struct.runtime is None:
        with _lock:
            if struct.runtime is None:
                for field in struct.fields:
                    _check_name(field)
                made = _MAKERS[struct.kind](struct)
                register(struct, made)
                struct.runtime = made
    return struct.runtime  # type: ignore[no-any-return]


def enum_of(enum: model.Enum) -> type[IntEnum]:
    """The ``IntEnum`` of an enum, made at the first call. Two names of one number are one member with an alias."""
    if enum.runtime is None:
        with _lock:
            if enum.runtime is None:
                functional: Any = ThriftEnum
                made = functional(enum.name, _members(enum), module=enum.module)
                for other, name in aliases(made.__members__.keys()).items():
                    setattr(made, other, made[name])
                made.__doc__ = enum.doc or None
                made.__thrift__ = enum
                register(enum, made)
                enum.runtime = made
    return enum.runtime  # type: ignore[no-any-return]


class Classes(Protocol):
    """Where the classes of structs and enums come from, if not from here."""

    def maker(self, struct: model.Struct, frozen: bool) -> Callable[..., Any]:
        """What makes an instance of the values, all by position or some by name."""

    def members(self, enum: model.Enum) -> Mapping[int, Any]:
        """The members of an enum by their numbers."""


def materialize(type: model.Type, value: model.Value, frozen: bool = False, classes: Classes | None = None) -> Any:
    """A fresh Python object of a constant's neutral value; ``frozen`` for one in key or member position."""
    match type:
        case model.List(element=element):
            items = (materialize(element, item, frozen, classes) for item in value)
            return tuple(items) if frozen else list(items)
        case model.Set(element=element):
            members = (materialize(element, item, True, classes) for item in value)
            return frozenset(members) if frozen else set(members)
        case model.Map(key=key_type, value=value_type):
            made = {
                materialize(key_type, key, True, classes): materialize(value_type, item, frozen, classes)
                for key, item in value
            }
            return FrozenMap(made) if frozen else made
        case model.Enum():
            known = enum_of(type)._value2member_map_ if classes is None else classes.members(type)
            return known.get(value, value)
        case model.Struct(fields=fields):
            types = {field.name: field.type for field in fields}
            make = class_of(type) if classes is None else classes.maker(type, frozen)
            return make(**{name: materialize(types[name], item, frozen, classes) for name, item in value.items()})
    return value


def default_of(field: model.Field, classes: Classes | None = None) -> tuple[Any, Callable[[], Any] | None]:
    """A field's default as ``(value, None)``, or ``(None, factory)`` where instances must not share it."""
    if field.default is model.ABSENT:
        return None, None
    if isinstance(field.type, model.Base | model.Enum):
        return materialize(field.type, field.default, False, classes), None
    return None, lambda: materialize(field.type, field.default, False, classes)


def _check_name(field: model.Field) -> None:
    if is_reserved(field.name):
        raise IdlError(f"{field.where}: error: field name '{field.name}' is reserved by Python")


def _members(enum: model.Enum) -> list[tuple[str, int]]:
    def usable(name: str) -> str:
        private = name.startswith(f"_{enum.name}__") and not name.endswith("__")
        hidden = (name.startswith("_") and name.endswith("_")) or private
        return f"x{name}" if hidden else f"{name}_" if name in _UNUSABLE_MEMBERS else name

    return [(usable(member.name), member.value) for member in enum.members]


def _namespace(struct: model.Struct) -> dict[str, Any]:
    given = {"__doc__": struct.doc or None, "__thrift__": struct, "__module__": struct.module}
    return given | properties(field.name for field in struct.fields)


class _Keywords(type(msgspec.Struct)):  # type: ignore[misc]
    """The class of structs with fields that are called as Python's keywords: they are given as ``from_`` too."""

    def __call__(cls, /, *values: Any, **named: Any) -> Any:
        return super().__call__(*values, **meant(named, cls.__struct_fields__))


def _class(make: Callable[[str], type], struct: model.Struct) -> type:
    """A class by its name. Python mangles names that begin with two underscores, but not in a class called ``_``."""
    if not any(field.name.startswith("__") for field in struct.fields):
        return make(struct.name)
    made = make("_")
    made.__name__ = made.__qualname__ = struct.name
    return made


def _struct(struct: model.Struct) -> type:
    fields: list[tuple[str, Any, Any]] = []
    for field in struct.fields:
        value, factory = default_of(field)
        fields.append((intern(field.name), Any, value if factory is None else msgspec.field(default_factory=factory)))
    namespace = _namespace(struct)
    if not aliases([field.name for field in struct.fields]):
        return _class(lambda name: msgspec.defstruct(name, fields, bases=(ThriftStruct,), namespace=namespace), struct)
    namespace |= {"__annotations__": {name: kind for name, kind, _ in fields}}
    namespace |= {name: default for name, _, default in fields}
    return _class(lambda name: _Keywords(name, (ThriftStruct,), namespace), struct)


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
    return _class(lambda name: type(name, (ThriftException,), namespace), struct)


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
