"""How messages are packed: what belongs to one in a stream, the message inside, the reply around its bytes.

A connection has one ``Transport`` from its first bytes on. Nothing here touches a socket or knows methods. One source:
it runs on plain CPython, and Cython compiles it, with ``_transport.pxd``, into the module ``_transport``.
"""

from __future__ import annotations

from typing import Any

from thriftserver import wire
from thriftserver.codec.fault import Fault
from thriftserver.dialect import verdict
from thriftserver.dialect.recognise import Refusal, can_tell, claimed, recognise, recognise_frame
from thriftserver.errors import WireError
from thriftserver.wire import Application

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.header import Header, blank
    from thriftserver.codec.memory import Sink, finish, new_source, seal, view
    from thriftserver.codec.protocol import Protocol, Scanner, put_error
    from thriftserver.dialect.recognise import length_of

# In compiled code these are C numbers.
MORE = verdict.MORE
BROKEN = verdict.BROKEN
UNTOLD = verdict.UNTOLD
START = verdict.START
_CALL = wire.CALL


class Transport:
    """``name`` and ``number`` are its dialect's; no message has more than ``limit`` bytes.

    ``serial``: calls of one connection cannot run beside each other. ``last``: the connection ends with the reply that
    was wrapped last. ``interim`` is to be sent at once, before the message is whole.
    """

    __slots__ = ("interim", "last", "limit", "name", "number", "protocol", "serial")

    def __init__(self, name: str, number: int, protocol: Protocol, limit: int) -> None:
        self.name = name
        self.number = number
        self.protocol = protocol
        self.limit = limit
        self.serial = False
        self.last = False
        self.interim = b""

    def measure(self, data: Any, ended: bool) -> int:
        """The bytes of the first message in bytes or a bytearray; else ``MORE``, ``BROKEN`` or ``UNTOLD``.

        ``data`` begins with the message, and has grown since the last time; ``ended``: nothing more will come.
        """
        raise NotImplementedError

    def advance(self) -> None:
        """The message that was measured has been taken out: the next one is to be measured."""

    def is_message(self, data: bytes) -> bool:
        """Are these bytes exactly the next message, as most of what is read? Then they have been taken out, too."""
        if self.measure(data, False) != len(data):
            return False
        self.advance()
        return True

    def open(self, data: bytes) -> Header:
        """The header of a whole message, its struct next in ``source``. Raises WireError for what is none."""
        raise NotImplementedError

    def explain(self, problem: WireError, data: bytes) -> Refusal:
        """The same problem of ``open`` with what can be told of the message, and what its peer understands."""
        return problem if isinstance(problem, Refusal) else Refusal(str(problem))

    def wrap(self, header: Header, reply: Sink | None, infos: Any) -> Sink | None:
        """The reply as it is to be sent, if any is; ``infos`` are to go along with it (a dict of texts, or None)."""
        return reply

    def ask(self, name: str, kind: int, seqid: int) -> Header:
        """The header of a call to be made in this transport, for ``wrap``."""
        header = blank()
        header.name = name
        header.kind = kind
        header.seqid = seqid
        header.strict = True
        header.protocol = self.protocol
        return header

    def memory(self) -> str:
        """What its peer has said once for all messages that follow, in one line, for whoever takes it over."""
        return ""

    def recall(self, memory: str) -> None:
        """Go on with the ``memory`` of the transport that this connection had in another process."""

    def refuse(self, start: bytes) -> Refusal:
        """What is wrong with a stream that is ``BROKEN`` and begins so, and what its peer understands of it."""
        raise NotImplementedError

    def peek(self, start: bytes) -> Header | None:
        """The header of a message of which the beginning is here, if that tells it."""
        try:
            return self.open(start)
        except WireError:
            return None

    def answered(self, problem: Refusal, start: bytes, calls: bool) -> Refusal:
        """The same problem with the answer for the message that begins so; with ``calls`` only if it is a call."""
        header = self.peek(start)
        if header is not None and (header.kind == _CALL or not calls):
            sink = self.wrap(header, put_error(header, problem.type, str(problem)), None)
            if sink is not None:
                problem.answer = finish(sink)
        return problem


