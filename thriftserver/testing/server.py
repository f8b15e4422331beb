"""What a test holds: where the server listens, clients that are closed with it, and the calls that failed.

Whether it is in this process or another one is its ``Backend``'s business.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Protocol, Self

from thriftserver.client.sync import client_class
from thriftserver.closest import closest
from thriftserver.errors import ApplicationError, ConfigError
from thriftserver.schema.model import Service
from thriftserver.schema.names import aliases
from thriftserver.testing.failures import Expected, Failures

#: Seconds after which a client gives a call up, unless the test says otherwise: only to keep it from hanging for ever.
TIMEOUT = 30.0


class Backend(Protocol):
    """A server that listens. ``log`` is what it has written so far."""

    host: str
    port: int

    @property
    def log(self) -> str: ...

    def stop(self) -> None: ...


class Server:
    """A server with a ``client`` of its first service. What a handler raises is the cause of what the client raises.

    It ends with ``close``, or as a context manager; then calls must not have failed that the test has not seen.
    """

    def __init__(
        self, backend: Backend, services: Sequence[Service], failures: Failures, options: Mapping[str, Any]
    ) -> None:
        self._backend = backend
        self._failures = failures
        self._options = {"timeout": TIMEOUT, **options}
        self._services = {service.name: service for service in services}
        self._first = services[0].name
        self._open = ExitStack()
        self._open.callback(failures.check)
        self._open.callback(backend.stop)
        self.host = backend.host
        self.port = backend.port
        try:
            self.client = self.connect()
        except BaseException:
            backend.stop()
            raise

    @property
    def address(self) -> str:
        """As ``thriftserver call`` takes it: ``127.0.0.1:4711``."""
        return self.host if self.host.startswith("unix:") else f"{self.host}:{self.port}"

    @property
    def failures(self) -> list[BaseException]:
        """What failed calls of the handlers have raised so far. Whoever reads it has seen them.

        Exceptions that the IDL declares are answers and no failures.
        """
        return self._failures.look()

    @property
    def log(self) -> str:
        """What a ``thriftserver run`` has logged so far."""
        return self._backend.log

    def connect(self, service: str = "", **options: Any) -> Any:
        """Another client, of this service or the first one; it is closed with the server."""
        name = service or self._first
        if name not in self._services:
            close = closest(name, self._services)
            raise ConfigError(
                f"no service {name!r} is served" + (f"; did you mean {close!r}?" if close else f": {[*self._services]}")
            )
        if name != self._first:
            options = {"service": name, **options}
        made = self._class(name)(self.host, self.port, **(self._options | options))
        return self._open.enter_context(made)

    def fails(self, kind: type[BaseException] = Exception) -> AbstractContextManager[Expected]:
        """A block in which a call must fail with such an exception of the handler; its ``value`` is that.

        Catches what the call's client raises for it, and waits for a oneway, whose client hears of nothing.
        """
        return self._failures.expected(kind)

    def close(self) -> None:
        """Close the clients, serve what was received, stop. Raises AssertionError for failures nobody has seen."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            self.close()
        except AssertionError as problem:
            if error is None:
                raise
            error.add_note(str(problem))  # what the test itself has to say comes first

    def _class(self, name: str) -> Any:
        """The client's class, of which a method that raises says why."""
        base = client_class(self._services[name])
        names = {each.name for each in self._services[name].methods()}
        names |= aliases(names).keys()
        members = {name: self._explained(getattr(base, name)) for name in names}
        return type(base.__name__, (base,), members | {"__doc__": base.__doc__})

    def _explained(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            try:
                return method(*args, **kwargs)
            except ApplicationError as error:
                failure = self._failures.behind(error)
                if failure is None:
                    raise
                failure.seen = True
                raise error.with_traceback(None) from failure.error

        return call
