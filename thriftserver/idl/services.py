"""Services: their functions, what they inherit, and the rules about both.

It leaves fields and types to the resolver it is part of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from thriftserver.idl import ast
from thriftserver.idl.diagnostics import Note, Span
from thriftserver.idl.scope import UNKNOWN
from thriftserver.schema.model import Field, Function, Service, Struct

if TYPE_CHECKING:
    from thriftserver.idl.resolve import Resolver


#: Services that may extend one another in a line.
MAX_INHERITANCE: Final = 200


class Services:
    """The services of one file."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.report = resolver.report
        self.scope = resolver.scope
        self._nodes: list[tuple[Service, ast.Service]] = []
        self._places: dict[int, Span] = {}
        self._methods: dict[int, dict[str, Function]] = {}

    def declare(self, node: ast.Service) -> None:
        resolver = self.resolver
        service = Service(
            name=node.name.text,
            module=resolver.module.name,
            where=resolver.where(node.name),
            doc=resolver.doc(node.at),
            annotations=resolver.annotations(node.annotations),
        )
        if self.scope.define(node.name, "service", self.scope.places):
            self.scope.services[service.name] = service
            resolver.module.services[service.name] = service
        self._nodes.append((service, node))

    def fill(self) -> None:
        """Everything about the declared services; types must be known by now."""
        for service, node in self._nodes:
            service.functions = self._functions(service, node)
            if node.extends is not None:
                service.extends = self.scope.service(node.extends)
        self._break_cycles()
        for service, node in self._nodes:
            if service.extends is not None:
                self._check_inherited(service, node)

    def _functions(self, service: Service, node: ast.Service) -> tuple[Function, ...]:
        places: dict[str, Span] = {}
        functions = []
        for item in node.functions:
            function = self._function(service, item)
            if self.scope.define(item.name, "function", places):
                functions.append(function)
                self._places[id(function)] = places[function.name]
        return tuple(functions)

    def _function(self, service: Service, node: ast.Function) -> Function:
        resolver = self.resolver
        self._check_oneway(node)
        throws = resolver.fields(node.throws, "exception")
        self._check_throws(throws, node)
        return Function(
            name=node.name.text,
            module=resolver.module.name,
            where=resolver.where(node.name),
            doc=resolver.doc(node.oneway.at if node.oneway else node.at),
            annotations=resolver.annotations(node.annotations, node.returns),
            service=service.name,
            oneway=node.oneway is not None,
            returns=self.scope.type(node.returns) if node.returns is not None else None,
            args=resolver.fields(node.args, "argument"),
            throws=throws,
        )

    def _check_oneway(self, node: ast.Function) -> None:
        if node.oneway is None:
            return
        report, name = self.report, node.name.text
        if node.oneway.text == "async":
            report.warning(node.oneway.at, node.oneway.end, "`async` is deprecated", help="write `oneway`")
        note = Note("because of this", report.span(node.oneway.at, node.oneway.end))
        if node.returns is not None:
            message = f"`{name}` is oneway and so cannot return anything"
            report.error(node.returns.at, node.returns.end, message, note, help="write `void`, or remove `oneway`")
        if node.throws:
            first, last = node.throws[0], node.throws[-1]
            report.error(first.at, last.name.end, f"`{name}` is oneway and so cannot throw anything", note)

    def _check_throws(self, throws: tuple[Field, ...], node: ast.Function) -> None:
        types = {field.name: field.type for field in throws}
        for item in node.throws:
            type = types.get(item.name.text, UNKNOWN)
            if type is UNKNOWN or (isinstance(type, Struct) and type.kind == "exception"):
                continue
            written = item.type.text if isinstance(item.type, ast.Token) else str(type)
            what = f"is a {type.kind}" if isinstance(type, Struct) else "is not one"
            self.report.error(item.type.at, item.type.end, f"only an exception can be thrown, and `{written}` {what}")

    def _break_cycles(self) -> None:
        nodes = {id(service): node for service, node in self._nodes}
        checked: set[int] = set()
        for service, _ in self._nodes:
            line: dict[int, Service] = {}
            step: Service | None = service
            while step is not None and id(step) not in line and id(step) not in checked:
                line[id(step)] = step
                step = step.extends
            if step is not None and id(step) in line:
                members = list(line.values())
                self._cycle(members[members.index(step) :], nodes)
            checked.update(line)

    def _cycle(self, cycle: list[Service], nodes: dict[int, ast.Service]) -> None:
        names = [service.name for service in cycle]
        first = nodes[id(cycle[0])]
        assert first.extends is not None
        if len(names) == 1:
            message = f"service `{names[0]}` extends itself"
        else:
            shown = " -> ".join([*names, names[0]]) if len(names) < 20 else f"{len(names)} of them"
            message = f"services extend each other: {shown}"
        notes = []
        for service in cycle[1:20]:
            extends = nodes[id(service)].extends
            assert extends is not None
            notes.append(Note(f"`{service.name}` extends `{extends.text}`", self.report.span(extends.at, extends.end)))
        self.report.error(first.extends.at, first.extends.end, message, *notes)
        for service in cycle:
            service.extends = None

    def _inherited(self, base: Service) -> dict[str, Function]:
        found = self._methods.get(id(base))
        if found is None:
            found = self._methods[id(base)] = {function.name: function for function in base.methods()}
        return found

    def _check_inherited(self, service: Service, node: ast.Service) -> None:
        assert node.extends is not None
        depth, step = 0, service.extends
        while step is not None:
            depth, step = depth + 1, step.extends
        if depth > MAX_INHERITANCE:
            message = f"services inherit from each other more than {MAX_INHERITANCE} deep here"
            self.report.error(node.extends.at, node.extends.end, message)
            service.extends = None
        if service.extends is None:
            return
        inherited = self._inherited(service.extends)
        for item in node.functions:
            base = inherited.get(item.name.text)
            if base is None:
                continue
            place = self._places.get(id(base))
            notes = [Note("the inherited one", place)] if place else []
            origin = f"`{base.service}`" if place else f"`{base.module}.{base.service}` ({base.where})"
            message = f"`{item.name.text}` is inherited from {origin} already and cannot be defined again"
            self.report.error(item.name.at, item.name.end, message, *notes)
