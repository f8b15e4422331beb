"""A call that is not answered: its connection ends in the place of a reply, as if the server had died. For mocks."""

from __future__ import annotations

from typing import NoReturn

from thriftserver.errors import ApplicationError
from thriftserver.rpc.current import current_call
from thriftserver.wire import Application


class HungUp(ApplicationError):
    """Raised through a handler by ``hang_up``; who would send the reply ends the connection."""


def hang_up() -> NoReturn:
    """End the connection of the call that is running, unanswered. Not of a oneway, which has no reply to miss."""
    current_call().reply_headers  # noqa: B018 - makes whoever sends the reply look at the call
    raise HungUp(Application.INTERNAL_ERROR, "the connection ends")
