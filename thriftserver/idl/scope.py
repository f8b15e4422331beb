"""What names mean in one file: its own definitions, and those of the files it includes under their module's name.

It finds names and says what is wrong with them; it builds no structs, services or values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Final

from thriftserver.idl import ast
from thriftserver.idl.diagnostics import Diagnostic, Note, Report, Span
from thriftserver.idl.hints import did_you_mean
from thriftserver.schema.model import (
    BASES,
    Base,
    Const,
    Enum,
    Field,
    List,
    Map,
    Member,
    Module,
    Service,
    Set,
    Struct,
    Type,
)
from thriftserver.schema.names import is_reserved

#: Stands for a type that cannot be known, after that was reported; nothing more is said about what has this type.
UNKNOWN: Final = Base("?")

#: Parts a type may have. Each typedef can double the one before it, so that thirty of them would fill all memory.
MAX_TYPE_SIZE: Final = 100_000


class Unit:
    """One included file, as the including one sees it. ``module`` is None when it cannot be read at all."""

    __slots__ = ("broken", "help", "module", "name", "place", "problem", "used")

    def __init__(self, name: str, module: Module | None, broken: bool, place: Span, problem: str = "") -> None:
        self.name = name
        self.module = module
        #: It has errors of its own, so that a name missing from it is no news.
        self.broken = broken
        self.place = place
        #: Why there is no file; said as an error once one of its names is used, else as a warning.
        self.problem = problem
        self.help = ""
        self.used = False


class Scope:
    """The names of one file. ``types`` also serves as the cache of everything looked up."""

    def __init__(self, module: Module, units: list[Unit], report: Report, lenient: bool) -> None:
        self.module = module
        self.report = report
        #: Parts of the file could not be read, so an unknown name may well be defined in those.
        self.lenient = lenient
        self.units: dict[str, list[Unit]] = {}
        for unit in units:
            self.units.setdefault(unit.name, []).append(unit)
        self.types: dict[str, Type] = dict(BASES)
        #: Where each name was defined first.
        self.places: dict[str, Span] = {}
        #: The same for constants, whose names do not clash with those of types.
        self.const_places: dict[str, Span] = {}
        #: Typedefs of what cannot be known, and what there is to say: errors once they are used, else warnings.
        self.dangling: dict[str, list[Diagnostic]] = {}
        self._needed: set[str] = set()
        self.services: dict[str, Service] = {}
        self._members: dict[int, dict[str, Member]] = {}
        self._fields: dict[int, dict[str, Field]] = {}

    # Types

    def type(self, node: ast.TypeNode) -> Type:
        """The type that is written; ``UNKNOWN`` after saying so when there is none."""
        if type(node) is ast.Token:
            found = self.types.get(node.text)
            return found if found is not None else self._foreign_type(node)
        return self._container(node)

    def _container(self, node: ast.TypeNode) -> Type:
        """Built inside out with a stack: types may be nested thousands deep."""
        waiting: list[tuple[ast.TypeNode, bool]] = [(node, False)]
        built: list[Type] = []
        while waiting:
            node, complete = waiting.pop()
            if isinstance(node, ast.Token):
                built.append(self.type(node))
            elif not complete:
                waiting.append((node, True))
                waiting.append((node.element, False))
                if node.key is not None:
                    waiting.append((node.key, False))
                if node.trailing_cpp_type:
                    at = node.trailing_cpp_type
                    self.report.warning(
                        at.at,
                        at.end,
                        "`cpp_type` behind the list is deprecated",
                        help='write `list cpp_type "..." <...>`',
                    )
            else:
                element = built.pop()
                if node.key is not None:
                    built.append(Map(built.pop(), element))
                else:
                    built.append(List(element) if node.keyword.text == "list" else Set(element))
        if built[0].size > MAX_TYPE_SIZE:  # type: ignore[union-attr]  # a container was asked for
            self.report.error(node.at, node.end, f"this type is made of more than {MAX_TYPE_SIZE:,} others")
            return UNKNOWN
        return built[0]

    def _foreign_type(self, name: ast.Token) -> Type:
        """A name that is not this file's: one of an included module, this module's own name in front, or unknown."""
        if name.text in self.dangling:
            self._needed.add(name.text)
            return UNKNOWN
        prefix, _, last = name.text.rpartition(".")
        found: Type | None = None
        if prefix:
            for module in self.modules(prefix):
                typedef = module.typedefs.get(last)
                found = module.structs.get(last) or module.enums.get(last) or (typedef.type if typedef else None)
                if found is not None:
                    self.types[name.text] = found
                    return found
            if prefix == self.module.name and prefix not in self.units:
                found = self.types.get(last)
        if found is None:
            self.unknown_type(name)
            return UNKNOWN
        return found

    def modules(self, prefix: str) -> Iterator[Module]:
        """The included modules of that name, the last include first."""
        for unit in reversed(self.units.get(prefix, ())):
            unit.used = True
            if unit.module is not None:
                yield unit.module

    def excused(self, name: str) -> bool:
        """Whether a missing name may be the fault of something that was reported already."""
        if self.lenient:
            return True
        prefix = name
        while prefix:
            prefix = prefix.rpartition(".")[0]
            if prefix and any(unit.broken for unit in self.units.get(prefix, ())):
                return True
        return False

    def unknown_type(self, name: ast.Token) -> None:
        if self.excused(name.text):
            return
        prefix, _, last = name.text.rpartition(".")
        if name.text in self.services or any(last in module.services for module in self.modules(prefix)):
            self.report.error(name.at, name.end, f"`{name.text}` is a service, not a type")
        elif name.text in self.const_places:
            self.report.error(name.at, name.end, f"`{name.text}` is a constant, not a type")
        elif isinstance(self.types.get(prefix), Enum):
            self.report.error(name.at, name.end, f"`{name.text}` is a member of enum `{prefix}`, not a type")
        elif prefix and prefix not in self.units:
            self.unknown_module(name, prefix)
        else:
            help = _OTHER_DIALECTS.get(name.text, "")
            self.unknown("type", name, prefix, last, self._type_names(prefix) if self.guessing else (), help)

    def hint(self, name: str, known: Iterable[str]) -> str:
        """What may have been meant by ``name``, as the end of a sentence."""
        return did_you_mean(name, known) if self.guessing else ""

    @property
    def guessing(self) -> bool:
        """Whether to look for what may have been meant: not for the hundredth unknown name."""
        return len(self.report.diagnostics) < 50

    def _type_names(self, prefix: str) -> list[str]:
        if not prefix:
            return [*self.types, *(f"{unit}.{name}" for unit in self.units for name in self._type_names(unit))]
        return [name for module in self.modules(prefix) for name in (*module.structs, *module.enums, *module.typedefs)]

    def unknown_module(self, name: ast.Token, prefix: str) -> None:
        """``prefix`` is in front of ``name``, but nothing of that name is included."""
        message = f"no included file is called `{prefix}.thrift`"
        hint = self.hint(prefix, self.units)
        if hint:
            self.report.error(name.at, name.at + len(prefix), message + hint)
        elif self.units:
            listed = ", ".join(f"`{unit}`" for unit in list(self.units)[:10])
            self.report.error(name.at, name.at + len(prefix), message, help=f"included are {listed}")
        else:
            self.report.error(name.at, name.at + len(prefix), message, help=f'add `include "{prefix}.thrift"`')

    def unknown(self, what: str, name: ast.Token, prefix: str, last: str, known: Iterable[str], help: str = "") -> None:
        """Nothing of kind ``what`` has this name."""
        where = f" in `{prefix}`" if prefix and prefix in self.units else ""
        hint = "" if help else self.hint(last if prefix else name.text, known)
        shown = last if where else name.text
        self.report.error(name.at, name.end, f"unknown {what} `{shown}`{where}{hint}", help=help)

    # Services, constants, members

    def service(self, name: ast.Token) -> Service | None:
        """The service of that name; None after saying so when there is none."""
        prefix, _, last = name.text.rpartition(".")
        found = self.services.get(name.text)
        if found is None and prefix == self.module.name and prefix not in self.units:
            found = self.services.get(last)
        if found is None and prefix:
            found = next((module.services[last] for module in self.modules(prefix) if last in module.services), None)
        if found is None and not self.excused(name.text):
            if name.text in self.types:
                self.report.error(name.at, name.end, f"`{name.text}` is a type, not a service")
            elif prefix and prefix not in self.units:
                self.unknown_module(name, prefix)
            else:
                known = [key for module in self.modules(prefix) for key in module.services] if prefix else self.services
                self.unknown("service", name, prefix, last, known)
        return found

    def members(self, enum: Enum) -> dict[str, Member]:
        found = self._members.get(id(enum))
        if found is None:
            found = self._members[id(enum)] = {member.name: member for member in enum.members}
        return found

    def fields(self, struct: Struct) -> dict[str, Field]:
        found = self._fields.get(id(struct))
        if found is None:
            found = self._fields[id(struct)] = {field.name: field for field in struct.fields}
        return found

    def foreign_constant(self, name: str) -> Const | tuple[Enum, Member] | None:
        """What ``mod.NAME``, ``mod.Enum.MEMBER`` or ``Enum.MEMBER`` stands for; not this file's own constants."""
        prefix, _, last = name.rpartition(".")
        if not prefix:
            return None
        enum = self.types.get(prefix)
        if isinstance(enum, Enum) and last in self.members(enum):
            return enum, self.members(enum)[last]
        for module in self.modules(prefix):
            if last in module.consts:
                return module.consts[last]
        outer, _, inner = prefix.rpartition(".")
        for module in self.modules(outer):
            typedef = module.typedefs.get(inner)
            enum = module.enums.get(inner) or (typedef.type if typedef else None)
            if isinstance(enum, Enum) and last in self.members(enum):
                return enum, self.members(enum)[last]
        if outer and outer == self.module.name and outer not in self.units:
            return self.foreign_constant(name[len(outer) + 1 :])
        return None

    # Definitions

    def define(self, name: ast.Token, what: str, places: dict[str, Span]) -> bool:
        """Whether the name is new among ``places``; it says so when it is not, or cannot be a name at all."""
        if "." in name.text:
            self.report.error(name.at, name.end, f"the name of {_article(what)} cannot have a dot")
        if is_reserved(name.text) and what != "enum member":  # those get other names, see ``schema.classes``
            message = f"`{name.text}` is reserved by Python, as all names with two underscores before and behind"
            self.report.error(name.at, name.end, message)
        first = places.get(name.text)
        if first is None:
            places[name.text] = self.report.span(name.at, name.end)
            return True
        note = Note("first defined here", first)
        self.report.error(name.at, name.end, f"{what} `{name.text}` is defined twice", note)
        return False

    def finish(self) -> None:
        """Says what had to wait until it was known whether it matters."""
        for name, diagnostics in self.dangling.items():
            if name not in self._needed:
                diagnostics = [found._replace(severity="warning") for found in diagnostics]
            self.report.diagnostics += diagnostics
        for units in self.units.values():
            for unit in units:
                if unit.problem:
                    say: Callable[..., None] = self.report.error if unit.used else self.report.warning
                    say(unit.place.start, unit.place.end, unit.problem, help=unit.help)
            for earlier, later in pairwise(units):
                if earlier.used and earlier.module is not later.module:
                    note = Note("the earlier one", earlier.place)
                    message = f"two included files are called `{later.name}`; for names in both, this one counts"
                    self.report.warning(later.place.start, later.place.end, message, note)


_OTHER_DIALECTS: Final = {
    "float": "fbthrift has `float`; in Apache Thrift write `double`",
    "slist": "`slist` was removed from Thrift; write `string`",
    "int": "write `i32` or `i64`",
    "int8": "write `i8`",
    "int16": "write `i16`",
    "int32": "write `i32`",
    "int64": "write `i64`",
    "long": "write `i64`",
    "short": "write `i16`",
    "str": "write `string`",
    "boolean": "write `bool`",
    "bytes": "write `binary`",
    "void": "only a function can return `void`",
}


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeio" else f"a {noun}"
