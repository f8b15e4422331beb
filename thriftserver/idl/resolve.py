"""Syntax nodes to a Module: declares names, then fills in what they stand for, then checks the rules between them.

It reads no files: included modules are handed in, complete. Whatever is wrong is reported, and a module is returned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from thriftserver.idl import ast, defaults
from thriftserver.idl.constants import Constants
from thriftserver.idl.diagnostics import Note, Report, Span
from thriftserver.idl.docs import clean
from thriftserver.idl.lexer import OLD_NAMESPACES, unquote
from thriftserver.idl.scope import UNKNOWN, Scope, Unit
from thriftserver.idl.services import Services
from thriftserver.idl.values import integer
from thriftserver.schema.model import (
    ABSENT,
    REDACT,
    Annotations,
    Const,
    Enum,
    Field,
    Member,
    Module,
    Struct,
    Type,
    Typedef,
    Where,
)

I32_MIN: Final = -(1 << 31)
I32_MAX: Final = (1 << 31) - 1
#: Field ids travel as an i16.
MAX_FIELD_ID: Final = (1 << 15) - 1


def resolve(document: ast.Document, units: list[Unit], report: Report, lenient: bool) -> Module:
    """The module of a file. ``lenient`` when parts of it could not be read: then a missing name is not reported."""
    return Resolver(document, units, report, lenient).run()


class Resolver:
    """Turns the syntax nodes of one file into schema objects."""

    def __init__(self, document: ast.Document, units: list[Unit], report: Report, lenient: bool) -> None:
        source = report.source
        self.document = document
        self.report = report
        self.module = Module(name=source.module, path=source.key)
        self.module.includes = tuple(unit.module for unit in units if unit.module is not None)
        self.scope = Scope(self.module, units, report, lenient)
        self.constants = Constants(self.scope)
        self.services = Services(self)
        self._typedefs: dict[str, ast.Typedef] = {}
        #: Typedefs whose values must not be shown; what is made of one is one.
        self._redacted = {
            f"{module.name}.{name}"
            for module in self.module.includes
            for name, typedef in module.typedefs.items()
            if typedef.redacted
        }
        self._structs: list[tuple[Struct, ast.Struct]] = []
        self._default_nodes: list[tuple[Field, ast.ValueNode]] = []
        self._starts = source.starts()
        self._line = 0

    def run(self) -> Module:
        self._headers()
        for item in self.document.items:
            declare = _DECLARE.get(type(item))
            if declare is not None:
                declare(self, item)
        self._resolve_typedefs()
        for struct, node in self._structs:
            struct.fields = self.fields(node.fields, "field", union=struct.kind == "union")
        self._declare_consts()
        self.services.fill()
        self.constants.resolve_all()
        for field, value in self._default_nodes:
            field.default = self.constants.default(value, field.type)
        self.constants.check_required()
        defaults.check(self._structs, self.report)
        for struct, struct_node in self._structs:
            if struct.kind == "union":
                self._check_union(struct, struct_node)
        self.scope.finish()
        return self.module

    # What every definition has

    def where(self, token: ast.Token) -> Where:
        """The place of a token. They are asked for nearly in order, so the line is mostly this one or the next."""
        starts, line, at = self._starts, self._line, token.at
        if starts[line] > at or (line + 8 < len(starts) and starts[line + 8] <= at):
            where = self.report.source.where(at)
            self._line = where.line - 1
            return where
        last = len(starts) - 1
        while line < last and starts[line + 1] <= at:
            line += 1
        self._line = line
        return Where(self.report.source.path, line + 1, at - starts[line] + 1)

    def doc(self, at: int) -> str:
        """The doc comment in front of what starts at an offset."""
        span = self.document.docs.get(at)
        return clean(self.report.source.text[span[0] : span[1]]) if span else ""

    def annotations(self, nodes: list[ast.Annotation], type: ast.TypeNode | None = None) -> Annotations:
        """Those written, and what the typedefs in a ``type`` bring along."""
        found = {node.name.text: unquote(node.value.text) if node.value else "1" for node in nodes}
        if type is not None and self._redacted and not self._redacted.isdisjoint(_names(type)):
            found.setdefault(REDACT, "1")
        return found

    # Headers

    def _headers(self) -> None:
        definition: ast.Definition | None = None
        for number, item in enumerate(self.document.items):
            if isinstance(item, ast.Definition):
                definition = definition or item
                continue
            if number == 0:
                self.module.doc = self.doc(item.keyword.at)
            if definition is not None:
                note = Note("the first definition is here", self.report.span(definition.at, definition.keyword.end))
                message = (
                    f"`{item.keyword.text}` should stand before all definitions; Apache's compiler refuses it here"
                )
                self.report.warning(item.keyword.at, item.keyword.end, message, note)
            if isinstance(item, ast.Namespace):
                self._namespace(item)

    def _namespace(self, node: ast.Namespace) -> None:
        if node.scope is not None:
            self.module.namespaces[node.scope.text] = node.name.text
            return
        scope = OLD_NAMESPACES[node.keyword.text]
        name = node.name.text.strip("\"'")
        self.module.namespaces.setdefault(scope, name)
        message = f"`{node.keyword.text}` was removed from Thrift"
        self.report.warning(node.keyword.at, node.keyword.end, message, help=f"write `namespace {scope} {name}`")

    # Declarations

    def _declare_type(self, node: ast.Definition, what: str, type: Type) -> bool:
        new = self.scope.define(node.name, what, self.scope.places)
        if new:
            self.scope.types[node.name.text] = type
        return new

    def _declare_typedef(self, node: ast.Typedef) -> None:
        if self._declare_type(node, "typedef", UNKNOWN):
            self._typedefs[node.name.text] = node

    def _declare_struct(self, node: ast.Struct) -> None:
        kind = node.keyword.text
        name = node.name
        struct = Struct(
            name=name.text,
            module=self.module.name,
            where=self.where(name),
            doc=self.doc(node.at),
            annotations=self.annotations(node.annotations),
            kind=kind,
            home=self.report.source.home,
        )
        if self._declare_type(node, kind, struct):
            self.module.structs[name.text] = struct
        self._structs.append((struct, node))

    def _declare_enum(self, node: ast.Enum) -> None:
        enum = Enum(
            name=node.name.text,
            module=self.module.name,
            where=self.where(node.name),
            doc=self.doc(node.at),
            annotations=self.annotations(node.annotations),
            home=self.report.source.home,
        )
        enum.members = self._members(node)
        if self._declare_type(node, "enum", enum):
            self.module.enums[enum.name] = enum

    def _members(self, node: ast.Enum) -> tuple[Member, ...]:
        places: dict[str, Span] = {}
        members: list[Member] = []
        value = -1
        for item in node.members:
            name = item.name
            value = value + 1 if item.value is None else integer(item.value.text)
            if not I32_MIN <= value <= I32_MAX:
                at = item.value or name
                wrong = f"the value of `{name.text}`, {value}," if item.value is None else at.text[:60]
                self.report.error(at.at, at.end, f"{wrong} does not fit an enum ({I32_MIN} to {I32_MAX})")
                value = 0
            if self.scope.define(name, "enum member", places):
                members.append(
                    Member(
                        name=name.text,
                        module=self.module.name,
                        where=self.where(name),
                        doc=self.doc(name.at),
                        annotations=self.annotations(item.annotations),
                        value=value,
                    )
                )
        return tuple(members)

    def _declare_const(self, node: ast.Const) -> None:
        if self.scope.define(node.name, "constant", self.scope.const_places):
            self.constants.pending[node.name.text] = node

    def _declare_consts(self) -> None:
        for name, node in self.constants.pending.items():
            self.module.consts[name] = Const(
                name=name,
                module=self.module.name,
                where=self.where(node.name),
                doc=self.doc(node.at),
                type=self.scope.type(node.type),
                value=ABSENT,
            )

    # Typedefs

    def _resolve_typedefs(self) -> None:
        """Each after those it names, whatever the order in the file; with a stack, as chains may be long."""
        done: set[str] = set()
        for first in self._typedefs:
            path = {first: iter(self._named(first))} if first not in done else {}
            while path:
                name = next(reversed(path))
                needed = next((other for other in path[name] if other not in done), None)
                if needed is None:
                    del path[name]
                    self._finish_typedef(name)
                    done.add(name)
                elif needed in path:
                    names = list(path)
                    cycle = names[names.index(needed) :]
                    self._typedef_cycle(cycle)
                    done.update(cycle)
                    for name in cycle:
                        del path[name]
                else:
                    path[needed] = iter(self._named(needed))

    def _named(self, name: str) -> list[str]:
        """The typedefs of this file that a typedef names."""
        return [other for other in _names(self._typedefs[name].type) if other in self._typedefs]

    def _finish_typedef(self, name: str) -> None:
        node = self._typedefs[name]
        before = len(self.report.diagnostics)
        type = self.scope.type(node.type)
        if any(found.severity == "error" for found in self.report.diagnostics[before:]):
            self.scope.dangling[name] = self.report.diagnostics[before:]
            del self.report.diagnostics[before:], self.scope.types[name]
            return
        self.scope.types[name] = type
        self.module.typedefs[name] = Typedef(
            name=name,
            module=self.module.name,
            where=self.where(node.name),
            doc=self.doc(node.at),
            annotations=self.annotations(node.annotations, node.type),
            type=type,
        )
        if self.module.typedefs[name].redacted:
            self._redacted.add(name)

    def _typedef_cycle(self, cycle: list[str]) -> None:
        start = min(range(len(cycle)), key=lambda index: self._typedefs[cycle[index]].at)
        cycle = cycle[start:] + cycle[:start]
        names = [self._typedefs[name].name for name in cycle]
        if len(cycle) == 1:
            message = f"typedef `{cycle[0]}` is defined by itself"
        else:
            shown = " -> ".join([*cycle, cycle[0]]) if len(cycle) < 20 else f"{len(cycle)} of them"
            message = f"typedefs are defined by each other: {shown}"
        notes = [Note(f"`{name.text}` is defined here", self.report.span(name.at, name.end)) for name in names[1:20]]
        self.report.error(names[0].at, names[0].end, message, *notes)

    # Fields

    def fields(self, nodes: list[ast.Field], what: str, union: bool = False) -> tuple[Field, ...]:
        """The fields of a struct, the arguments or the exceptions of a function; ``what`` is the word for one."""
        ids: dict[int, Span] = {}
        names: dict[str, Span] = {}
        fields: list[Field] = []
        automatic: list[ast.Field] = []
        module = self.module.name
        report, types = self.report, self.scope.types
        for node in nodes:
            name, written = node.name, node.id
            number = integer(written.text) if written is not None else 0
            if number <= 0:
                automatic.append(node)
                number = -len(automatic)
            place = report.span((written or name).at, (written or name).end)
            if number > MAX_FIELD_ID or number < -MAX_FIELD_ID:
                report.error(place.start, place.end, f"{what} ids go up to {MAX_FIELD_ID}, as they travel as an i16")
            elif ids.setdefault(number, place) is not place:
                note = Note("first used here", ids[number])
                report.error(place.start, place.end, f"{what} id {number} is used twice", note)
            if not self.scope.define(name, what, names):
                continue
            type = types.get(node.type.text) if node.type.__class__ is ast.Token else None
            field = Field(
                name=name.text,
                module=module,
                where=self.where(name),
                id=number,
                type=type if type is not None else self.scope.type(node.type),
                required=self._required(node, what, union),
            )
            if self.document.docs:
                field.doc = self.doc(node.at)
            if node.annotations or self._redacted:
                field.annotations = self.annotations(node.annotations, node.type)
            if node.default is not None:
                self._default_nodes.append((field, node.default))
            fields.append(field)
        if automatic:
            self._automatic_ids(automatic, what)
        return tuple(fields)

    def _automatic_ids(self, nodes: list[ast.Field], what: str) -> None:
        """Says once for all fields of a list that have no id of their own."""
        first, more = nodes[0], len(nodes) - 1
        given = (
            f"`{first.name.text}` and {more} more are numbered from -1 down" if more else f"`{first.name.text}` gets -1"
        )
        if first.id is None:
            message = f"{what} without an id: {given}, which changes when others are added"
            self.report.warning(first.name.at, first.name.end, message, help="write an id in front, such as `1:`")
        else:
            message = f"{what} ids start at 1: {given}"
            help = "Apache's compiler does the same unless told otherwise"
            self.report.warning(first.id.at, first.id.end, message, help=help)

    def _required(self, node: ast.Field, what: str, union: bool) -> bool | None:
        written = node.requiredness
        if union:
            if written is not None and written.text == "required":
                message = "a member of a union cannot be required; it is taken as optional"
                self.report.warning(written.at, written.end, message)
            return False
        if written is None:
            return None
        if written.text == "required":
            return True
        if what == "field":
            return False
        self.report.warning(written.at, written.end, f"`optional` means nothing for an {what} and is ignored")
        return None

    def _check_union(self, union: Struct, node: ast.Struct) -> None:
        first: ast.ValueNode | None = None
        for field in node.fields:
            if field.default is None:
                continue
            if first is None:
                first = field.default
                continue
            message = f"union `{union.name}` can have one default only, as it holds one field only"
            note = Note("the first one is here", self.report.span(first.at, first.end))
            self.report.error(field.default.at, field.default.end, message, note)


def _names(node: ast.TypeNode) -> list[str]:
    """The names of types in a type."""
    if isinstance(node, ast.Token):
        return [node.text]
    found, waiting = [], [node]
    while waiting:
        container = waiting.pop()
        for part in (container.key, container.element):
            if isinstance(part, ast.Container):
                waiting.append(part)
            elif part is not None:
                found.append(part.text)
    return found


_DECLARE: Final[dict[type, Callable[..., None]]] = {
    ast.Typedef: Resolver._declare_typedef,
    ast.Struct: Resolver._declare_struct,
    ast.Enum: Resolver._declare_enum,
    ast.Const: Resolver._declare_const,
    ast.Service: lambda resolver, node: resolver.services.declare(node),
}
