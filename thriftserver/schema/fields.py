"""The rules for lists of fields (a struct's, a method's arguments, its exceptions) and for the types of two fields.

What stands within a struct or enum is left to whoever compares that pair; nothing here recurses into them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Final, Literal, NamedTuple

from thriftserver.schema.change import Findings, Rule
from thriftserver.schema.model import BINARY, I32, STRING, Container, Enum, Field, Struct, Type, Where
from thriftserver.schema.pairs import Travels, within

_SHOWN: Final = 80


def describe(type: Type) -> str:
    """A type in a message; a long one is cut."""
    return f"`{_text(type)}`"


def _text(type: Type) -> str:
    text = "".join(islice(type.words(), _SHOWN)) if isinstance(type, Container) else str(type)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


class Clash(NamedTuple):
    """Where two types differ: the innermost pair, and what that means."""

    rule: Rule
    old: Type
    new: Type

    @property
    def breaks(self) -> bool:
        return self.rule is Rule.TYPE_CHANGED


class Types:
    """Compares types as the wire sees them. Each pair of containers is looked at once, however often it is used."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Clash | None] = {}

    def clash(self, old: Type, new: Type) -> Clash | None:
        """Where two types differ, what breaks first; None when they do not."""
        if not isinstance(old, Container) or type(old) is not type(new):
            return _leaf(old, new)
        known, waiting = self._known, [(old, new)]
        while waiting:
            pair = waiting[-1]
            parts = [(a, b, (id(a), id(b))) for a, b in within(*pair)]
            nested = []
            for a, b, key in parts:
                if key in known:
                    continue
                if isinstance(a, Container) and isinstance(b, Container) and type(a) is type(b):
                    nested.append((a, b))
                else:
                    known[key] = _leaf(a, b)
            if nested:
                waiting += nested
                continue
            found = [clash for *_, key in parts if (clash := known[key]) is not None]
            known[id(pair[0]), id(pair[1])] = min(found, key=lambda clash: not clash.breaks, default=None)
            waiting.pop()
        return known[id(old), id(new)]


def _leaf(old: Type, new: Type) -> Clash | None:
    """Compares two types of which one at least is no container, or which are containers of different kinds."""
    if isinstance(old, Struct) and isinstance(new, Struct):
        return None
    if isinstance(old, Enum) and isinstance(new, Enum):
        return None
    if not isinstance(old, Container | Struct | Enum) and old == new:
        return None
    if (isinstance(old, Enum) and new == I32) or (old == I32 and isinstance(new, Enum)):
        return Clash(Rule.ENUM_OR_I32, old, new)
    if (old, new) in ((STRING, BINARY), (BINARY, STRING)):
        return Clash(Rule.STRING_OR_BINARY, old, new)
    return Clash(Rule.TYPE_CHANGED, old, new)


class Group(NamedTuple):
    """A list of fields, how one of them is called in a message, and the place of what they belong to."""

    kind: Literal["field", "member", "argument", "exception"]
    fields: tuple[Field, ...]
    where: Where
    path: Callable[[Field], str]


