"""Thrift in HTTP POST requests, as Apache's THttpClient and the JavaScript client send it: ``--http``.

h11 knows HTTP; what is Thrift of it is here: which protocol a body is in, what a call is answered with, whose pages may
call. Nothing here touches a socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h11

from thriftserver.codec.protocols import protocol
from thriftserver.compiled import choose
from thriftserver.dialect.recognise import Refusal
from thriftserver.dialect.verdict import BROKEN, MORE
from thriftserver.errors import EncodeError, WireError
from thriftserver.foreign import text_of

if TYPE_CHECKING:
    from thriftserver.codec.header import Header
    from thriftserver.codec.memory import Sink, finish, new_source, sink_of
    from thriftserver.codec.protocol import Protocol
    from thriftserver.dialect.transport import Transport
else:
    Transport = choose("dialect.transport").Transport
    _memory = choose("codec.memory")
    finish, new_source, sink_of = _memory.finish, _memory.new_source, _memory.sink_of

#: Content types, and the protocols that they name; other types leave it to the first byte.
_TYPES = {
    b"application/vnd.apache.thrift.binary": "binary",
    b"application/vnd.apache.thrift.compact": "compact",
    b"application/vnd.apache.thrift.json": "tjson",
    b"application/json": "tjson",
}
_PLAIN = b"application/x-thrift"
#: How the request of a client begins that asks for no path, as Apache's in C++ does unless it is told one.
_NOWHERE = b"POST  HTTP/"
_METHODS = b"POST, OPTIONS"
#: Header fields that tell more than a plain call does.
_TELLING = frozenset({b"connection", b"expect", b"transfer-encoding", b"upgrade"})
#: Bytes of a request's head, and of one chunk's.
_MOST_HEAD = 65_536


#: Bytes of a head that is remembered, and how many heads are.
_SHORT, _KEPT = 2048, 256


class Head:
    """The head of a plain call, as h11 has read it, and of its answer, as h11 has written it up to the length.

    A client sends the same head with every call of one size, and h11 takes ten times as long for it as the call does.
    So one that comes again, byte for byte, is not read again; h11's connection stands between requests meanwhile.
    """

    __slots__ = ("answer", "infos", "key", "protocol", "request", "size", "whole")

    def __init__(self, key: tuple[bytes, bytes], request: Any, size: int, whole: int) -> None:
        self.key = key
        self.request = request
        self.infos = _infos(request)
        self.protocol = _TYPES.get(_kind(request), "")
        #: Bytes of the head, and with its body.
        self.size = size
        self.whole = whole
        self.answer = b""


#: Those whose answers have been written, by the head's bytes and by who may call from pages.
_heads: dict[tuple[bytes, bytes], Head] = {}


class Http(Transport):
    """One connection. A request is handed on when it is whole; h11 is asked for the next when this one is answered."""

    def __init__(self, name: str, number: int, first: Protocol, limit: int, cors: str) -> None:
        super().__init__(name, number, first, limit)
        self.serial = True
        self.cors = cors.encode()
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MOST_HEAD)
        self.fed = 0
        self.found = 0
        self.request: Any = None
        self.body = bytearray()
        self.problem: Refusal | None = None
        #: The request that is being answered: its head and content.
        self.current: tuple[Any, bytes] = (None, b"")
        #: What is remembered of the request that was measured, and of the one that is being answered; and the head of
        #: the latter if it may be remembered with its answer.
        self.head: Head | None = None
        self.known: Head | None = None
        self.fresh: Head | None = None

    def measure(self, data: Any, ended: bool) -> int:
        if self.found > 0:
            return self.found
        if self.problem is not None:  # asked again: h11 would go on behind what has been answered already
            return BROKEN
        size = len(data)
        if self.fed == 0:
            if size < len(_NOWHERE) and not ended:
                return MORE
            self.head = self._remembered(data)
            if self.head is not None:
                self.found = self.head.whole if size >= self.head.whole else MORE
                return self.found
        try:
            if size > self.fed:
                fresh = bytes(data[self.fed :])
                if self.fed == 0 and fresh.startswith(_NOWHERE):
                    fresh = b"POST /" + fresh[5:]
                self.http.receive_data(fresh)
                self.fed = size
            whole = self._look(size)
            if whole > 0:
                self._remember(data, whole)
            return whole
        except h11.RemoteProtocolError as error:
            self._break(error.error_status_hint, f"bad HTTP: {error}")
            return BROKEN

    def _look(self, size: int) -> int:
        while True:
            event = self.http.next_event()
            if event is h11.NEED_DATA:
                if self.http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    self.interim = self.http.send(go_on) or b""
                return MORE
            if event is h11.PAUSED:
                return MORE
            if isinstance(event, h11.Request):
                self.request = event
                if int(_field(event, b"content-length") or 0) > self.limit:
                    return self._oversize()
            elif isinstance(event, h11.Data):
                self.body += event.data
                if len(self.body) > self.limit:
                    return self._oversize()
            elif isinstance(event, h11.EndOfMessage):
                self.found = size - len(self.http.trailing_data[0])
                return self.found

    def _remembered(self, data: Any) -> Head | None:
        end = data.find(b"\r\n\r\n", 0, _SHORT) + 4
        head = _heads.get((bytes(data[:end]), self.cors)) if end > 4 else None
        return head if head is not None and head.whole - head.size <= self.limit else None

    def _remember(self, data: Any, whole: int) -> None:
        """What is a plain call, with nothing in its head but what every one of them has."""
        end = data.find(b"\r\n\r\n", 0, _SHORT) + 4
        request = self.request
        names = {name for name, _ in request.headers}
        plain = request.method == b"POST" and request.http_version == b"1.1" and b"content-length" in names
        if plain and end > 4 and whole == end + len(self.body) and not names & _TELLING:
            self.fresh = Head((bytes(data[:end]), self.cors), request, end, whole)

    def _oversize(self) -> int:
        self._break(413, f"a request of more than max-frame ({self.limit}) bytes")
        return BROKEN

    def advance(self) -> None:
        self.known = self.head
        self.head = None
        if self.known is not None:  # h11 has not seen it
            self.found = 0
            self.fresh = None
            return
        self.current = (self.request, bytes(self.body))
        self.fed -= self.found
        self.found = 0
        self.request = None
        self.body.clear()

    def open(self, data: bytes) -> Header:
        known = self.known
        if known is not None:
            request, body = known.request, data[known.size :]
            infos, kind = dict(known.infos), known.protocol
        else:
            request, body = self.current
            closing = b"close" in _field(request, b"connection").lower()
            self.last = closing or self.http.their_state is h11.MUST_CLOSE
            if request.method != b"POST":
                raise self._other(request)
            infos, kind = _infos(request), _TYPES.get(_kind(request), "")
        try:
            header = protocol(kind or _guess(body)).take_header(new_source(body, 0))
        except WireError as error:
            raise self._unreadable(error) from None
        header.infos = infos
        header.packing = request
        return header

    def _unreadable(self, error: WireError) -> Refusal:
        self._break(400, f"the body is no Thrift message: {error}")
        assert self.problem is not None
        return self.problem

    def wrap(self, header: Header, reply: Sink | None, infos: Any) -> Sink | None:
        content = b"" if reply is None else finish(reply)
        known = self.known
        if known is not None and not infos:
            return sink_of(b"%s%d\r\n\r\n%s" % (known.answer, len(content), content))
        request = header.packing
        kind = _kind(request)
        headers = [(b"content-type", kind if kind in _TYPES else _PLAIN), *self._allowed(request)]
        headers += [_header(name, value) for name, value in (infos or {}).items()]
        if self.last:
            headers.append((b"connection", b"close"))
        if known is not None:  # h11 has not seen the request, so another one writes the answer
            return sink_of(self._response(200, headers, content, h11.Connection(h11.SERVER)))
        made = self._response(200, headers, content)
        self._next()
        fresh, self.fresh = self.fresh, None
        if fresh is not None and not infos and not self.last:
            fresh.answer = made[: made.index(b"\r\n\r\n") - len(str(len(content)))]
            if len(_heads) >= _KEPT:
                _heads.clear()
            _heads[fresh.key] = fresh
        return sink_of(made)

    def refuse(self, start: bytes) -> Refusal:
        return self.problem or Refusal("bad HTTP")

    def peek(self, start: bytes) -> None:
        return None

    def _next(self) -> None:
        """Be ready for the next request, unless the connection ends with this one."""
        if self.http.our_state is h11.DONE and self.http.their_state is h11.DONE:
            self.http.start_next_cycle()
        else:
            self.last = True

    def _other(self, request: Any) -> Refusal:
        """What is no call: the question of a browser whether a page may make one, or a person who looks."""
        asked = request.method == b"OPTIONS"
        allowed = self._allowed(request)
        if asked and allowed:
            wanted = _field(request, b"access-control-request-headers") or b"content-type"
            headers = [
                (b"access-control-allow-methods", _METHODS),
                (b"access-control-allow-headers", wanted),
                (b"access-control-max-age", b"86400"),
            ]
            problem = Refusal("a browser asks whether its page may call")
            problem.quiet = True
            problem.answer = self._response(204, [*allowed, *headers, (b"connection", b"close")], b"")
            return problem
        self._break(405, f"{text_of(request.method.decode('latin-1'))} is no call; POST is", [(b"allow", _METHODS)])
        assert self.problem is not None
        return self.problem

    def _allowed(self, request: Any) -> list[tuple[bytes, bytes]]:
        """What tells a browser that a page of another origin may read the answer."""
        origin = _field(request, b"origin")
        if not origin or not self.cors or self.cors not in (b"*", origin):
            return []
        return [(b"access-control-allow-origin", self.cors), (b"vary", b"origin")]

    def _break(self, status: int, message: str, headers: Any = ()) -> None:
        self.problem = Refusal(message)
        content = (message + "\n").encode()
        fields = [*headers, (b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        if self.http.our_state is h11.MUST_CLOSE:
            self.http = h11.Connection(h11.SERVER)  # that one says nothing more to who breaks the rules
        self.problem.answer = self._response(status, fields, content)

    def _response(self, status: int, headers: Any, content: bytes, by: Any = None) -> bytes:
        http = by or self.http
        try:
            length = [] if status == 204 else [(b"content-length", str(len(content)).encode())]
            made = http.send(h11.Response(status_code=status, headers=[*headers, *length])) or b""
            if content and self.request_has_body(status):
                made += http.send(h11.Data(data=content)) or b""
            return made + (http.send(h11.EndOfMessage()) or b"")
        except h11.LocalProtocolError as error:
            raise EncodeError(f"this is no HTTP: {error}") from None

    def request_has_body(self, status: int) -> bool:
        """A reply to HEAD has none."""
        return getattr(self.current[0], "method", b"") != b"HEAD"


def _field(request: Any, name: bytes) -> bytes:
    return next((value for field, value in request.headers if field == name), b"")


def _infos(request: Any) -> dict[str, str]:
    """Header fields as handlers see them."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}


def _kind(request: Any) -> bytes:
    """The content type, without what may follow it."""
    return _field(request, b"content-type").partition(b";")[0].strip().lower()


def _guess(body: bytes) -> str:
    """The protocol of a message by its first byte."""
    return "compact" if body[:1] == b"\x82" else "tjson" if body.lstrip()[:1] == b"[" else "binary"


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    return str(name).encode("latin-1", "replace"), str(value).encode("latin-1", "replace")
