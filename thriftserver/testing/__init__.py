"""For tests of handlers: ``serve`` gives one a server and a client, ``plugin`` makes a fixture of it for pytest.

What ``serve`` needs is imported when it is called, so that pytest can load the plugin for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thriftserver.mocking.mock import Mock as Mock
    from thriftserver.testing.server import Server

__all__ = ["Mock", "serve"]


def serve(
    idl: Any,
    handler: Any,
    *,
    service: str = "",
    middleware: Sequence[Any] = (),
    options: Mapping[str, Any] | None = None,
    workers: int = 0,
    **client: Any,
) -> Server:
    """A server on a free port of 127.0.0.1, with a client: ``with serve("users.thrift", Users()) as server: ...``.

    ``idl`` is a path, what ``thriftserver.load`` gave, or a list of either. ``handler`` is an instance, a class, a
    module, ``"pkg.mod:name"``, or a ``Mock``; for several services a dict of those by the services' names. ``service``
    is the one to serve where the IDL has several. ``middleware`` are functions, classes, or their names. ``options``
    are those of ``thriftserver run``, by their names in a configuration file. Whatever else is given goes to the
    client.

    Without ``workers`` the server is in this process. With so many it is a ``thriftserver run``, which imports handler
    and middleware: they must stand in modules.

    Raises IdlError, HandlerError, ConfigError; StartFailed when ``thriftserver run`` ends instead of serving.
    """
    from thriftserver.testing.failures import Failures
    from thriftserver.testing.given import Given
    from thriftserver.testing.server import Backend, Server

    given = Given(idl, handler, service, middleware, options or {})
    failures = Failures()
    backend: Backend
    if workers:
        from thriftserver.testing.prefork import Prefork

        backend = Prefork(given, workers, failures)
    else:
        from thriftserver.testing.inprocess import InProcess

        backend = InProcess(given, failures)
    return Server(backend, given.services, failures, client)


def __getattr__(name: str) -> Any:
    if name == "Mock":
        from thriftserver.mocking.mock import Mock

        return Mock
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
