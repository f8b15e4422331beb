"""Bases of the two kinds of classes that msgspec cannot give: exceptions with slots, and unions.

Nothing here reads definitions; ``schema.classes`` fills in the ``__thrift_...__`` attributes of the classes it makes.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, ClassVar, Self

from thriftserver.errors import TException
from thriftserver.schema.frozen import hash_of
from thriftserver.schema.names import meant
from thriftserver.schema.pickles import is_generated, reduced
from thriftserver.schema.text import describe


def _bind(cls: type, names: tuple[str, ...], values: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """Constructor arguments by name, with the errors that a written-out ``__init__`` would give."""
    if len(values) > len(names):
        raise TypeError(f"{cls.__name__}() takes {len(names)} values, got {len(values)}")
    bound = dict(zip(names, values, strict=False))
    for name, value in meant(named, names).items():
        if name not in names:
            raise TypeError(f"{cls.__name__}() has no field {name!r}")
        if name in bound:
            raise TypeError(f"{cls.__name__}() got field {name!r} twice")
        bound[name] = value
    return bound


class ThriftException(TException):
    """Base of the classes of IDL exceptions."""

    __slots__ = ()
    __thrift__: ClassVar[Any]
    __thrift_fields__: ClassVar[tuple[str, ...]] = ()
    #: (field, value, factory) of the fields with a default.
    __thrift_defaults__: ClassVar[tuple[tuple[str, Any, Any], ...]] = ()

    def __new__(cls, /, *values: Any, **named: Any) -> Self:
        self = super().__new__(cls)
        # Every slot is filled from birth on: the codec reads slots without asking.
        for name in cls.__thrift_fields__:
            object.__setattr__(self, name, None)
        return self

    def __init__(self, /, *values: Any, **named: Any) -> None:
        cls = type(self)
        bound = _bind(cls, cls.__thrift_fields__, values, named)
        for name, value, factory in cls.__thrift_defaults__:
            if name not in bound:
                object.__setattr__(self, name, value if factory is None else factory())
        for name, value in bound.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        # Python itself and tools put names with underscores on exceptions (__notes__, __sentry...); derived classes
        # have attributes of their own.
        cls = type(self)
        if name not in cls.__dict__ and not name.startswith("_") and is_generated(cls):
            raise AttributeError(f"{type(self).__name__!r} has no field {name!r}")
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if name in self.__thrift_fields__:
            raise AttributeError(f"field {name!r} cannot be deleted; set it to None")
        object.__delattr__(self, name)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__thrift_fields__)

    def __hash__(self) -> int:
        return hash_of(type(self), [getattr(self, name) for name in self.__thrift_fields__])

    def __repr__(self) -> str:
        return describe(self)

    def __str__(self) -> str:
        message = getattr(self, "message", None)
        hidden = type(self).__thrift__.redacted or any(
            field.redacted for field in type(self).__thrift__.fields if field.name == "message"
        )
        return message if isinstance(message, str) and not hidden else describe(self)

    def __reduce__(self) -> Any:
        values = {name: getattr(self, name) for name in self.__thrift_fields__}
        return (*reduced(self, values), _own(self) or None)

    def __setstate__(self, state: Any) -> None:
        for key, value in (state or {}).items():
            object.__setattr__(self, key, value)

    def __copy__(self) -> Any:
        made = type(self).__rebuild__({name: getattr(self, name) for name in self.__thrift_fields__})
        made.__setstate__(_own(self))
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        made = memo[id(self)] = self.__copy__()
        for name in self.__thrift_fields__:
            object.__setattr__(made, name, deepcopy(getattr(self, name), memo))
        made.__setstate__(deepcopy(_own(self), memo))
        return made

    @classmethod
    def __rebuild__(cls, values: dict[str, Any]) -> Any:
        """Without ``__init__``: that of a derived class may want something else."""
        made = cls.__new__(cls)
        for name, value, factory in cls.__thrift_defaults__:
            if name not in values:
                object.__setattr__(made, name, value if factory is None else factory())
        for name in cls.__thrift_fields__:
            if name in values:
                object.__setattr__(made, name, values[name])
        return made


def _own(error: ThriftException) -> dict[str, Any]:
    """What travels with an exception beside its fields: its notes, and all that a derived class has put on it."""
    if is_generated(type(error)):
        return {key: value for key, value in error.__dict__.items() if key == "__notes__"}
    return dict(error.__dict__)


class ThriftUnion:
    """Base of the classes of unions: at most one member is set.

    ``__which__`` is the name of that member or None, ``__value__`` its value. A member that is not the one set reads as
    None; assigning one replaces the other; assigning None to the one that is set empties the union.
    """

    __slots__ = ("__value__", "__which__")
    __thrift__: ClassVar[Any]
    __thrift_fields__: ClassVar[tuple[str, ...]] = ()
    __thrift_default__: ClassVar[Any] = None
    __which__: str | None
    __value__: Any

    def __new__(cls, /, *values: Any, **named: Any) -> Self:
        self = object.__new__(cls)
        _set_which(self, None)
        _set_value(self, None)
        return self

    def __init__(self, /, *values: Any, **named: Any) -> None:
        cls = type(self)
        bound = _bind(cls, cls.__thrift_fields__, values, named)
        given = {key: value for key, value in bound.items() if value is not None}
        if len(given) > 1:
            raise TypeError(f"{cls.__name__}() is a union: one member at most, got {', '.join(given)}")
        if not given and cls.__thrift_default__ is not None:
            name, make = cls.__thrift_default__
            given = {name: make()}
        for name, value in given.items():
            _set_which(self, name)
            _set_value(self, value)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.__which__ == other.__which__ and bool(self.__value__ == other.__value__)

    def __hash__(self) -> int:
        return hash_of(type(self), (self.__which__, self.__value__))

    def __repr__(self) -> str:
        return describe(self)

    def __copy__(self) -> Any:
        made = type(self).__rebuild__({} if self.__which__ is None else {self.__which__: self.__value__})
        made.__setstate__(getattr(self, "__dict__", None))
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        made = memo[id(self)] = self.__copy__()
        _set_value(made, deepcopy(self.__value__, memo))
        made.__setstate__(deepcopy(getattr(self, "__dict__", None), memo))
        return made

    def __reduce__(self) -> Any:
        values = {} if self.__which__ is None else {self.__which__: self.__value__}
        return (*reduced(self, values), getattr(self, "__dict__", None) or None)

    def __setstate__(self, state: Any) -> None:
        for key, value in (state or {}).items():
            object.__setattr__(self, key, value)

    @classmethod
    def __rebuild__(cls, values: dict[str, Any]) -> Any:
        """Without ``__init__``: an empty one stays empty, also where a member has a default."""
        made = cls.__new__(cls)
        for name in cls.__thrift_fields__:
            if name in values:
                _set_which(made, name)
                _set_value(made, values[name])
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("__which__", "__value__"):
            raise AttributeError(f"assign to a member of {type(self).__name__}, not to {name}")
        object.__setattr__(self, name, value)


_set_which = ThriftUnion.__dict__["__which__"].__set__
_set_value = ThriftUnion.__dict__["__value__"].__set__


def member_property(name: str, doc: str) -> property:
    """The attribute of one member of a union."""

    def get(self: ThriftUnion) -> Any:
        return self.__value__ if self.__which__ == name else None

    def put(self: ThriftUnion, value: Any) -> None:
        if value is not None:
            _set_which(self, name)
            _set_value(self, value)
        elif self.__which__ == name:
            _set_which(self, None)
            _set_value(self, None)

    return property(get, put, None, doc or None)


def which(union: Any) -> str | None:
    """The name of the member that a union holds, or None when it is empty."""
    if not isinstance(union, ThriftUnion):
        raise TypeError(f"expected a union, got {type(union).__name__}")
    return union.__which__
