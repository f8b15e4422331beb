"""How a struct keeps its values, for the walkers: as attributes, where compiled code has slots.

``_slots`` and ``walk/_record.pxd`` have their C twins, and loops over slots that read and write many fields at once.
"""

from __future__ import annotations

from typing import Any

from thriftserver.codec.memory import Sink, Source


def slot_offsets(cls: type | None, names: list[str]) -> list[int] | None:
    """Where compiled code finds the slots of a class; None here, as without it they are attributes."""
    return None


def slot_table(offsets: list[int]) -> bytes:
    """The same as compiled code wants it."""
    return b""


def list_offset(place: int) -> int:
    """The same for a place in a list."""
    return 0


def slot_rows(rows: list[tuple[int, int, int, int, bool, dict[int, Any]]]) -> bytes:
    """(offset, id, wire type, kind, required, an enum's members) of the fields, as compiled code wants them."""
    return b""


def put_plain(sink: Sink, value: Any, fields: Any, index: int) -> int:
    """Write, from the one with this index on, what fields need no closer look; the index of the first that does.

    Only compiled code is faster for it.
    """
    return index


def take_plain(source: Source, values: list[Any], fields: Any, index: int) -> int:
    """Read, from the one with this index on, what fields come as expected and need no closer look; what comes next.

    Only compiled code is faster for it.
    """
    return index


def slot(value: Any, member: Any) -> Any:
    return getattr(value, member.name)


def begin(fields: Any) -> list[Any]:
    """What the values of a struct or of arguments are kept in while they are read."""
    return fields.blank[:]  # type: ignore[no-any-return]


def keep(values: list[Any], member: Any, value: Any) -> None:
    values[member.place] = value


def kept(values: list[Any], member: Any) -> Any:
    return values[member.place]


def complete(fields: Any, values: list[Any]) -> Any:
    return values if fields.cls is None else fields.cls(*values)
