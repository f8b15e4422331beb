"""Whether a method says anything that must not be shown: then its messages are not kept as they are."""

from __future__ import annotations

from functools import cache

from thriftserver.schema.model import Function, Struct, Type


@cache
def hides_arguments(function: Function) -> bool:
    """Does a call of it hold something that the IDL says must not be shown?"""
    return any(arg.redacted or _hides(arg.type, set()) for arg in function.args)


@cache
def hides_answer(function: Function) -> bool:
    """Does a reply, be it a result or a declared exception?"""
    if function.redacted or (function.returns is not None and _hides(function.returns, set())):
        return True
    return any(each.redacted or _hides(each.type, set()) for each in function.throws)


def _hides(type: Type, seen: set[Type]) -> bool:
    if type in seen:
        return False
    seen.add(type)
    if isinstance(type, Struct):
        return type.redacted or any(field.redacted or _hides(field.type, seen) for field in type.fields)
    return any(_hides(part, seen) for part in getattr(type, "parts", tuple)())
