"""A synchronous client made from the same schema as the server: one connection, one call at a time.

It waits in the standard library's sockets, so it works with and without gevent's patches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from thriftserver.client.chosen import Channel, Conversation, Deadline
from thriftserver.client.connecting import tls_of
from thriftserver.client.methods import caller_class, plain, require_sense
from thriftserver.codec.plan import MethodPlan
from thriftserver.discovery.resolvers import resolver_of
from thriftserver.schema.model import Service
from thriftserver.wire import MAX_FRAME

if TYPE_CHECKING:
    import ssl

    from thriftserver.client.tls import Tls


class Client:
    """A connection to a service. Made by ``api.Service.Client(host, port)``; usable as a context manager.

    ``host`` is a name or an address, ``host:port``, ``unix:/path``, a name to be resolved (``dns+srv://...``), or a
    list of such: a connection goes to one of them, and to the next where that fails. ``port`` is for those that name
    none. ``timeout`` is in seconds, for each call from its start to its answer, connecting included, and for connecting
    at first; None waits for ever, unless a ``thriftserver.deadline`` or the call that is being served ends before.
    ``max_frame`` is the largest reply to accept, in bytes. ``service`` is the name that a server of several services is
    to know this one by; without it, methods are called by their bare names. ``dialect`` is what the server is spoken to
    in, one of ``dialect.caller.SPEAKABLE``. ``keepalive`` is after how many seconds of silence the kernel asks whether
    the server is still there. ``path`` is what HTTP asks the server for. ``tls`` has all of it encrypted: True where a
    public authority vouches for the server, else a ``thriftserver.Tls`` that says who does, or an ``ssl.SSLContext``.

    Methods and arguments have the names of the IDL: nothing of ours has one that an IDL may use, but for ``close``, and
    that is the service's where it has such a method (``with`` closes then).

    Not to be shared between threads. After a TransportError the connection is closed; the next call makes a new one.
    """

    #: What is said on its connection; who wants to hear all of it derives a class from this one.
    __speech__: ClassVar[type[Conversation]] = Conversation

    def __init__(
        self,
        host: str | Sequence[str] = "localhost",
        port: int | None = None,
        *,
        timeout: float | None = None,
        max_frame: int = MAX_FRAME,
        service: str = "",
        dialect: str = "framed-binary",
        keepalive: float | None = None,
        path: str = "/",
        tls: bool | Tls | ssl.SSLContext | None = None,
    ) -> None:
        require_sense(timeout, max_frame, keepalive)
        self.__conversation__ = self.__speech__(dialect, max_frame, service, path)
        self.__channel__ = Channel(resolver_of(host, port), self.__conversation__, keepalive or 0.0, tls_of(tls))
        self.__timeout__ = timeout
        self.__channel__.ready(Deadline(timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.__close__()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__channel__.peer}>"

    def __close__(self) -> None:
        self.__channel__.close()

    def __invoke__(self, plan: MethodPlan, args: Sequence[Any]) -> Any:
        return self.__channel__.call(plan, args, Deadline(self.__timeout__))


def client_class(service: Service) -> type[Client]:
    """The client class of a service, with one method for each of the IDL's."""
    return caller_class(service, Client, "Client", {"close": "__close__"}, plain)
