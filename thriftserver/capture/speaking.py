"""Messages as they were recorded, sent again in the dialect that they came in, byte by byte the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from thriftserver import wire
from thriftserver.client.chosen import Deadline
from thriftserver.client.connecting import connect
from thriftserver.client.line import Line
from thriftserver.compiled import choose
from thriftserver.dialect.caller import SPEAKABLE, caller
from thriftserver.discovery.resolvers import Resolver
from thriftserver.errors import TransportError, WireError

if TYPE_CHECKING:
    from thriftserver.client.tls import Tls
    from thriftserver.dialect.transport import Transport

_memory = choose("codec.memory")
finish, sink_of = _memory.finish, _memory.sink_of
#: Bytes to ask the kernel for.
INBOX = 1 << 16
#: Headers that belong to a connection, or to a moment, and not to a call.
_PASSING = frozenset(
    {"connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"}
    | {wire.TIMEOUT_HEADER}
)
_INSIDE = {"binary": "binary", "compact": "compact", "tjson": "json"}


class Place(NamedTuple):
    """A server: ``timeout`` is in seconds for each exchange, None for ever; ``path`` is what HTTP asks for."""

    where: Resolver
    timeout: float | None
    max_frame: int
    path: str
    tls: Tls | None


def spoken_in(dialect: str, protocol: str) -> str:
    """What a client has spoken, by the name that clients know it by."""
    inside = f"{dialect}-{_INSIDE[protocol]}"
    return inside if inside in SPEAKABLE else dialect


class Speaker:
    """One connection in one dialect, one exchange after the other; connected when it is needed."""

    def __init__(self, place: Place, dialect: str) -> None:
        self._place = place
        self._dialect = dialect
        self._framed = dialect.startswith("framed")
        self._line: Line | None = None
        self._transport: Transport | None = None

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def ask(self, header: Any, message: bytes, infos: dict[str, str] | None) -> Any:
        """Send a message that has this header; the header of the reply, its struct next; None for a oneway call.

        Raises TransportError, and WireError for what is no reply to it.
        """
        deadline = Deadline(self._place.timeout)
        try:
            line, transport = self._connected(deadline)
            line.send(self._packed(transport, header, message, infos), deadline.left())
            if header.kind == wire.ONEWAY:
                if transport.last:
                    self.close()
                return None
            reply = transport.open(self._received(line, transport, deadline))
            if reply.seqid != header.seqid:
                raise WireError(f"the reply answers call {reply.seqid}, not {header.seqid}")
        except TimeoutError:
            self.close()
            raise TransportError(f"no answer within {self._place.timeout:g} s") from None
        except OSError as error:
            self.close()
            raise TransportError(error.strerror or str(error)) from None
        except (TransportError, WireError):
            self.close()
            raise
        if transport.last:
            self.close()
        return reply

    def _connected(self, deadline: Deadline) -> tuple[Line, Transport]:
        if self._line is not None and not (self._line.usable() and self._line.quiet()):
            self.close()
        if self._line is None or self._transport is None:
            place = self._place
            address, self._line = connect(place.where, deadline, 0.0, place.tls)
            self._transport = caller(self._dialect, place.max_frame, place.path, str(address))
        return self._line, self._transport

    def _packed(self, transport: Transport, header: Any, message: bytes, infos: dict[str, str] | None) -> bytes:
        if self._framed:
            return len(message).to_bytes(4, "big") + message
        asked = transport.ask(header.name, header.kind, header.seqid)
        infos = {name: value for name, value in (infos or {}).items() if name.lower() not in _PASSING}
        packed: bytes = finish(transport.wrap(asked, sink_of(message), infos))
        return packed

    def _received(self, line: Line, transport: Transport, deadline: Deadline) -> bytes:
        held = bytearray()
        while True:
            data = line.receive(INBOX, deadline.left())
            if not data and not (hasattr(transport, "closed") and transport.closed(held)):
                raise TransportError("the server has closed the connection instead of answering")
            held += data
            size = transport.measure(held, not data)
            if size < 0:
                raise WireError(f"no reply: {transport.refuse(bytes(held[:16]))}")
            if size > 0:
                transport.advance()
                return bytes(held[:size])
