"""What can be said of strangers' objects when nothing that they say of themselves can be trusted: class, text, rank.

Whatever a foreign method raises stays here, and no foreign method is asked where Python itself knows. It knows no type
of ours.
"""

from __future__ import annotations

from typing import Any

_name = type.__dict__["__name__"].__get__
_context = BaseException.__dict__["__context__"].__get__
_cause = BaseException.__dict__["__cause__"].__get__
#: Exceptions that led to one another and are looked at.
_CHAIN = 100


def class_name(value: Any) -> str:
    """The name of a value's class, whatever its metaclass says."""
    return str(_name(type(value)))


def text_of(error: BaseException) -> str:
    """``str`` of an exception, or in parentheses why there is none."""
    try:
        return str.__str__(str(error))  # exactly a str: a subclass would have a word in how it is formatted
    except BaseException as problem:  # noqa: BLE001 - a text is not worth an answer, whatever is raised in its place
        return f"(its text cannot be had: {class_name(problem)})"


def cut_traces(error: BaseException) -> None:
    """Let go of the tracebacks of an exception and of those that led to it.

    One object that is raised again and again would else keep the frames of each time.
    """
    waiting: list[Any] = [error]
    for _ in range(_CHAIN):
        if not waiting:
            return
        each = waiting.pop()
        BaseException.with_traceback(each, None)
        waiting += [led for led in (_cause(each), _context(each)) if led is not None and led is not each]
        if issubclass(type(each), BaseExceptionGroup):
            waiting += BaseExceptionGroup.exceptions.__get__(each)
