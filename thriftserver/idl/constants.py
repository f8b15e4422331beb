"""Constants and defaults: literals to neutral values of their declared type, with every rule about them checked.

It asks the scope what names mean, and knows nothing of fields, services or files.
"""

from __future__ import annotations

from math import isinf
from typing import Final, NamedTuple

from thriftserver.idl import ast
from thriftserver.idl.diagnostics import Note
from thriftserver.idl.lexer import unquote
from thriftserver.idl.scope import UNKNOWN, Scope
from thriftserver.idl.values import BITS, MAX_WEIGHT, Misfit, brief, describe, fit, integer, measure
from thriftserver.schema.model import (
    ABSENT,
    BOOL,
    DOUBLE,
    I64,
    STRING,
    Const,
    Enum,
    List,
    Literal,
    Map,
    Pairs,
    Set,
    Struct,
    Type,
    Value,
)

#: Levels of lists, maps and structs within one value.
MAX_NESTING: Final = 100


class Known(NamedTuple):
    """A constant with its value: ABSENT when that cannot be had, after this was reported."""

    type: Type
    value: Value
    weight: int
    depth: int


NOT_KNOWN: Final = Known(UNKNOWN, ABSENT, 0, 0)


class Constants:
    """The values of one file's constants, and the conversion of every literal in it."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.report = scope.report
        self.known: dict[str, Known] = {}
        #: Syntax nodes of constants whose value is not known yet.
        self.pending: dict[str, ast.Const] = {}
        self._foreign: dict[int, Known] = {}
        self._weight = 0
        self._deepest = 0
        self._lax = False
        self._literals: list[tuple[ast.MapValue, Struct, Literal]] = []

    def default(self, node: ast.ValueNode, type: Type) -> Value:
        """Like ``value``, for the default of a field: there, published files have integers up to the unsigned range."""
        self._lax = True
        value = self.value(node, type)
        self._lax = False
        return value

    def value(self, node: ast.ValueNode, type: Type) -> Value:
        """The value a literal stands for; ABSENT after saying what is wrong with it."""
        if self._weight > MAX_WEIGHT:
            return ABSENT
        value = self._convert(node, type, 0)
        if self._weight > MAX_WEIGHT:
            self.report.error(node.at, node.end, f"the constants of this file hold more than {MAX_WEIGHT:,} values")
            return ABSENT
        return value

    # All constants of the file

    def resolve_all(self) -> None:
        """Values for all pending constants, those that others refer to first. Recursion is done with a stack."""
        for name in list(self.pending):
            if name not in self.known:
                self._resolve(name)

    def _resolve(self, name: str) -> None:
        path = [(name, iter(self._references(name)))]
        active = {name}
        while path:
            name, references = path[-1]
            for reference in references:
                if reference in active:
                    self._cycle([step[0] for step in path], reference)
                elif reference not in self.known:
                    path.append((reference, iter(self._references(reference))))
                    active.add(reference)
                    break
            else:
                path.pop()
                active.discard(name)
                if name not in self.known:
                    node = self.pending[name]
                    const = self.scope.module.consts[name]
                    before, self._deepest = self._weight, 0
                    const.value = self.value(node.value, const.type)
                    weight = self._weight - before if isinstance(const.value, tuple | Literal) else 1
                    self.known[name] = Known(const.type, const.value, weight, self._deepest)

    def _cycle(self, path: list[str], reference: str) -> None:
        cycle = path[path.index(reference) :]
        first = self.pending[cycle[0]]
        shown = " -> ".join([*cycle, reference]) if len(cycle) < 20 else f"{len(cycle)} constants"
        if len(cycle) == 1:
            message = f"constant `{reference}` is defined by itself"
        else:
            message = f"constants are defined by each other: {shown}"
        notes = [
            Note(f"`{name}` is defined here", self.report.span(self.pending[name].name.at, self.pending[name].name.end))
            for name in cycle[1:4]
        ]
        self.report.error(first.name.at, first.name.end, message, *notes)
        for name in cycle:
            self.known[name] = NOT_KNOWN

    def _references(self, name: str) -> list[str]:
        """Pending constants that a constant's literal names."""
        found: list[str] = []
        waiting: list[ast.ValueNode] = [self.pending[name].value]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.Scalar):
                if node.kind == "IDENTIFIER":
                    reference = self._own(node.token.text)
                    if reference in self.pending:
                        found.append(reference)
            elif isinstance(node, ast.ListValue):
                waiting.extend(node.items)
            else:
                for pair in node.items:
                    waiting.extend(pair)
        return found

    def _own(self, name: str) -> str:
        """A constant of this file may be named with the file's own name in front."""
        own = self.scope.module.name
        prefix, _, last = name.rpartition(".")
        return last if prefix == own and prefix not in self.scope.units else name

    # Conversion

    def _convert(self, node: ast.ValueNode, type: Type, depth: int) -> Value:
        self._weight += 1
        if type is UNKNOWN or self._weight > MAX_WEIGHT:
            return ABSENT
        try:
            if isinstance(node, ast.Scalar):
                if node.kind == "IDENTIFIER":
                    return self._reference(node.token, type, depth)
                value, given = _scalar(node)
                if given is I64:
                    return self._integer(node.token, value, type)
                if given is DOUBLE and isinf(value):
                    raise Misfit(f"{brief(node.token.text)} does not fit a double")
                return fit(value, given, type)
            self._deepest = max(self._deepest, depth + 1)
            if depth > MAX_NESTING:
                raise Misfit(f"values are nested more than {MAX_NESTING} deep here")
            if isinstance(node, ast.ListValue):
                return self._list(node, type, depth)
            return self._map(node, type, depth)
        except Misfit as misfit:
            self.report.error(node.at, node.end, str(misfit), *misfit.notes)
            return ABSENT

    def _integer(self, token: ast.Token, value: int, type: Type) -> Value:
        if type is BOOL and value not in (0, 1):
            message = f"a bool is true, false, 1 or 0; {brief(value)} is taken for true"
            self.report.warning(token.at, token.end, message)
            return True
        bits = BITS.get(type, 0) if self._lax or "0x" in token.text else 0
        if bits and 1 << bits - 1 <= value < 1 << bits:
            message = f"{value} fits {type} only without a sign: it is kept as written, but cannot be sent"
            self.report.warning(token.at, token.end, message)
            return value
        return fit(value, I64, type)

    def _list(self, node: ast.ListValue, type: Type, depth: int) -> Value:
        if isinstance(type, Map) and not node.items:
            return Pairs()
        if not isinstance(type, List | Set):
            raise Misfit(f"expected {describe(type)}, found a list")
        values = [self._convert(item, type.element, depth + 1) for item in node.items]
        if any(value is ABSENT for value in values):
            return ABSENT
        return tuple(values) if isinstance(type, List) else tuple(dict.fromkeys(values))

    def _map(self, node: ast.MapValue, type: Type, depth: int) -> Value:
        if isinstance(type, Struct):
            return self._struct(node, type, depth)
        if isinstance(type, List | Set) and not node.items:
            return ()
        if not isinstance(type, Map):
            raise Misfit(f"expected {describe(type)}, found a map")
        pairs = [
            (self._convert(key, type.key, depth + 1), self._convert(value, type.value, depth + 1))
            for key, value in node.items
        ]
        if any(key is ABSENT or value is ABSENT for key, value in pairs):
            return ABSENT
        return Pairs(dict(pairs).items())

    def _struct(self, node: ast.MapValue, struct: Struct, depth: int) -> Value:
        fields = self.scope.fields(struct)
        literal = Literal()
        whole = True
        for key, value in node.items:
            if not (isinstance(key, ast.Scalar) and key.kind == "LITERAL"):
                self.report.error(key.at, key.end, f"a field of {describe(struct)} is named by a string")
                whole = False
                continue
            name = unquote(key.token.text)
            if name not in fields:
                if not self.scope.excused(str(struct)):
                    hint = self.scope.hint(name, fields)
                    self.report.error(key.at, key.end, f"{describe(struct)} has no field `{name}`{hint}")
                whole = False
                continue
            converted = self._convert(value, fields[name].type, depth + 1)
            whole = whole and converted is not ABSENT
            literal[name] = converted
        self._literals.append((node, struct, literal))
        if struct.kind == "union" and len(literal) > 1:
            raise Misfit(f"{describe(struct)} can hold one field only, found {len(literal)}")
        return literal if whole else ABSENT

    def check_required(self) -> None:
        """Says which struct values leave out what is required; to be called when all defaults are known."""
        for node, struct, literal in self._literals:
            missing = [
                f"`{field.name}`"
                for field in struct.fields
                if field.required and field.default is ABSENT and field.name not in literal
            ]
            if missing:
                names = ", ".join(missing)
                message = f"{describe(struct)} requires {names}, which this value leaves out; it cannot be sent"
                self.report.warning(node.at, node.end, message)

    # Names

    def _reference(self, name: ast.Token, type: Type, depth: int) -> Value:
        found = self.known.get(self._own(name.text))
        other = None
        if found is None:
            other = self.scope.foreign_constant(name.text)
            if isinstance(other, Const):
                found = self._foreign.get(id(other))
                if found is None:
                    found = self._foreign[id(other)] = Known(other.type, other.value, *measure(other.value))
        if found is not None:
            return self._known(name, found, type, depth)
        assert not isinstance(other, Const)
        if other is not None and (not isinstance(type, Enum) or other[0] is type):
            return self._fit_named(name, other[1].value, other[0], type)
        if isinstance(type, Enum):
            return self._member(name, type, other[0] if other else None)
        return self._unknown(name)

    def _known(self, name: ast.Token, found: Known, type: Type, depth: int) -> Value:
        if isinstance(type, Enum) and found.type != type and name.text in self.scope.members(type):
            return self._member(name, type, None)
        self._weight += found.weight - 1
        self._deepest = max(self._deepest, depth + found.depth)
        if found.value is ABSENT or self._weight > MAX_WEIGHT:
            return ABSENT
        if depth + found.depth > MAX_NESTING:
            raise Misfit(f"values are nested more than {MAX_NESTING} deep here")
        return self._fit_named(name, found.value, found.type, type)

    def _fit_named(self, name: ast.Token, value: Value, type: Type, wanted: Type) -> Value:
        try:
            return fit(value, type, wanted)
        except Misfit as misfit:
            place = self.scope.const_places.get(self._own(name.text))
            notes = [Note(f"`{name.text}` is defined here", place)] if place else []
            raise Misfit(f"`{name.text}`: {misfit}", *notes) from None

    def _member(self, name: ast.Token, enum: Enum, other: Enum | None) -> Value:
        """A name that must be a member of ``enum``, while it is not written as ``Enum.MEMBER``.

        Apache's compiler looks at the last part of such a name and nothing else, and published files rely on that.
        """
        prefix, _, last = name.text.rpartition(".")
        members = self.scope.members(enum)
        written = enum.name if enum.module == self.scope.module.name else str(enum)
        if last in members:
            message = f"`{name.text}` is taken for a member of enum `{enum.name}`"
            self.report.warning(name.at, name.end, message, help=f"write `{written}.{last}`")
            return members[last].value
        if other is not None:
            raise Misfit(f"expected a member of enum `{enum.name}`, found `{name.text}` of enum `{other.name}`")
        if isinstance(self.scope.types.get(prefix), Enum) or not prefix:
            hint = self.scope.hint(f"{written}.{last}", (f"{written}.{member}" for member in members))
            raise Misfit(f"enum `{enum.name}` has no member `{last}`{hint}")
        return self._unknown(name)

    def _unknown(self, name: ast.Token) -> Value:
        if self.scope.excused(name.text):
            return ABSENT
        prefix, _, last = name.text.rpartition(".")
        enum = self.scope.types.get(prefix)
        if isinstance(enum, Enum):
            raise Misfit(f"enum `{enum.name}` has no member `{last}`{self.scope.hint(last, self.scope.members(enum))}")
        outermost = name.text.partition(".")[0]
        if prefix and not any(unit == outermost or unit.startswith(outermost + ".") for unit in self.scope.units):
            if outermost in self.scope.types:
                raise Misfit(f"`{name.text}` is neither a constant nor a member of an enum")
            self.scope.unknown_module(name, outermost)
            return ABSENT
        if name.text in self.scope.types:
            raise Misfit(f"`{name.text}` is a type, not a value")
        if name.text.lower() in ("true", "false", "null", "none"):
            lower = name.text.lower()
            help = f"write `{lower}`" if lower in ("true", "false") else "leave the default out"
            self.report.error(name.at, name.end, f"`{name.text}` is not a value in Thrift", help=help)
            return ABSENT
        known = (const for module in self.scope.modules(prefix) for const in module.consts) if prefix else self.pending
        self.scope.unknown("constant", name, prefix, last, known)
        return ABSENT


def _scalar(node: ast.Scalar) -> tuple[Value, Type]:
    text = node.token.text
    if node.kind == "INTEGER":
        number = integer(text)
        return (bool(number), BOOL) if text in ("true", "false") else (number, I64)
    if node.kind == "REAL":
        return float(text), DOUBLE
    return unquote(text), STRING
