"""What a connection of another library becomes: clients of ours to one server, made when they are first needed.

There the protocol is chosen after the connection is open, and several services may take turns on one. Here each
protocol and each name of a service has a client, and with it a connection, of its own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from thriftserver.client.deadline import limit
from thriftserver.client.headers import headers
from thriftserver.client.limit import deadline
from thriftserver.client.methods import caller_class, plain
from thriftserver.client.sync import Client
from thriftserver.codec.plan import MethodPlan
from thriftserver.compat.faults import TApplicationException, TProtocolException, TTransportException, fault
from thriftserver.errors import ApplicationError, EncodeError, TransportError
from thriftserver.schema.model import Service
from thriftserver.wire import MAX_FRAME

if TYPE_CHECKING:
    from thriftserver.client.tls import Tls

#: A dialect, the name of a service or none, and the largest reply.
Way = tuple[str, str, int]


class Link:
    """One server at ``host`` and ``port``, or at the path ``unix``; ``opened`` is what its user has asked for last.

    ``timeout`` is in seconds, for each call as a whole; ``connect_timeout`` for connecting alone. None is for ever.
    ``raw`` is that of ``faults.fault``.
    """

    def __init__(self, host: str | None, port: int | None, unix: str | None, raw: bool) -> None:
        if not unix and not host:
            raise ValueError("there must be a host, or the path of a unix socket")
        self.opened = False
        self.timeout: float | None = None
        self.connect_timeout: float | None = None
        self.keepalive: float | None = None
        self.tls: Tls | None = None
        #: What HTTP asks for, and what goes along with each request.
        self.path = "/"
        self.headers: dict[str, str] = {}
        self._host = f"unix:{unix}" if unix else host or ""
        self._port = None if unix else port
        self._raw = raw
        #: What the latest protocol over it speaks.
        self._expected: Way | None = None
        #: What was connected before there was a protocol.
        self._guessed: Way | None = None
        self._clients: dict[Way, Client] = {}

    def expect(self, way: Way) -> None:
        """There is a protocol over it, which speaks so."""
        self._expected = way

    def open(self, guess: Way) -> None:
        """Connect, so that a server that is not there is found out now. Raises TTransportException.

        ``guess`` is what will be spoken if there is no protocol yet.
        """
        if self.opened:
            raise TTransportException(TTransportException.ALREADY_OPEN, "already open")
        way = self._expected or guess
        self._client(way)
        self._guessed = way
        self.opened = True

    def close(self) -> None:
        self.opened = False
        self._guessed = None
        while self._clients:
            self._clients.popitem()[1].__close__()

    def invoke(self, way: Way, plan: MethodPlan, args: Sequence[Any]) -> Any:
        """One call. Raises what its own library's client would, or something that is caught as that."""
        if not self.opened:
            raise TTransportException(TTransportException.NOT_OPEN, "Transport not open")
        if self._guessed not in (None, way):
            # A server that takes one connection at a time would never come to the right one.
            self._clients.pop(self._guessed).__close__()
        self._guessed = None
        client = self._client(way)
        with _within(self.timeout), headers(self.headers):
            try:
                return client.__invoke__(plan, args)
            except ApplicationError as error:
                raise TApplicationException(error.type, error.message) from None
            except EncodeError as error:
                raise TProtocolException(TProtocolException.INVALID_DATA, str(error)) from error
            except TransportError as error:
                raise fault(error, _over(), self._raw) from error

    def _client(self, way: Way) -> Client:
        client = self._clients.get(way)
        if client is None:
            dialect, service, most = way
            with _within(self.connect_timeout):
                try:
                    client = Client(
                        self._host,
                        self._port,
                        dialect=dialect,
                        service=service,
                        max_frame=most,
                        keepalive=self.keepalive,
                        path=self.path,
                        tls=self.tls,
                    )
                except TransportError as error:
                    raise fault(error, _over(), self._raw) from error
            self._clients[way] = client
        return client


class Part:
    """What stands around a connection: a socket, or a transport around one, up to a protocol."""

    def __init__(self, link: Link, packing: str = "unframed", most: int = MAX_FRAME) -> None:
        self.link = link
        self.packing = packing
        self.most = most

    def setTimeout(self, ms: float | None) -> None:
        """In milliseconds, for connecting and for each call as a whole, from the next one on; none for 0 or None."""
        self.link.timeout = self.link.connect_timeout = ms / 1000 if ms and ms > 0 else None

    set_timeout = setTimeout

    def way(self, inside: str = "binary", service: str = "") -> Way:
        """How a protocol over this one speaks: in which dialect, to which service."""
        return (f"{self.packing}-{inside}", service, self.most)

    def open(self) -> None:
        """Connect. Raises TTransportException where that fails, or has been done."""
        self.link.open(self.way())

    def close(self) -> None:
        self.link.close()

    def isOpen(self) -> bool:
        """Has it been opened, and not closed since? A connection that the server has ended is made anew by a call."""
        return self.link.opened

    is_open = isOpen


class Caller:
    """A service over a protocol; classes derived from it have the methods of the IDL."""

    def __init__(self, iprot: Any, oprot: Any = None) -> None:
        self._iprot = iprot
        if oprot not in (None, iprot):
            raise ValueError("requests and replies go over one connection: give the client one protocol")

    def __invoke__(self, plan: MethodPlan, args: Sequence[Any]) -> Any:
        return self._iprot.trans.link.invoke(self._iprot.way, plan, args)

    def __close__(self) -> None:
        self._iprot.trans.close()


def over_protocol(service: Service) -> type[Caller]:
    """The class of a service's clients that take a protocol."""
    return caller_class(service, Caller, "Client", {"close": "__close__"}, plain)


def _within(seconds: float | None) -> AbstractContextManager[None]:
    return deadline(seconds) if seconds else nullcontext()


def _over() -> bool:
    """Is the time over for calls that are made here?"""
    end = limit()
    return end is not None and time.monotonic() >= end
