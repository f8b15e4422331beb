"""What pools have in common, whoever waits: what they take, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from thriftserver.client.chosen import Conversation, Held
from thriftserver.client.connecting import tls_of
from thriftserver.client.methods import require_sense
from thriftserver.client.pooling import PoolOptions
from thriftserver.discovery.resolvers import Fixed, resolver_of
from thriftserver.wire import MAX_FRAME

if TYPE_CHECKING:
    import ssl

    from thriftserver.client.balance import Endpoint
    from thriftserver.client.statistics import PoolStats
    from thriftserver.client.tls import Tls


class AnyPool:
    """Connections to the servers of a service; ``Pool`` says what the options are.

    Who derives from it says what its ``__parts__`` are.
    """

    __shell__: Any

    def __parts__(self) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Held]]:
        """What makes a shell out of (name, resolver, timeout, options, connection), a channel out of (resolver,
        conversation, keepalive, tls), and a connection out of (endpoint, channel, seconds for connecting).
        """
        raise NotImplementedError

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
        size: int = 64,
        wait: float | None = None,
        idle: float = 60.0,
        max_age: float = 600.0,
        connect_timeout: float = 1.0,
        attempt_timeout: float | None = None,
        retries: float = 0.2,
        hedge: float | None = None,
        eject_after: int = 5,
        eject_for: float = 1.0,
        refresh: float = 30.0,
    ) -> None:
        require_sense(timeout, max_frame, keepalive)
        options = PoolOptions(
            size=size,
            wait=wait,
            idle=idle,
            max_age=max_age,
            connect_timeout=connect_timeout,
            attempt_timeout=attempt_timeout,
            retries=retries,
            hedge=hedge,
            eject_after=eject_after,
            eject_for=eject_for,
            refresh=refresh,
        )
        Conversation(dialect, max_frame, service, path)  # raises for a dialect that is none
        terms = tls_of(tls)
        shell, make_channel, make_connection = self.__parts__()

        def connection(endpoint: Endpoint) -> Held:
            conversation = Conversation(dialect, max_frame, service, path)
            channel = make_channel(Fixed([endpoint.address]), conversation, keepalive or 0.0, terms)
            return make_connection(endpoint, channel, connect_timeout)

        self.__shell__ = shell(type(self).__name__, resolver_of(host, port), timeout, options, connection)

    def __repr__(self) -> str:
        servers = ", ".join(f"{each.address} ({each.state})" for each in self.__stats__().servers)
        return f"<{type(self).__name__} of {servers or 'no servers yet'}>"

    def __stats__(self) -> PoolStats:
        stats: PoolStats = self.__shell__.pooling.stats()
        return stats
