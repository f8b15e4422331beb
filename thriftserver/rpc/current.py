"""Which call the code that is running now belongs to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thriftserver.rpc.call import Call

#: Set around every handler, in a context of its own; threads and greenlets that a handler starts inherit it.
CURRENT: ContextVar[Call] = ContextVar("thriftserver.current_call")


def current_call() -> Call:
    """The call that a handler is answering: service, method, seqid, deadline, headers, and who asks.

    Raises LookupError outside of a call.
    """
    try:
        return CURRENT.get()
    except LookupError:
        raise LookupError("no call is running here") from None
