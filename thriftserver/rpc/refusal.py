"""What a handler raises to answer with: our ``ApplicationError``, or another library's TApplicationException.

It knows no frame; ``rpc.processor`` answers with it.
"""

from __future__ import annotations

from typing import Any

from thriftserver.errors import ApplicationError, EncodeError, TransportError
from thriftserver.foreign import class_name

_LEAST_I32, _MOST_I32 = -(1 << 31), (1 << 31) - 1


def application(error: BaseException) -> ApplicationError | None:
    """What a handler raised to answer with, ours or another Thrift library's: same name, same attributes.

    Raises EncodeError for one that has no bytes.
    """
    kind: Any
    message: Any
    if issubclass(type(error), ApplicationError):
        kind, message = error.type, error.message  # type: ignore[attr-defined]
    elif class_name(error) == "TApplicationException":
        kind, message = getattr(error, "type", 0), getattr(error, "message", None)
        message = "" if message is None else message  # as Apache's has it
    else:
        return None
    name = class_name(error)
    if not issubclass(type(kind), int) or not _LEAST_I32 <= int.__index__(kind) <= _MOST_I32:
        raise EncodeError(f"the type of {name} is no i32")
    if not issubclass(type(message), str):
        raise EncodeError(f"the message of {name} is a {class_name(message)}, no text")
    return ApplicationError(int.__index__(kind), str.__str__(message))


def ended_with(error: BaseException, deadline: int, now: int) -> bool:
    """Is that a call out of the handler, over because the ``deadline`` (0: none) of the call that it serves was?"""
    return issubclass(type(error), TransportError) and 0 < deadline < now
