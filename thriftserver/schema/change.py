"""One difference between two versions of an IDL, as data and as the line a person reads.

It knows places and words, and decides nothing about what breaks: ``schema.compat`` does.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct

from thriftserver.schema.model import Where

Severity = Literal["breaking", "compatible"]


class Rule(StrEnum):
    """What kind of change it is; the table in docs/idl.md has the reason for each."""

    SERVICE_REMOVED = "service-removed"
    SERVICE_ADDED = "service-added"
    EXTENDS_CHANGED = "extends-changed"
    METHOD_REMOVED = "method-removed"
    METHOD_ADDED = "method-added"
    ONEWAY_CHANGED = "oneway-changed"
    RESULT_REMOVED = "result-removed"
    RESULT_ADDED = "result-added"
    EXCEPTION_REMOVED = "exception-removed"
    EXCEPTION_ADDED = "exception-added"
    TYPE_CHANGED = "type-changed"
    ENUM_OR_I32 = "enum-or-i32"
    STRING_OR_BINARY = "string-or-binary"
    KIND_CHANGED = "kind-changed"
    ID_CHANGED = "id-changed"
    ID_REUSED = "id-reused"
    REQUIRED_CHANGED = "required-changed"
    REQUIRED_ADDED = "required-added"
    REQUIRED_REMOVED = "required-removed"
    FIELD_ADDED = "field-added"
    FIELD_REMOVED = "field-removed"
    FIELD_RENAMED = "field-renamed"
    MEMBER_REMOVED = "member-removed"
    ENUM_RENUMBERED = "enum-renumbered"
    ENUM_REMOVED = "enum-removed"
    ENUM_ADDED = "enum-added"
    ENUM_RENAMED = "enum-renamed"
    DEFAULT_CHANGED = "default-changed"
    CONST_CHANGED = "const-changed"
    TYPE_RENAMED = "type-renamed"
    DEFINITION_REMOVED = "definition-removed"
    DEFINITION_ADDED = "definition-added"


class Change(Struct, frozen=True):
    """``path`` names what changed: ``Calculator.add(1: a)``, ``shared.User.email``.

    ``old`` and ``new`` are its places. What is gone has the place of what it was part of as ``new``, what was added the
    same as ``old``; None where there is nothing it was part of. ``used`` is false when no method
    that both versions have leads to it.
    """

    severity: Severity
    rule: Rule
    path: str
    message: str
    old: Where | None
    new: Where | None
    used: bool = True

    @property
    def place(self) -> str:
        """The new place, as an editor finds it; the old one of what has none."""
        return _line(self.new or self.old)

    @property
    def text(self) -> str:
        """What changed, without place and severity."""
        unused = "" if self.used else "; no method of both versions uses it"
        was = f" (was {_line(self.old)})" if self.old and self.new else ""
        return f"{self.path}: {self.message}{unused}{was} [{self.rule}]"

    def __str__(self) -> str:
        return f"{self.place}: {self.severity}: {self.text}"

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "severity": self.severity,
            "rule": str(self.rule),
            "path": self.path,
            "message": self.message,
            "old": _plain(self.old),
            "new": _plain(self.new),
            "used": self.used,
        }


class Findings:
    """Collects changes. ``used`` is said of each: whether services lead to what is being compared."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.used = True

    def breaks(self, rule: Rule, path: str, message: str, old: Where | None, new: Where | None) -> None:
        self.changes.append(Change("breaking", rule, path, message, old, new, self.used))

    def fits(self, rule: Rule, path: str, message: str, old: Where | None, new: Where | None) -> None:
        self.changes.append(Change("compatible", rule, path, message, old, new, self.used))

    def in_order(self) -> list[Change]:
        """What breaks first, otherwise as found."""
        return sorted(self.changes, key=lambda change: change.severity != "breaking")


def _line(where: Where | None) -> str:
    return f"{where.path}:{where.line}" if where else ""


def _plain(where: Where | None) -> dict[str, Any] | None:
    return {"file": where.path, "line": where.line, "column": where.column} if where else None
