"""Structs of arguments as instances of another library's classes: what makes one, what stands for an enum's number.

Which class is whose is found out elsewhere (``rpc.types``); nothing here knows bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from thriftserver.codec.fault import Fault
from thriftserver.schema import model
from thriftserver.schema.frozen import freeze

if TYPE_CHECKING:
    from thriftserver.codec.plan import Plan


class Types:
    """The classes to use for structs and, where there are any, for enums; an enum without one is its plain number."""

    def __init__(self, structs: Mapping[model.Struct, type], enums: Mapping[model.Enum, type[Enum]]) -> None:
        self._structs = structs
        self._enums = enums
        self._makers: dict[tuple[model.Struct, bool], Callable[..., Any]] = {}
        #: What ``codec.plan`` has made for these classes.
        self.plans: dict[tuple[model.Struct, bool], Plan] = {}

    def maker(self, struct: model.Struct, frozen: bool) -> Callable[..., Any]:
        """Makes an instance of the values in the order of declaration; ``frozen`` ones can be keys and members."""
        made = self._makers.get((struct, frozen))
        if made is None:
            made = self._makers[struct, frozen] = _maker(struct, self._structs[struct], frozen)
        return made

    def members(self, enum: model.Enum) -> Mapping[int, Any]:
        """The members of an enum by their numbers."""
        cls = self._enums.get(enum)
        return {} if cls is None else {member.value: member for member in cls}


def _maker(struct: model.Struct, cls: type, frozen: bool) -> Callable[..., Any]:
    names = tuple(field.name for field in struct.fields)
    cls = _hashable(cls, names) if frozen else cls

    def make(*values: Any, **named: Any) -> Any:
        try:
            made = cls(**dict(zip(names, values, strict=False)), **named)
            if frozen:
                hash(made)  # here, where it is told what went wrong
            return made
        except BaseException as error:  # of foreign code, in the midst of reading: the call is refused
            raise Fault(f"{struct.name} cannot be made of these fields ({type(error).__name__})") from error

    return make


def _hashable(cls: Any, names: tuple[str, ...]) -> Any:
    """The class itself, or one of its kind that can be a member of a set: Apache's generated classes have no hash."""
    if cls.__hash__ is not None:
        return cls

    def digest(self: Any) -> int:
        return hash(tuple(freeze(getattr(self, name)) for name in names))

    def equal(self: Any, other: object) -> bool:
        return isinstance(other, cls) and all(getattr(self, name) == getattr(other, name) for name in names)

    def reduce(self: Any) -> Any:  # back comes one of the class that has a name
        return _revive, (cls, {name: getattr(self, name) for name in names})

    members = {"__hash__": digest, "__eq__": equal, "__reduce__": reduce, "__doc__": cls.__doc__, "__slots__": ()}
    return type(cls.__name__, (cls,), {**members, "__module__": cls.__module__, "__qualname__": cls.__qualname__})


def _revive(cls: type, values: dict[str, Any]) -> Any:
    return cls(**values)
