"""What is said on one connection: a call as bytes, and the answer out of the bytes that come back.

Sans-IO: shells that wait in different ways have this in common. One source: it runs on plain CPython, and Cython
compiles it, with ``_conversation.pxd``, into the module ``_conversation``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thriftserver import wire
from thriftserver.client.headers import beside, heard
from thriftserver.codec.plan import MethodPlan
from thriftserver.compiled import choose
from thriftserver.dialect.caller import SPEAKABLE, caller, require_path, seems
from thriftserver.errors import TransportError, WireError

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.header import Header

    finish = choose("codec.memory").finish

# In compiled code these are C numbers.
_CALL = wire.CALL
_ONEWAY = wire.ONEWAY
_REPLY = wire.REPLY
#: The largest number of a call.
_MOST = 0x7FFFFFFF
#: From here on a length is rather four letters of a server that speaks something else.
_TEXT = 0x40000000
#: Bytes that tell what an answer is.
_START = 16


class Conversation:
    """Calls in one ``dialect``, one after the other, with replies of at most ``max_frame`` bytes.

    ``service`` is the name that a server of several services knows this one by, empty for none; ``path`` is what HTTP
    asks for. ``headers`` are what came beside the last reply.
    """

    __slots__ = (
        "_called",
        "_codec",
        "_dialect",
        "_framed",
        "_http",
        "_kind",
        "_path",
        "_plan",
        "_prefix",
        "_seqid",
        "_transport",
        "headers",
        "max_frame",
        "takes_infos",
    )

    def __init__(self, dialect: str, max_frame: int, service: str, path: str = "/") -> None:
        require_path(dialect, path)
        self._dialect = dialect
        self._path = path
        self._transport = caller(dialect, max_frame, path)
        self.max_frame = max_frame
        row, _ = SPEAKABLE[dialect]
        self._framed = row.framed
        self._http = row.transport == "http"
        #: Is there a place for something beside a call?
        self.takes_infos = row.transport in ("theader", "http")
        self._prefix = service and f"{service}:"
        self._seqid = 0
        self._plan: Any = None
        self._codec: Any = None
        self._called = ""
        self._kind = _CALL
        self.headers: dict[str, str] = {}

    def again(self, peer: str = "") -> None:
        """There is a new connection, to this address: what was heard on the last one is forgotten."""
        self._transport = caller(self._dialect, self.max_frame, self._path, peer)

    def over(self) -> bool:
        """Is the connection for no further call?"""
        return self._transport.last

    def called(self, plan: MethodPlan) -> str:
        """What a method is called on the wire: ``add``, ``Calculator:add``."""
        return self._prefix + plan.name if self._prefix else plan.name

    def call(self, plan: MethodPlan, args: Sequence[Any], infos: dict[str, str] | None) -> bytes:
        """The bytes of a call; ``infos`` go along, with those around it, where there is a place. Raises EncodeError."""
        transport = self._transport
        if plan is not self._plan:
            self._turn_to(plan)
        if infos is not None:
            infos = beside(infos)
        self._seqid = 1 if self._seqid == _MOST else self._seqid + 1
        header = transport.ask(self._called, self._kind, self._seqid)
        sink = transport.wrap(header, self._codec.put_call(header, args), infos)
        assert sink is not None
        made: bytes = finish(sink)
        return made

    def measure(self, data: bytes | bytearray) -> int:
        """The bytes of the reply that ``data`` begins with; 0 when it is not whole.

        ``data`` has grown since the last time. Raises TransportError for what is no reply.
        """
        size = self._transport.measure(data, True)
        if size < 0:
            raise TransportError(self._wrong(bytes(data[:_START])))
        return size

    def closed(self, data: bytes | bytearray) -> bool:
        """Is ``data`` a whole reply now that the connection has ended?"""
        transport: Any = self._transport
        return self._http and transport.closed(data)

    def claimed(self, data: bytes | bytearray) -> int:
        """How many bytes a reply says that it has, which begins so; 0 when it does not say, or not yet."""
        return int.from_bytes(data[:4], "big") if len(data) >= 4 and self._framed else 0

    def reply(self, message: bytes) -> Any:
        """The result in a whole reply; raises what is in it instead, WireError when it is none to the call."""
        transport = self._transport
        transport.advance()
        try:
            header = transport.open(message)
        except WireError as error:
            raise WireError(f"cannot read the reply: {error}{self.hint(message)}") from None
        try:
            self._check(header)
            codec = self._codec
            if header.protocol is not transport.protocol:
                protocol = header.protocol
                codec = protocol.codec_of(self._plan)
            return codec.take_reply(header)
        except WireError as error:
            raise WireError(f"cannot read the reply: {error}") from None

    def hint(self, start: bytes | bytearray) -> str:
        """What to change where an answer that begins so is in another dialect; empty when it is in none, or in ours."""
        other = seems(bytes(start[:_START]))
        if not other or other == self._transport.name:
            return ""
        return f"; it seems to be {other}: give the client dialect={other!r}"

    def _turn_to(self, plan: MethodPlan) -> None:
        """What is to be known of a method, for as many calls of it as come one after the other."""
        self._codec = self._transport.protocol.codec_of(plan)
        self._called = self.called(plan)
        self._kind = _ONEWAY if plan.oneway else _CALL
        self._plan = plan

    def _check(self, header: Header) -> None:
        """Is it the reply to the call? Some servers answer with the name that was sent, some with the bare one."""
        if header.seqid != self._seqid:
            raise WireError(f"the reply to call {self._seqid} bears the number {header.seqid}")
        if header.name != self._called and header.kind == _REPLY and header.name != self._plan.name:
            raise WireError(f"the reply to {self._plan.name} is one to {header.name!r}")
        if header.infos or self.headers:
            self.headers = header.infos or {}
            heard(self.headers)

    def _wrong(self, start: bytes) -> str:
        """What an answer is that begins like this and is no reply."""
        size = int.from_bytes(start[:4], "big")
        if not self._framed:
            problem = f"the answer cannot be read as {self._transport.name}: {self._transport.refuse(start)}"
        elif self.max_frame < size < _TEXT:
            return (
                f"the reply has {size} bytes, more than this client's max_frame ({self.max_frame}); "
                "give it a larger one: Client(..., max_frame=), `thriftserver call --max-frame`"
            )
        else:
            problem = f"the answer starts with {start[:4]!r}, which is no length of a frame"
        if hint := self.hint(start):
            return problem + hint
        return f"{problem}; is it a {'framed ' if self._framed else ''}Thrift server?"