class FieldRules:
    """Compares lists of fields, and says what it finds."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.types = Types()

    def compare(self, old: Group, new: Group, travels: Travels) -> None:
        by_id = {field.id: field for field in new.fields}
        by_name = {field.name: field for field in new.fields}
        ids = {field.id for field in old.fields}
        names = {field.name for field in old.fields}
        for field in old.fields:
            heir, namesake = by_id.get(field.id), by_name.get(field.name)
            if namesake is not None and namesake is not heir:
                self._moved(field, namesake, heir, old)
            elif heir is None:
                self._removed(field, old, new, travels)
            elif heir is not namesake and (heir.name in names or self._breaks(field, heir)):
                message = f"id {field.id} is now `{_text(heir.type)} {heir.name}`, a different {old.kind}"
                self.findings.breaks(Rule.ID_REUSED, old.path(field), message, field.where, heir.where)
            else:
                self._kept(field, heir, old, travels)
        for field in new.fields:
            if field.id not in ids and field.name not in names:
                self._added(field, old, new, travels)

    def type(self, path: str, old: Type, new: Type, places: tuple[Where, Where], subject: str = "") -> None:
        """Says how two types differ, if they do."""
        clash = self.types.clash(old, new)
        if clash is None:
            return
        message = f"{subject}{describe(old)} became {describe(new)}"
        if clash.rule is Rule.TYPE_CHANGED:
            if clash.old is not old:
                message += f": {describe(clash.old)} and {describe(clash.new)} are not the same on the wire"
            self.findings.breaks(clash.rule, path, message, *places)
        elif clash.rule is Rule.ENUM_OR_I32:
            self.findings.fits(clash.rule, path, f"{message}: an enum travels as i32", *places)
        else:
            message += ": they travel alike, but a reader of string refuses what is not UTF-8"
            self.findings.fits(clash.rule, path, message, *places)

    def _breaks(self, old: Field, new: Field) -> bool:
        clash = self.types.clash(old.type, new.type)
        return clash is not None and clash.breaks

    def _moved(self, field: Field, namesake: Field, heir: Field | None, group: Group) -> None:
        message = f"moved from id {field.id} to {namesake.id}"
        if heir is not None:
            message += f"; id {field.id} is now `{_text(heir.type)} {heir.name}`"
        self.findings.breaks(Rule.ID_CHANGED, group.path(field), message, field.where, namesake.where)

    def _removed(self, field: Field, old: Group, new: Group, travels: Travels) -> None:
        path, places = old.path(field), (field.where, new.where)
        if old.kind == "exception":
            message = "is no longer declared; clients that catch it get an internal error in its place"
            self.findings.breaks(Rule.EXCEPTION_REMOVED, path, message, *places)
        elif old.kind == "member":
            if Travels.REQUEST in travels:
                message = "is gone; what old clients send in it arrives as an empty union"
                self.findings.breaks(Rule.MEMBER_REMOVED, path, message, *places)
            else:
                self.findings.fits(Rule.MEMBER_REMOVED, path, "is gone, and only the server sent it", *places)
        elif field.required and Travels.RESULT in travels:
            message = "is gone, and old clients refuse a result without it"
            self.findings.breaks(Rule.REQUIRED_REMOVED, path, message, *places)
        else:
            rule = Rule.REQUIRED_REMOVED if field.required else Rule.FIELD_REMOVED
            self.findings.fits(rule, path, "is gone; where it is still sent it is passed over", *places)

    def _added(self, field: Field, old: Group, new: Group, travels: Travels) -> None:
        path, places = new.path(field), (old.where, field.where)
        if new.kind == "exception":
            message = "is new; old clients see no result in its place, or success where the method is void"
            self.findings.fits(Rule.EXCEPTION_ADDED, path, message, *places)
        elif field.required and Travels.REQUEST in travels:
            message = "is new and required, and old clients do not send it"
            self.findings.breaks(Rule.REQUIRED_ADDED, path, message, *places)
        elif new.kind == "member" and Travels.RESULT in travels:
            self.findings.fits(Rule.FIELD_ADDED, path, "is new; old clients read it as an empty union", *places)
        else:
            rule = Rule.REQUIRED_ADDED if field.required else Rule.FIELD_ADDED
            self.findings.fits(rule, path, "is new", *places)

    def _kept(self, old: Field, new: Field, group: Group, travels: Travels) -> None:
        path, places = group.path(old), (old.where, new.where)
        if old.name != new.name:
            self.findings.fits(Rule.FIELD_RENAMED, path, f"is now called `{new.name}`", *places)
        self.type(path, old.type, new.type, places)
        if group.kind in ("field", "argument") and old.required is not new.required:
            self._requiredness(old, new, path, travels)
        if old.default != new.default:
            message = "has another default; each side fills in its own for what is not sent"
            self.findings.fits(Rule.DEFAULT_CHANGED, path, message, *places)

    def _requiredness(self, old: Field, new: Field, path: str, travels: Travels) -> None:
        places = (old.where, new.where)
        if new.required and Travels.REQUEST in travels:
            message = f"was {_WORDS[old.required]}, is required: old clients may leave it out"
            self.findings.breaks(Rule.REQUIRED_CHANGED, path, message, *places)
        elif old.required and Travels.RESULT in travels:
            message = f"was required, is {_WORDS[new.required]}: old clients refuse a result without it"
            self.findings.breaks(Rule.REQUIRED_CHANGED, path, message, *places)
        else:
            message = f"was {_WORDS[old.required]}, is {_WORDS[new.required]}"
            self.findings.fits(Rule.REQUIRED_CHANGED, path, message, *places)


_WORDS: Final = {True: "required", False: "optional", None: "neither required nor optional"}
