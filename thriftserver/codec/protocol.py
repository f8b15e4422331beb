"""What every protocol gives to those who serve and call: headers, codecs of methods, and where messages end.

Each protocol's ``message`` fills this in. One source: it runs on plain CPython, and Cython compiles it, with
``_protocol.pxd``, into the module ``_protocol``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.header import Header
    from thriftserver.codec.memory import Sink, Source


class Tally:
    """What versioning forgave in the arguments of calls: fields (see ``memory.Source``), and bytes that nobody read."""

    __slots__ = ("misordered", "repeated", "skipped", "trailing")

    def __init__(self) -> None:
        self.skipped = self.repeated = self.misordered = self.trailing = 0

    def add(self, source: Source) -> None:
        """Count what was met on the way to the end of a struct."""
        self.skipped += source.skipped
        self.repeated += source.repeated
        self.misordered += source.misordered
        self.trailing += source.end - source.pos


class Scanner:
    """Finds the end of a message that has no length, however its bytes are cut: each of them is looked at once.

    ``wanted`` is how many more bytes the message has at least, after a ``scan`` that came to the end of the data.
    """

    __slots__ = ("wanted",)

    def __init__(self) -> None:
        self.wanted = 0

    def reset(self) -> None:
        """Begin with another message."""
        raise NotImplementedError

    def scan(self, source: Source) -> bool:
        """Go on where ``source`` stands; has the message ended? It stands behind it then.

        Raises Fault for what can never be a message.
        """
        raise NotImplementedError


class Codec:
    """One method in one protocol."""

    __slots__ = ()

    def put_call(self, header: Header, args: Sequence[Any]) -> Sink:
        """A call with its arguments in the order of the IDL, in a sink for a message. Raises EncodeError."""
        raise NotImplementedError

    def take_reply(self, header: Header) -> Any:
        """The result that comes next in the header's source; raises what is there instead: the declared exception or
        the ApplicationError. Raises WireError for what is no reply."""
        raise NotImplementedError

    def take_args(self, source: Source) -> list[Any]:
        """The arguments of a call, in the order of the IDL. Raises Fault, whose path begins at ``args``."""
        raise NotImplementedError

    def put_result(self, header: Header, value: Any) -> Sink:
        """The reply with the method's result, in a sink for a message. Raises EncodeError."""
        raise NotImplementedError

    def put_declared(self, header: Header, index: int, exc: Any) -> Sink:
        """The same with the declared exception number ``index``."""
        raise NotImplementedError


class Protocol:
    """One protocol: ``number`` is its place in ``protocols.PROTOCOLS``."""

    __slots__ = ("name", "number")

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number

    def codec_of(self, plan: Any) -> Codec:
        """What this protocol makes of a method's plan, made once."""
        raise NotImplementedError

    def take_header(self, source: Source) -> Header:
        """The header of the message that comes next; the struct that follows is next then. Raises WireError."""
        raise NotImplementedError

    def new_scanner(self) -> Scanner:
        """For messages of one connection, one after the other."""
        raise NotImplementedError

    def put_error(self, header: Header, type: int, message: str) -> Sink:
        """The reply with what Thrift calls a TApplicationException."""
        raise NotImplementedError


def put_error(header: Header, type: int, message: str) -> Sink:
    """The same in the protocol that the message was read in."""
    protocol: Protocol = header.protocol
    return protocol.put_error(header, type, message)
