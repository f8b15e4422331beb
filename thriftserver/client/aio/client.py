"""A client for asyncio, made from the same schema as the server: one connection, one call at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from thriftserver.client.aio.channel import Channel, Home
from thriftserver.client.aio.turns import Turns
from thriftserver.client.chosen import Conversation, Deadline
from thriftserver.client.connecting import tls_of
from thriftserver.client.methods import caller_class, coroutine, require_sense
from thriftserver.codec.plan import MethodPlan
from thriftserver.discovery.resolvers import resolver_of
from thriftserver.errors import TransportError
from thriftserver.schema.model import Service
from thriftserver.wire import MAX_FRAME

if TYPE_CHECKING:
    import ssl

    from thriftserver.client.tls import Tls


class AsyncClient:
    """A connection to a service, for coroutines. Made by ``api.Service.AsyncClient(host, port)``.

    It takes what ``Client`` takes, and its methods are awaited. It connects at the first call, or at the beginning of
    ``async with``. ``aclose`` is the service's where it has such a method (``async with`` closes then).

    Tasks of one loop may share it: their calls go one after the other, in the order in which they were made, each
    within its own time, waiting included. A call that is cancelled while it waits for its turn leaves no trace; one
    that is cancelled later closes the connection, as every TransportError does, and the next call makes a new one.
    """

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
        self.__conversation__ = Conversation(dialect, max_frame, service, path)
        self.__channel__ = Channel(resolver_of(host, port), self.__conversation__, keepalive or 0.0, tls_of(tls))
        self.__timeout__ = timeout
        self.__turns__ = Turns(1)
        self.__home__ = Home()

    async def __aenter__(self) -> Self:
        deadline, turns = Deadline(self.__timeout__), self.__begin__()
        if not turns.at_once():
            await _wait(turns, deadline)
        try:
            await self.__channel__.ready(deadline)
        finally:
            turns.pass_on()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.__close__()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__channel__.peer}>"

    async def __close__(self) -> None:
        self.__begin__().dismiss(lambda: TransportError("the client was closed while waiting for its turn"))
        await self.__channel__.aclose()

    def __begin__(self) -> Turns:
        """Whoever uses the connection takes one of these turns."""
        if self.__home__.moved(self):
            self.__channel__.close()
            self.__turns__ = Turns(1)
        return self.__turns__

    async def __invoke__(self, plan: MethodPlan, args: Sequence[Any]) -> Any:
        deadline = Deadline(self.__timeout__)
        turns = self.__begin__()
        if not turns.at_once():
            try:
                await _wait(turns, deadline)
            except TransportError as error:
                raise self.__channel__.told(plan, deadline, error) from None
        try:
            return await self.__channel__.call(plan, args, deadline)
        finally:
            turns.pass_on()


async def _wait(turns: Turns, deadline: Deadline) -> None:
    deadline.enter("queueing")
    if not await turns.wait(deadline.left()):
        raise deadline.passed()


def async_client_class(service: Service) -> type[AsyncClient]:
    """The asyncio client class of a service, with one coroutine method for each of the IDL's."""
    return caller_class(service, AsyncClient, "AsyncClient", {"aclose": "__close__"}, coroutine)
