"""Thrift in HTTP POST requests, as a client sends them: Apache's THttpClient and others do the same.

h11 knows HTTP; what is Thrift of it is here. Nothing here touches a socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h11

from thriftserver.compiled import choose
from thriftserver.dialect.recognise import Refusal
from thriftserver.dialect.verdict import BROKEN, MORE
from thriftserver.errors import EncodeError, WireError
from thriftserver.wire import ONEWAY

if TYPE_CHECKING:
    from thriftserver.codec.header import Header
    from thriftserver.codec.memory import Sink, finish, new_source, sink_of
    from thriftserver.codec.protocol import Protocol
    from thriftserver.dialect.transport import Transport
else:
    Transport = choose("dialect.transport").Transport
    _memory = choose("codec.memory")
    finish, new_source, sink_of = _memory.finish, _memory.new_source, _memory.sink_of

#: Bytes of a response's head, and of one chunk's.
_MOST_HEAD = 65_536
#: Characters of an answer that is no Thrift which stand in an error.
_MOST_TOLD = 200
#: How each response begins.
_BEGINS = b"HTTP/"
#: Fields that say how a request is sent: nobody else's to set.
_OWN = frozenset({"connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"})
_FIELDS = {"content-type": "application/x-thrift", "accept": "application/x-thrift", "user-agent": "thriftserver"}


class HttpCaller(Transport):
    """One connection to ``host``, as the field Host has it; requests go to ``path``.

    ``last``: the server ends the connection with the response that was measured. So must the client after a oneway
    call: some servers answer it, and some, Apache's in C++ for one, say nothing.
    """

    def __init__(self, name: str, number: int, first: Protocol, limit: int, path: str, host: str) -> None:
        super().__init__(name, number, first, limit)
        self.target = path.encode()
        self.host = host
        self.http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD)
        self.fed = 0
        self.found = 0
        self.problem = ""
        self.response: Any = None
        self.body = bytearray()
        #: The response that is being read: its head and content.
        self.current: tuple[Any, bytes] = (None, b"")

    def wrap(self, header: Header, reply: Sink | None, infos: Any) -> Sink | None:
        assert reply is not None
        content = finish(reply)
        fields = dict(_FIELDS)
        for name, value in (infos or {}).items():
            if name.lower() in _OWN:
                raise EncodeError(f"the field {name!r} of an HTTP request is not for callers to set")
            fields[name.lower()] = value
        try:
            named = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
            lead = [(b"host", self.host.encode("idna" if not self.host.isascii() else "ascii"))]
            length = [(b"content-length", str(len(content)).encode())]
            request = h11.Request(method=b"POST", target=self.target, headers=[*lead, *named, *length])
        except (UnicodeError, h11.LocalProtocolError) as error:
            raise EncodeError(f"this is no HTTP: {error}") from None
        made = self.http.send(request) or b""
        made += self.http.send(h11.Data(data=content)) or b""
        made += self.http.send(h11.EndOfMessage()) or b""
        self.last = header.kind == ONEWAY
        return sink_of(made)

    def measure(self, data: Any, ended: bool) -> int:
        if self.found > 0:
            return self.found
        if self.problem:  # asked again
            return BROKEN
        size = len(data)
        if self.fed == 0 and not _BEGINS.startswith(bytes(data[: len(_BEGINS)])):
            self.problem = "bad HTTP: it begins in another way"
            return BROKEN
        try:
            if size > self.fed:
                self.http.receive_data(bytes(data[self.fed :]))
                self.fed = size
            return self._look(size)
        except h11.RemoteProtocolError as error:
            self.problem = f"bad HTTP: {error}"
            return BROKEN

    def closed(self, data: Any) -> bool:
        """A response without a length ends with the connection."""
        try:
            self.http.receive_data(b"")
            return self._look(len(data)) > 0
        except h11.RemoteProtocolError:
            return False

    def _look(self, size: int) -> int:
        while True:
            event = self.http.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED):
                return MORE
            if isinstance(event, h11.Response):
                self.response = event
                length = next((value for name, value in event.headers if name == b"content-length"), b"0")
                if int(length) > self.limit:
                    return self._oversize()
            elif isinstance(event, h11.Data):
                self.body += event.data
                if len(self.body) > self.limit:
                    return self._oversize()
            elif isinstance(event, h11.EndOfMessage):
                self.found = size - len(self.http.trailing_data[0])
                self.last = self.http.their_state is not h11.DONE or self.http.our_state is not h11.DONE
                return self.found
            elif isinstance(event, h11.ConnectionClosed):
                return MORE

    def _oversize(self) -> int:
        self.problem = f"the reply has more bytes than this client's max_frame ({self.limit})"
        return BROKEN

    def advance(self) -> None:
        self.current = (self.response, bytes(self.body))
        self.fed = self.found = 0
        self.response = None
        self.body.clear()
        if not self.last:
            self.http.start_next_cycle()

    def open(self, data: bytes) -> Header:
        response, body = self.current
        infos = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
        if not 200 <= response.status_code < 300:
            raise WireError(_told(response, infos, body))
        header = self.protocol.take_header(new_source(body, 0))
        header.infos = infos
        return header

    def refuse(self, start: bytes) -> Refusal:
        return Refusal(self.problem or "bad HTTP")


def _told(response: Any, infos: dict[str, str], body: bytes) -> str:
    """What a server says that is no answer to a call."""
    text = f"the server answers HTTP {response.status_code} {response.reason.decode('latin-1')}".rstrip()
    if 300 <= response.status_code < 400 and "location" in infos:
        return f"{text}, which leads to {infos['location'][:_MOST_TOLD]!r}"
    if infos.get("content-type", "").startswith("text/plain"):
        said = " ".join(body.decode("utf-8", "replace").split())
        return f"{text}: {said[:_MOST_TOLD]!r}" if said else text
    return text
