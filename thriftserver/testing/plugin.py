"""pytest's plugin: the fixture ``thrift_server``, and the log of a ``thriftserver run`` in the report of a failed test.

pytest loads it in every run of who has installed thriftserver, so it imports nothing of ours until it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from thriftserver.testing.server import Server

_servers = pytest.StashKey[list[Any]]()


@pytest.fixture
def thrift_server(request: pytest.FixtureRequest) -> Iterator[Callable[..., Server]]:
    """Start a server: ``thrift_server("users.thrift", Users())`` has ``client``, ``host``, ``port``, ``address``.

    Arguments are those of ``thriftserver.testing.serve``. All servers end with the test, which fails when a call has
    failed that it has not seen.
    """
    from thriftserver.errors import ThriftServerError
    from thriftserver.testing import serve

    __tracebackhide__ = True
    servers = request.node.stash.setdefault(_servers, [])

    def start(idl: Any, handler: Any, **options: Any) -> Server:
        __tracebackhide__ = True
        try:
            server = serve(idl, handler, **options)
        except ThriftServerError as error:  # says it all; where in our code it was found helps nobody
            raise error.with_traceback(None) from None
        servers.append(server)
        running.push(server)
        return server

    running = ExitStack()
    yield start
    try:
        running.close()
    except AssertionError as error:
        if error.__cause__ is None:
            raise
        raise error.with_traceback(None) from error.__cause__  # whose traceback is the one that counts


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    outcome = yield
    report = outcome.get_result()
    for server in item.stash.get(_servers, []) if report.failed else ():
        if server.log:
            report.sections.append(("thriftserver log", server.log))
