"""What connections are made of where somebody asks for one: ``Line``, or what waits in another way (``waiting``)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from thriftserver import waiting
from thriftserver.compiled import choose

if TYPE_CHECKING:
    from thriftserver.client.line import Line, renew
else:
    Line, renew = choose("client.line").Line, choose("client.line").renew

waiting.when_changed(renew)


def plain_line(family: int) -> Line:
    """A line that waits as the standard library's sockets do."""
    return Line(socket.socket(family))


def new_line(family: int) -> Line:
    """A line that is not connected yet, of the kind that belongs to who asks."""
    make = waiting.maker() or plain_line
    line: Line = make(family)
    return line
