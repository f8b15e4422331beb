"""What an IDL means, resolved: every name is bound, every typedef gone, every constant folded. Plain data.

Nothing here knows Thrift's syntax, its bytes, or Python classes made from it. Objects are compared by identity: one
definition in one file is one object, however many includes lead to it. They are complete once ``idl`` hands them out,
and never change afterwards.

Values of constants and defaults (``Value``) are neutral, always in the form of the resolved type:

====================  ==================================================================================
bool, ints, double    ``bool``, ``int``, ``float``
string                ``str``
binary                ``bytes``
uuid                  ``uuid.UUID``
enum                  ``int`` (also when the enum has no such member)
list, set             ``tuple`` of values in the order of the IDL (a set without its duplicates)
map                   ``Pairs``: a ``tuple`` of ``(key, value)``; of equal keys the last one stays
struct, exception     ``Literal``: field name -> value, what the IDL's literal gives and nothing else
union                 ``Literal`` with what the literal gives
====================  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum as PyEnum
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec


class Pairs(tuple[tuple[Any, Any], ...]):
    """A map's value, in a class of its own so that it cannot be mistaken for a list of lists."""

    __slots__ = ()


class Literal(dict[str, Any]):
    """A struct's value: field name -> value."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]  # a struct may be a map key; literals never change
        return hash(frozenset(self.items()))


Value: TypeAlias = Any


class _Absent(PyEnum):
    ABSENT = "no default"

    def __repr__(self) -> str:
        return "ABSENT"


#: ``Field.default`` of a field for which the IDL gives none.
ABSENT: Final = _Absent.ABSENT


class Where(NamedTuple):
    """A place in a source file; line and column count from 1, column in characters."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class Base(msgspec.Struct, frozen=True):
    """One of Thrift's base types, by its canonical name (``byte`` is ``i8``)."""

    name: str

    def __str__(self) -> str:
        return self.name


BOOL: Final = Base("bool")
I8: Final = Base("i8")
I16: Final = Base("i16")
I32: Final = Base("i32")
I64: Final = Base("i64")
DOUBLE: Final = Base("double")
STRING: Final = Base("string")
BINARY: Final = Base("binary")
UUID: Final = Base("uuid")

#: Base types by every spelling that the IDL has for them.
BASES: Final = {base.name: base for base in (BOOL, I8, I16, I32, I64, DOUBLE, STRING, BINARY, UUID)} | {"byte": I8}


class Container:
    """Base of the container types. They are equal when they are built alike.

    An IDL may nest types thousands deep, so nothing here recurses: the hash is kept, the rest walks with a stack.
    """

    __slots__ = ("_hash", "size")
    _hash: int
    #: How many types it is made of, itself included. Typedefs within typedefs can make this grow without bound.
    size: int

    def parts(self) -> tuple[Type, ...]:
        """The types it is made of."""
        raise NotImplementedError

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        pairs: list[tuple[object, object]] = [(self, other)]
        while pairs:
            a, b = pairs.pop()
            if a is b:
                continue
            if isinstance(a, Container) and isinstance(b, Container):
                if type(a) is not type(b) or a._hash != b._hash:
                    return False
                pairs.extend(zip(a.parts(), b.parts(), strict=True))
            elif isinstance(a, Container) or isinstance(b, Container) or a != b:
                return False
        return True

    def words(self) -> Iterator[str]:
        """Its text in pieces, for who wants the beginning only: it may be huge."""
        waiting: list[Type | str] = [self]  # type: ignore[list-item]  # every Container is a List, Set or Map
        while waiting:
            item = waiting.pop()
            if isinstance(item, Container):
                waiting.append(">")
                for part in reversed(item.parts()):
                    waiting += (part, ",")
                waiting[-1] = f"{type(item).__name__.lower()}<"
            else:
                yield str(item)

    def __str__(self) -> str:
        return "".join(self.words())

    __repr__ = __str__


def _size(part: Type) -> int:
    return part.size if isinstance(part, Container) else 1


class List(Container):
    __slots__ = ("element",)
    __match_args__ = ("element",)

    def __init__(self, element: Type) -> None:
        self.element = element
        self._hash = hash((List, element))
        self.size = 1 + _size(element)

    def parts(self) -> tuple[Type, ...]:
        return (self.element,)


class Set(Container):
    __slots__ = ("element",)
    __match_args__ = ("element",)

    def __init__(self, element: Type) -> None:
        self.element = element
        self._hash = hash((Set, element))
        self.size = 1 + _size(element)

    def parts(self) -> tuple[Type, ...]:
        return (self.element,)


