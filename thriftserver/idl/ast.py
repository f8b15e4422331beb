"""Syntax nodes: what stands in an IDL file and where, as the grammar's actions build it.

Nothing here knows what a name means, and nothing is checked: a node holds tokens (text and offset) and other nodes.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Token(NamedTuple):
    """A piece of source text and the offset of its first character."""

    text: str
    at: int

    @property
    def end(self) -> int:
        return self.at + len(self.text)


class Container:
    """``list<...>``, ``set<...>`` or ``map<..., ...>``; ``key`` only for maps. ``cpp_type`` is dropped."""

    __slots__ = ("element", "key", "keyword", "trailing_cpp_type")

    def __init__(self, keyword: Token, key: TypeNode | None, element: TypeNode) -> None:
        self.keyword = keyword
        self.key = key
        self.element = element
        self.trailing_cpp_type: Token | None = None

    @property
    def at(self) -> int:
        return self.keyword.at

    @property
    def end(self) -> int:
        return self.keyword.end


#: A base type, or the name of a type, is just its token.
TypeNode: TypeAlias = Token | Container


class Scalar:
    """A number, string or name used as a value; ``kind`` is its token's: INTEGER, REAL, LITERAL or IDENTIFIER."""

    __slots__ = ("kind", "token")

    def __init__(self, kind: str, token: Token) -> None:
        self.kind = kind
        self.token = token

    @property
    def at(self) -> int:
        return self.token.at

    @property
    def end(self) -> int:
        return self.token.end


class ListValue:
    """``[...]``; ``at`` and ``end`` are those of its opening bracket."""

    __slots__ = ("at", "end", "items")

    def __init__(self, opening: Token, items: list[ValueNode]) -> None:
        self.at, self.end = opening.at, opening.end
        self.items = items


class MapValue:
    """``{...}``; ``at`` and ``end`` are those of its opening brace."""

    __slots__ = ("at", "end", "items")

    def __init__(self, opening: Token, items: list[tuple[ValueNode, ValueNode]]) -> None:
        self.at, self.end = opening.at, opening.end
        self.items = items


ValueNode: TypeAlias = Scalar | ListValue | MapValue


class Annotation(NamedTuple):
    """``name = "value"``; no ``value`` when only the name is written."""

    name: Token
    value: Token | None


class Field:
    """A member, argument or declared exception. ``requiredness`` is the keyword written, if any."""

    __slots__ = ("annotations", "default", "id", "name", "requiredness", "type")

    def __init__(
        self,
        id: Token | None,
        requiredness: Token | None,
        type: TypeNode,
        name: Token,
        default: ValueNode | None,
        annotations: list[Annotation],
    ) -> None:
        self.id = id
        self.requiredness = requiredness
        self.type = type
        self.name = name
        self.default = default
        self.annotations = annotations

    @property
    def at(self) -> int:
        """Where the field starts, which is where its doc comment ends."""
        return (self.id or self.requiredness or self.type).at


class EnumMember:
    __slots__ = ("annotations", "name", "value")

    def __init__(self, name: Token, value: Token | None, annotations: list[Annotation]) -> None:
        self.name = name
        self.value = value
        self.annotations = annotations


class Function:
    """``returns`` is None for void. ``oneway`` is the keyword written (``oneway`` or ``async``), if any."""

    __slots__ = ("annotations", "args", "at", "name", "oneway", "returns", "throws")

    def __init__(
        self,
        oneway: Token | None,
        returns: TypeNode | None,
        at: int,
        name: Token,
        args: list[Field],
        throws: list[Field],
        annotations: list[Annotation],
    ) -> None:
        self.oneway = oneway
        self.returns = returns
        self.at = at
        self.name = name
        self.args = args
        self.throws = throws
        self.annotations = annotations


class Definition:
    """Base of what stands at the top level and has a name; ``keyword`` is its first token."""

    __slots__ = ("annotations", "keyword", "name")

    def __init__(self, keyword: Token, name: Token, annotations: list[Annotation]) -> None:
        self.keyword = keyword
        self.name = name
        self.annotations = annotations

    @property
    def at(self) -> int:
        return self.keyword.at


class Typedef(Definition):
    __slots__ = ("type",)

    def __init__(self, keyword: Token, type: TypeNode, name: Token, annotations: list[Annotation]) -> None:
        super().__init__(keyword, name, annotations)
        self.type = type


class Const(Definition):
    __slots__ = ("type", "value")

    def __init__(self, keyword: Token, type: TypeNode, name: Token, value: ValueNode) -> None:
        super().__init__(keyword, name, [])
        self.type = type
        self.value = value


class Enum(Definition):
    __slots__ = ("members",)

    def __init__(self, keyword: Token, name: Token, members: list[EnumMember], annotations: list[Annotation]) -> None:
        super().__init__(keyword, name, annotations)
        self.members = members


class Struct(Definition):
    """A struct, union or exception: its keyword says which."""

    __slots__ = ("fields",)

    def __init__(self, keyword: Token, name: Token, fields: list[Field], annotations: list[Annotation]) -> None:
        super().__init__(keyword, name, annotations)
        self.fields = fields


class Service(Definition):
    __slots__ = ("extends", "functions")

    def __init__(
        self,
        keyword: Token,
        name: Token,
        extends: Token | None,
        functions: list[Function],
        annotations: list[Annotation],
    ) -> None:
        super().__init__(keyword, name, annotations)
        self.extends = extends
        self.functions = functions


class Include(NamedTuple):
    """``path`` is the literal with its quotes."""

    keyword: Token
    path: Token


class CppInclude(NamedTuple):
    keyword: Token
    path: Token


class Namespace(NamedTuple):
    """``keyword`` is ``namespace``, or one of the old spellings such as ``py_module``; those have no ``scope``."""

    keyword: Token
    scope: Token | None
    name: Token


Item: TypeAlias = Include | CppInclude | Namespace | Definition


class Document:
    """One file. ``docs`` holds the span of a doc comment by the offset of the token it stands before."""

    __slots__ = ("docs", "items")

    def __init__(self, items: list[Item], docs: dict[int, tuple[int, int]]) -> None:
        self.items = items
        self.docs = docs