class Framed(Transport):
    """Each message behind its length."""

    __slots__ = ()

    def measure(self, data: Any, ended: bool) -> int:
        size = len(data)
        if size < 4:
            return MORE
        length = length_of(data)
        if 0 <= length <= self.limit:
            return 4 + length if size - 4 >= length else MORE
        return BROKEN if ended or self.can_tell(bytes(data[:START]), length) else UNTOLD

    def is_message(self, data: bytes) -> bool:
        length = len(data) - 4
        return 0 <= length <= self.limit and length_of(data) == length

    def can_tell(self, start: bytes, length: int) -> bool:
        if self.protocol.number == 0:
            return can_tell(start, length)
        return len(start) == START or self.peek(start) is not None

    def open(self, data: bytes) -> Header:
        return self.protocol.take_header(new_source(data, 4))

    def explain(self, problem: WireError, data: bytes) -> Refusal:
        return problem if isinstance(problem, Refusal) else recognise_frame(data[4:])

    def wrap(self, header: Header, reply: Sink | None, infos: Any) -> Sink | None:
        if reply is not None:
            seal(reply)
        return reply

    def refuse(self, start: bytes) -> Refusal:
        length = claimed(start)
        problem = recognise(start, length, self.limit)
        return problem if problem.answer or length < 0 else self.answered(problem, start, False)


class Unframed(Transport):
    """One message after the other: where each ends, only reading it tells."""

    __slots__ = ("found", "problem", "scanned", "scanner")

    def __init__(self, name: str, number: int, protocol: Protocol, limit: int) -> None:
        Transport.__init__(self, name, number, protocol, limit)
        self.scanner: Scanner = self.protocol.new_scanner()
        self.scanned = 0
        self.found = 0
        self.problem = ""

    def measure(self, data: Any, ended: bool) -> int:
        if self.found > 0:
            return self.found
        source = view(data, self.scanned)
        try:
            whole = self.scanner.scan(source)
        except Fault as fault:
            self.problem = fault.message
            return BROKEN
        self.scanned = source.pos
        # What is known to be missing counts, too: a text may claim to be larger than a message.
        if source.pos + (0 if whole else len(data) - source.pos + self.scanner.wanted) > self.limit:
            self.problem = f"a message is larger than max-frame ({self.limit})"
            return BROKEN
        if whole:
            self.found = source.pos
        return self.found

    def advance(self) -> None:
        self.scanner.reset()
        self.scanned = 0
        self.found = 0

    def open(self, data: bytes) -> Header:
        return self.protocol.take_header(new_source(data, 0))

    def refuse(self, start: bytes) -> Refusal:
        return self.answered(Refusal(self.problem), start, False)


class Refused(Transport):
    """A stream that is not taken: none of the dialects that are known, or (``inner``) one that this port is not for."""

    __slots__ = ("inner", "message")

    def __init__(self, limit: int, inner: Any = None, message: str = "") -> None:
        Transport.__init__(self, "", -1, None, limit)  # type: ignore[arg-type]  # nothing is read in it
        self.inner: Transport | None = inner
        self.message = message

    def measure(self, data: Any, ended: bool) -> int:
        start = bytes(data[:START])
        if ended or len(start) == START:
            return BROKEN
        if self.inner is not None:
            return BROKEN if self.inner.peek(start) is not None else UNTOLD
        return BROKEN if len(start) >= 4 and can_tell(start, length_of(start)) else UNTOLD

    def refuse(self, start: bytes) -> Refusal:
        if self.inner is None:
            return recognise(start, claimed(start), self.limit)
        problem = Refusal(self.message)
        problem.type = Application.INVALID_PROTOCOL
        return self.inner.answered(problem, start, True)
