"""Which call the code that is running now belongs to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thriftserver.rpc.call import Call, Current

#: Set around every handler, in a context of its own; threads and greenlets that a handler starts inherit it.
CURRENT: ContextVar[Current] = ContextVar("thriftserver.current_call")


def running() -> Call | None:
    """The call that the code which is running now belongs to; None outside of one."""
    current = CURRENT.get(None)
    return None if current is None else current.call


def current_call() -> Call:
    """The call that a handler is answering: service, method, seqid, deadline, headers, and who asks.

    Raises LookupError outside of a call.
    """
    call = running()
    if call is None:
        raise LookupError("no call is running here")
    return call
