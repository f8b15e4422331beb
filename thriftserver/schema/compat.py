"""What breaks when a server goes from one version of its IDL to another while its clients stay as they are.

It compares resolved definitions and knows neither syntax nor bytes. The rules and their reasons: docs/idl.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from thriftserver.schema.change import Change, Findings, Rule
from thriftserver.schema.fields import FieldRules, Group
from thriftserver.schema.model import Const, Definition, Enum, Function, Member, Module, Service, Struct
from thriftserver.schema.pairs import BOTH, Meetings, Travels, heirs, line_of, matched, services_by_name


def compare(old: Sequence[Module], new: Sequence[Module]) -> list[Change]:
    """All changes between two versions of some IDL files and all they include: what breaks first, then the rest.

    What services lead to is judged by which way it travels, anything else as if it went both ways.
    """
    comparison = _Comparison()
    comparison.services(list(matched(old, new, Service)))
    comparison.findings.used = False
    comparison.others(old, new)
    return comparison.findings.in_order()


def deployed(old: Sequence[Module], new: Sequence[Module], served: Iterable[str]) -> list[Change]:
    """All changes for clients of the services called ``served``, and for nobody else; what breaks comes first."""
    comparison = _Comparison()
    before, after = services_by_name(old), services_by_name(new)
    comparison.services([(before[name], after.get(name)) for name in dict.fromkeys(served) if name in before])
    return comparison.findings.in_order()


def breaking(old: Sequence[Module], new: Sequence[Module], served: Iterable[str]) -> list[Change]:
    """Those of them that break."""
    return [change for change in deployed(old, new, served) if change.severity == "breaking"]


class _Comparison:
    """Goes from services to methods, from those to the types that meet in them, and on to the types within."""

    def __init__(self) -> None:
        self.findings = Findings()
        self.fields = FieldRules(self.findings)
        self.meetings = Meetings()
        #: Methods that something was said of, and pairs of methods that were compared: services inherit them.
        self._said: set[int] = set()
        self._compared: set[tuple[int, int]] = set()

    def services(self, pairs: Sequence[tuple[Service | None, Service | None]]) -> None:
        # Base services first, so that what they lose is said of them and not of everyone who inherits it.
        for old, new in sorted(pairs, key=lambda pair: len(line_of(pair[0] or pair[1]))):
            if old is not None and new is not None:
                self._service(old, new)
            elif old is not None:
                self.findings.breaks(Rule.SERVICE_REMOVED, old.name, "the service is gone", old.where, None)
            elif new is not None:
                self.findings.fits(Rule.SERVICE_ADDED, new.name, "the service is new", None, new.where)
        self._types()

    def others(self, old: Sequence[Module], new: Sequence[Module]) -> None:
        """What no service led to."""
        lone: list[tuple[Definition | None, Definition | None]] = []
        pairs: list[tuple[Struct | Enum | None, Struct | Enum | None]] = [*matched(old, new, Struct)]
        for before, after in [*pairs, *matched(old, new, Enum)]:
            if before is not None and after is not None:
                if (before, after) not in self.meetings:
                    self.meetings.add(before, after, BOTH)
            elif id(before) not in self.meetings.old and id(after) not in self.meetings.new:
                lone.append((before, after))
        self._types()
        self.findings.used = True  # what is said now is not about use
        for constant, other in matched(old, new, Const):
            if constant is None or other is None:
                lone.append((constant, other))
            elif constant.value != other.value or str(constant.type) != str(other.type):
                message, places = "the constant has changed; constants do not travel", (constant.where, other.where)
                self.findings.fits(Rule.CONST_CHANGED, str(constant), message, *places)
        for gone, added in lone:
            if gone is not None:
                message = f"the {_kind(gone)} is gone"
                self.findings.fits(Rule.DEFINITION_REMOVED, str(gone), message, gone.where, None)
            elif added is not None:
                message = f"the {_kind(added)} is new"
                self.findings.fits(Rule.DEFINITION_ADDED, str(added), message, None, added.where)

    # Services and methods

    def _service(self, old: Service, new: Service) -> None:
        before = {function.name: function for function in old.methods()}
        after = {function.name: function for function in new.methods()}
        self._extends(old, new, [function for name, function in before.items() if name not in after])
        for name, function in before.items():
            if name in after:
                self._function(function, after[name])
            elif self._news(function):
                path, places = f"{function.service}.{name}", (function.where, new.where)
                self.findings.breaks(Rule.METHOD_REMOVED, path, "the method is gone", *places)
        for name, function in after.items():
            if name not in before and self._news(function):
                path, places = f"{function.service}.{name}", (old.where, function.where)
                self.findings.fits(Rule.METHOD_ADDED, path, "the method is new", *places)

    def _extends(self, old: Service, new: Service, lost: Sequence[Function]) -> None:
        """Methods lost with a base service are one change, not one each."""
        line = {service.name for service in line_of(new)}
        orphans = [function for function in lost if function.service not in line and self._news(function)]
        was, now = (service.extends.name if service.extends else "nothing" for service in (old, new))
        if orphans:
            names = ", ".join(f"`{function.name}`" for function in orphans)
            bases = ", ".join(dict.fromkeys(f"`{function.service}`" for function in orphans))
            message = f"no longer extends {bases}, and loses {names}"
            self.findings.breaks(Rule.EXTENDS_CHANGED, old.name, message, old.where, new.where)
        elif was != now:
            self.findings.fits(Rule.EXTENDS_CHANGED, old.name, f"extended {was}, extends {now}", old.where, new.where)

    def _news(self, function: Function) -> bool:
        """Whether nothing was said of this method yet."""
        known = id(function) in self._said
        self._said.add(id(function))
        return not known

    def _function(self, old: Function, new: Function) -> None:
        if (id(old), id(new)) in self._compared:
            return
        self._compared.add((id(old), id(new)))
        if old.oneway is new.oneway:
            self._result(old, new)
        else:
            message = "was oneway, and now sends a reply that old clients do not read"
            if new.oneway:
                message = "is oneway now, and old clients wait for a reply"
            self.findings.breaks(Rule.ONEWAY_CHANGED, _path(old), message, old.where, new.where)
        self._fields(_arguments(old), _arguments(new), Travels.REQUEST)
        self._fields(_exceptions(old), _exceptions(new), Travels.RESULT)

    def _result(self, old: Function, new: Function) -> None:
        path, places = _path(old), (old.where, new.where)
        if old.returns is not None and new.returns is not None:
            self.fields.type(path, old.returns, new.returns, places, "the result: ")
            self.meetings.add(old.returns, new.returns, Travels.RESULT)
        elif old.returns is not None:
            message = "returns nothing now, and old clients miss their result"
            self.findings.breaks(Rule.RESULT_REMOVED, path, message, *places)
        elif new.returns is not None:
            self.findings.fits(Rule.RESULT_ADDED, path, "returns something now; old clients pass it over", *places)

    def _fields(self, old: Group, new: Group, travels: Travels) -> None:
        self.fields.compare(old, new, travels)
        for field, heir in heirs(old.fields, new.fields):
            self.meetings.add(field.type, heir.type, travels)

    # Structs and enums

    def _types(self) -> None:
        """Compare every pair of types found since the last time. All ways that they travel are known by now."""
        for met in self.meetings.take():
            old, new = met.old, met.new
            if isinstance(old, Struct) and isinstance(new, Struct):
                self._renamed(old, new)
                self._kind_of(old, new)
                self.fields.compare(_members(old, new), _members(new, old), met.travels)
            elif isinstance(old, Enum) and isinstance(new, Enum):
                self._renamed(old, new)
                self._enum(old, new, met.travels)

    def _renamed(self, old: Struct | Enum, new: Struct | Enum) -> None:
        if old.name != new.name:
            message = f"`{new}` stands in its place; names do not travel"
            self.findings.fits(Rule.TYPE_RENAMED, str(old), message, old.where, new.where)

    def _kind_of(self, old: Struct, new: Struct) -> None:
        if old.kind == new.kind:
            return
        message, places = f"the {old.kind} is a {new.kind} now", (old.where, new.where)
        if "union" in (old.kind, new.kind):
            message += ": a union holds one of its members only"
            self.findings.breaks(Rule.KIND_CHANGED, str(old), message, *places)
        else:
            self.findings.fits(Rule.KIND_CHANGED, str(old), f"{message}: they travel alike", *places)

    def _enum(self, old: Enum, new: Enum, travels: Travels) -> None:
        by_name = {member.name: member for member in new.members}
        by_value = {member.value: member for member in reversed(new.members)}
        names = {member.name: member for member in old.members}
        for member in old.members:
            path, namesake, heir = f"{old}.{member.name}", by_name.get(member.name), by_value.get(member.value)
            if namesake is None:
                self._enum_member_gone(path, member, heir, names, new, travels)
            elif namesake.value != member.value:
                message = f"was {member.value}, is {namesake.value}: only numbers travel"
                self.findings.breaks(Rule.ENUM_RENUMBERED, path, message, member.where, namesake.where)
        known = {member.value for member in old.members}
        for member in new.members:
            if member.name not in names and member.value not in known:
                message = f"{member.value} is new"
                if Travels.RESULT in travels:
                    message += "; old clients have no name for it"
                self.findings.fits(Rule.ENUM_ADDED, f"{new}.{member.name}", message, old.where, member.where)

    def _enum_member_gone(
        self, path: str, member: Member, heir: Member | None, names: dict[str, Member], new: Enum, travels: Travels
    ) -> None:
        """``heir`` has the number now. It may be a new name for it, an old alias, or a member that had another one."""
        places = (member.where, heir.where if heir else new.where)
        if heir is not None and names.get(heir.name, member).value == member.value:
            self.findings.fits(Rule.ENUM_RENAMED, path, f"{member.value} is called `{heir.name}` now", *places)
        elif heir is not None:
            message = f"is gone, and {member.value} means `{heir.name}` now"
            self.findings.breaks(Rule.ENUM_RENUMBERED, path, message, *places)
        elif Travels.REQUEST in travels:
            message = f"is gone, and old clients may still send {member.value}"
            self.findings.breaks(Rule.ENUM_REMOVED, path, message, *places)
        else:
            self.findings.fits(Rule.ENUM_REMOVED, path, "is gone, and only the server sent it", *places)


def _kind(definition: Definition) -> str:
    if isinstance(definition, Struct):
        return definition.kind
    return "enum" if isinstance(definition, Enum) else "constant"


def _path(function: Function) -> str:
    return f"{function.service}.{function.name}"


def _arguments(function: Function) -> Group:
    return Group(
        "argument", function.args, function.where, lambda field: f"{_path(function)}({field.id}: {field.name})"
    )


def _exceptions(function: Function) -> Group:
    return Group(
        "exception",
        function.throws,
        function.where,
        lambda field: f"{_path(function)} throws ({field.id}: {field.name})",
    )


def _members(struct: Struct, other: Struct) -> Group:
    """The fields of a struct; they are members only where both sides read them as those of a union."""
    union = struct.kind == other.kind == "union"
    return Group("member" if union else "field", struct.fields, struct.where, lambda field: f"{struct}.{field.name}")