class Map(Container):
    __slots__ = ("key", "value")
    __match_args__ = ("key", "value")

    def __init__(self, key: Type, value: Type) -> None:
        self.key = key
        self.value = value
        self._hash = hash((Map, key, value))
        self.size = 1 + _size(key) + _size(value)

    def parts(self) -> tuple[Type, ...]:
        return (self.key, self.value)


Annotations: TypeAlias = dict[str, str]

#: The annotation of what must not be shown: ``1: string password (thriftserver.redact)``.
REDACT: Final = "thriftserver.redact"
#: That of a method which may be executed twice: ``User get(1: i64 id) (thriftserver.idempotent)``.
IDEMPOTENT: Final = "thriftserver.idempotent"


class Definition(msgspec.Struct, eq=False, kw_only=True):
    """What every named thing of an IDL has. ``module`` is the file's basename without ``.thrift``."""

    name: str
    module: str
    where: Where
    doc: str = ""
    annotations: Annotations = {}

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    @property
    def redacted(self) -> bool:
        """Must its values stay out of logs and messages? Of a field also when a typedef in its type says so."""
        return REDACT in self.annotations


class Home(NamedTuple):
    """Where the file of a definition is, absolute: what another process needs to load it."""

    path: str
    include_dirs: tuple[str, ...] = ()


class Member(Definition, kw_only=True):
    """One name of an enum."""

    value: int


class Enum(Definition, kw_only=True):
    members: tuple[Member, ...] = ()
    home: Home | None = None
    #: The IntEnum made from this definition; set once, by ``schema.classes``.
    runtime: Any = None


class Field(Definition, kw_only=True):
    """A member of a struct, an argument or a declared exception. ``required`` is None where no keyword decides."""

    id: int
    type: Type
    required: bool | None = None
    default: Value = ABSENT


class Struct(Definition, kw_only=True):
    """A struct, union or exception; ``kind`` says which. Fields stand in the order of declaration."""

    kind: str
    fields: tuple[Field, ...] = ()
    home: Home | None = None
    #: The class made from this definition; set once, by ``schema.classes``.
    runtime: Any = None


Type: TypeAlias = Base | List | Set | Map | Enum | Struct


class Typedef(Definition, kw_only=True):
    """A second name for a type; ``type`` is resolved to the end."""

    type: Type


class Const(Definition, kw_only=True):
    type: Type
    value: Value


class Function(Definition, kw_only=True):
    """A method of a service. ``returns`` is None for void."""

    service: str
    oneway: bool = False
    returns: Type | None = None
    args: tuple[Field, ...] = ()
    throws: tuple[Field, ...] = ()

    @property
    def idempotent(self) -> bool:
        """May a call of it be made again where nobody knows whether it was executed?"""
        return self.annotations.get(IDEMPOTENT, "false") in ("", "1", "true")


class Service(Definition, kw_only=True):
    extends: Service | None = None
    functions: tuple[Function, ...] = ()

    def lineage(self) -> list[Service]:
        """This service, the one it extends, the one that extends, and so on."""
        line: list[Service] = [self]
        while (base := line[-1].extends) is not None:
            line.append(base)
        return line

    def methods(self) -> Iterator[Function]:
        """Every function a client may call: the inherited ones first, in the order of declaration."""
        for service in reversed(self.lineage()):
            yield from service.functions


class Module(msgspec.Struct, eq=False, kw_only=True):
    """One IDL file. ``path`` is its real path (or the key it was given under, when loaded from memory)."""

    name: str
    path: str
    doc: str = ""
    namespaces: dict[str, str] = {}
    #: In the order of the file. Two of them may share one name (``a/types.thrift``, ``b/types.thrift``).
    includes: tuple[Module, ...] = ()
    enums: dict[str, Enum] = {}
    typedefs: dict[str, Typedef] = {}
    structs: dict[str, Struct] = {}
    consts: dict[str, Const] = {}
    services: dict[str, Service] = {}

    def __repr__(self) -> str:
        return f"<Module {self.path}>"

    def tree(self) -> Iterator[Module]:
        """This module and all it includes, each once, included ones first."""
        seen: set[int] = set()

        def walk(module: Module) -> Iterator[Module]:
            if id(module) not in seen:
                seen.add(id(module))
                for included in module.includes:
                    yield from walk(included)
                yield module

        return walk(self)
