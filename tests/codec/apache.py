"""Random schemas as Apache's library takes them: what its compiler writes into generated code, made at run time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.codec import strategies
from thriftserver import wire
from thriftserver.schema import model
from thriftserver.schema.classes import class_of

_BASES: dict[str, tuple[int, Any]] = {
    "bool": (wire.BOOL, None),
    "i8": (wire.BYTE, None),
    "i16": (wire.I16, None),
    "i32": (wire.I32, None),
    "i64": (wire.I64, None),
    "double": (wire.DOUBLE, None),
    "string": (wire.STRING, "UTF8"),
    "binary": (wire.STRING, "BINARY"),
}
#: All that Apache's Python can read: it has no uuid, and no hashable containers for keys and members.
_KEYS = st.sampled_from([model.BOOL, model.I8, model.I16, model.I32, model.I64, model.STRING, model.BINARY])
_LEAVES = _KEYS | st.just(model.DOUBLE) | strategies.enums()


def structs(inner: Any) -> Any:
    return strategies.structs(inner, least=1, most=300)


TYPES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(model.List, inner), st.builds(model.Set, _KEYS), st.builds(model.Map, _KEYS, inner), structs(inner)
    ),
    max_leaves=8,
)


def spec_of(type: Any, class_of: Callable[[Any], Any] = class_of) -> tuple[int, Any]:
    """Wire type and type arguments, as Apache's compiler writes them into generated code."""
    if isinstance(type, model.Base):
        return _BASES[type.name]
    if isinstance(type, model.Enum):
        return wire.I32, None
    if isinstance(type, model.List | model.Set):
        return wire.LIST if isinstance(type, model.List) else wire.SET, (*spec_of(type.element, class_of), False)
    if isinstance(type, model.Map):
        return wire.MAP, (*spec_of(type.key, class_of), *spec_of(type.value, class_of), False)
    rows: list[Any] = [None] * (max((each.id for each in type.fields), default=0) + 1)
    for each in type.fields:
        code, details = spec_of(each.type, class_of)
        rows[each.id] = (each.id, code, each.name, details, None)
    return wire.STRUCT, [class_of(type), tuple(rows)]
