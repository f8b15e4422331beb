"""Which definition of a new IDL takes the place of which one of the old, and which types meet where they are used.

It finds pairs and says nothing about whether they agree. Types may be nested, and structs may lead to one another, for
thousands of steps: nothing here recurses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import IntFlag
from typing import Final, TypeVar

from thriftserver.schema.model import Base, Container, Definition, Field, Module, Service, Struct, Type

D = TypeVar("D", bound=Definition)


class Travels(IntFlag):
    """Which way values go while a new server has old clients."""

    #: Written by old clients, read by the new server.
    REQUEST = 1
    #: Written by the new server, read by old clients.
    RESULT = 2


BOTH: Final = Travels.REQUEST | Travels.RESULT


def matched(old: Sequence[Module], new: Sequence[Module], kind: type[D]) -> Iterator[tuple[D | None, D | None]]:
    """Each definition of one kind beside its counterpart: of the same module and name, else of the same name.

    The name alone decides where only one is left of it on both sides, as after a move to another file. The old ones
    come first, in their order; then the new ones that have no counterpart.
    """
    before, after = _definitions(old, kind), _definitions(new, kind)
    moved = {key: each for key, each in after.items() if key not in before}
    gone = Counter(name for role, name in before if (role, name) not in after)
    come = Counter(name for role, name in moved)
    places = {name: (role, name) for role, name in moved}
    for (role, name), each in before.items():
        if (role, name) in after:
            yield each, after[role, name]
        else:
            yield each, moved.pop(places[name]) if gone[name] == come[name] == 1 else None
    for each in moved.values():
        yield None, each


def _definitions(roots: Sequence[Module], kind: type[D]) -> dict[tuple[str, str], D]:
    """By the role of the module (the roots by their position, as files are renamed, others by name) and own name."""
    roles = {id(root): (f"root/{place}", root) for place, root in enumerate(roots)}
    count: Counter[str] = Counter()
    for module in (module for root in roots for module in root.tree()):
        if id(module) not in roles:
            count[module.name] += 1
            roles[id(module)] = (f"{module.name} {count[module.name]}", module)
    return {
        (role, each.name): each
        for role, module in roles.values()
        for each in _contents(module)
        if isinstance(each, kind)
    }


def _contents(module: Module) -> Iterator[Definition]:
    for group in (module.services, module.structs, module.enums, module.consts):
        yield from group.values()


def services_by_name(roots: Sequence[Module]) -> dict[str, Service]:
    """The services by the name that they are served under; the roots' own ones win over included ones."""
    own = {service.name: service for root in roots for service in root.services.values()}
    trees = (module for root in roots for module in root.tree())
    return {service.name: service for module in trees for service in module.services.values()} | own


class Meeting:
    """An old type and the new one that stands in its place, and which way their values travel."""

    __slots__ = ("new", "old", "travels")

    def __init__(self, old: Type, new: Type) -> None:
        self.old = old
        self.new = new
        self.travels = Travels(0)


class Meetings:
    """All pairs of types that meet, each once, in the order in which they were found."""

    def __init__(self) -> None:
        self._met: dict[tuple[int, int], Meeting] = {}
        self._taken = 0
        self.old: set[int] = set()
        self.new: set[int] = set()

    def add(self, old: Type, new: Type, travels: Travels) -> None:
        """Two types meet, and so does all that stands at the same place within them."""
        waiting = [(old, new)]
        while waiting:
            old, new = waiting.pop()
            if isinstance(old, Base) or isinstance(new, Base):
                continue
            met = self._met.get((id(old), id(new)))
            if met is None:
                met = self._met[id(old), id(new)] = Meeting(old, new)
                self.old.add(id(old))
                self.new.add(id(new))
            if travels not in met.travels:
                met.travels |= travels
                waiting.extend(reversed(list(within(old, new))))

    def __contains__(self, pair: tuple[Type, Type]) -> bool:
        return (id(pair[0]), id(pair[1])) in self._met

    def take(self) -> Sequence[Meeting]:
        """The pairs found since the last time."""
        found = list(self._met.values())[self._taken :]
        self._taken = len(self._met)
        return found


def within(old: Type, new: Type) -> Iterator[tuple[Type, Type]]:
    """The pairs of types that stand at the same place in two types: parts of containers, fields of structs."""
    if isinstance(old, Struct) and isinstance(new, Struct):
        for field, heir in heirs(old.fields, new.fields):
            yield field.type, heir.type
    elif isinstance(old, Container) and isinstance(new, Container):
        yield from zip(reversed(old.parts()), reversed(new.parts()), strict=False)  # a map's values before its keys


def heirs(old: Sequence[Field], new: Sequence[Field]) -> Iterator[tuple[Field, Field]]:
    """Each old field that lives on, with the new one: of the same name, else of the same id."""
    by_id = {field.id: field for field in new}
    by_name = {field.name: field for field in new}
    for field in old:
        heir = by_name.get(field.name) or by_id.get(field.id)
        if heir is not None:
            yield field, heir


def line_of(service: Service | None) -> list[Service]:
    """A service and those that it inherits from, the nearest first."""
    line: list[Service] = []
    while service is not None:
        line.append(service)
        service = service.extends
    return line
