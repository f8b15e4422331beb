"""Values: which value of one type is a value of another, and in which words to say that it is none.

Pure functions over the schema's types; names, literals and places are not their business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from thriftserver.idl.diagnostics import Note
from thriftserver.schema.model import (
    BINARY,
    BOOL,
    DOUBLE,
    I8,
    I16,
    I32,
    I64,
    STRING,
    UUID,
    Base,
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

if TYPE_CHECKING:
    import uuid

#: Bits of each integer type.
BITS: Final[dict[Type, int]] = {I8: 8, I16: 16, I32: 32, I64: 64}
#: Values within all constants and defaults of a file, those of the constants they refer to counted each time. Each
#: constant can double the one before it, so that forty of them would fill all memory.
MAX_WEIGHT: Final = 2_000_000


class Misfit(Exception):
    """A value that is not of the wanted type; ``str()`` is the message."""

    def __init__(self, message: str, *notes: Note) -> None:
        super().__init__(message)
        self.notes = notes


def integer(text: str) -> int:
    """What an INTEGER token stands for. Absurdly long ones are cut, which leaves them out of every range."""
    if text in ("true", "false"):
        return int(text == "true")
    digits = text.lstrip("+-")
    number = int(digits[2:60], 16) if digits.startswith("0x") else int(digits.lstrip("0")[:60] or "0")
    return -number if text[0] == "-" else number


def fit(value: Value, type: Type, wanted: Type) -> Value:
    """A value of one type as a value of another; raises Misfit. An I64 may hold any integer that was written."""
    if type == wanted and type is not I64:
        return value
    if isinstance(wanted, Base):
        return _fit_base(value, type, wanted)
    if isinstance(wanted, Enum):
        if type not in BITS:
            raise Misfit(f"expected {describe(wanted)}, found {_describe_value(value, type)}")
        if not any(member.value == value for member in wanted.members):
            raise Misfit(f"enum `{wanted.name}` has no member with the value {value}")
        return value
    if isinstance(wanted, List | Set) and isinstance(type, List | Set):
        values = [fit(item, type.element, wanted.element) for item in value]
        return tuple(values) if isinstance(wanted, List) else tuple(dict.fromkeys(values))
    if isinstance(wanted, Map) and isinstance(type, Map):
        pairs = {fit(key, type.key, wanted.key): fit(item, type.value, wanted.value) for key, item in value}
        return Pairs(pairs.items())
    raise Misfit(f"expected {describe(wanted)}, found {_describe_value(value, type)}")


def _fit_base(value: Value, type: Type, wanted: Base) -> Value:
    if type in BITS or type is BOOL or isinstance(type, Enum):
        number = int(value)
        if wanted in BITS:
            bits = BITS[wanted]
            if not -(1 << bits - 1) <= number < 1 << bits - 1:
                raise Misfit(f"{brief(number)} does not fit {wanted} ({-(1 << bits - 1)} to {(1 << bits - 1) - 1})")
            return number
        if wanted is DOUBLE:
            return float(number)
        if wanted is BOOL and number in (0, 1):
            return bool(number)
        if wanted is BOOL:
            raise Misfit(f"expected a bool (true, false, 1 or 0), found {brief(number)}")
    elif type is STRING and wanted is BINARY:
        return value.encode("utf-8", "surrogatepass")
    elif type is STRING and wanted is UUID:
        return _uuid(value)
    elif type is BINARY and wanted is STRING:
        return value.decode("utf-8", "surrogatepass")
    elif type is DOUBLE and wanted is DOUBLE:
        return value
    raise Misfit(f"expected {describe(wanted)}, found {_describe_value(value, type)}")


def _uuid(text: str) -> uuid.UUID:
    import uuid  # costs more than all of this module, and few need it

    inner = text[1:-1] if text.startswith("{") and text.endswith("}") else text
    try:
        found = uuid.UUID(inner)
    except ValueError:
        pass
    else:
        if str(found) == inner.lower():
            return found
    raise Misfit(f"{brief(text)} is not a UUID such as 01234567-89ab-cdef-0123-456789abcdef")


def measure(value: Any) -> tuple[int, int]:
    """How many values a value holds, counted up to a little above what is allowed, and how deep they are nested."""
    weight = deepest = 0
    waiting = [(value, 0)]
    while waiting and weight <= MAX_WEIGHT:
        item, depth = waiting.pop()
        weight += 1
        if isinstance(item, Literal):
            waiting.extend((part, depth + 1) for part in item.values())
        elif isinstance(item, Pairs):
            waiting.extend((part, depth + 1) for pair in item for part in pair)
        elif isinstance(item, tuple):
            waiting.extend((part, depth + 1) for part in item)
        else:
            deepest = max(deepest, depth)
    return weight, deepest


def describe(type: Type) -> str:
    """A type in the words of a message."""
    if isinstance(type, Struct):
        return f"{type.kind} `{type.name}`"
    if isinstance(type, Enum):
        return f"a member of enum `{type.name}`"
    if isinstance(type, Base):
        return str(type)
    return str(type) if type.size <= 10 else f"a {type.__class__.__name__.lower()}"


def _describe_value(value: Value, type: Type) -> str:
    if type is STRING:
        return f"string {brief(value)}"
    if type in BITS:
        return f"integer {brief(value)}"
    if type is BOOL:
        return "true" if value else "false"
    if type is DOUBLE:
        return f"double {value!r}"
    return describe(type)


def brief(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
