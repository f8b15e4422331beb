"""Both kinds of client behind one face, so that tests of what they have in common are written once.

``API = shells.either(thriftserver.load(...))`` and ``pytestmark = shells.BOTH`` run a module's tests with each.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, Self

import pytest
import uvloop

from tests.harness import PATIENCE

BOTH = pytest.mark.usefixtures("shell")
ONLY_SYNC = pytest.mark.parametrize("shell", ["Client"], indirect=True)
#: What makes the loops that tests run on; asyncio's own for None.
_FACTORIES = {"AsyncClient": None, "asyncio": None, "uvloop": uvloop.new_event_loop}
_kinds = ["Client"]
#: What the fixture ``run`` gives.
Run = Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]


@pytest.fixture(params=["Client", "AsyncClient", "uvloop"])
def shell(request: pytest.FixtureRequest) -> Iterator[str]:
    """Makes ``Client`` of what ``either`` gives one of the two, on asyncio's own loop or on libuv's; gives its name."""
    _kinds.append(request.param)
    yield request.param
    _kinds.pop()


def either(api: Any) -> Any:
    """A loaded IDL whose services have the kind of ``Client`` that is tested now."""
    return _Either(api)


class _Either:
    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        return _Either(found) if hasattr(found, "AsyncClient") else found

    def Pool(self, *args: Any, **options: Any) -> Any:
        if _kinds[-1] == "Client":
            return self._real.Pool(*args, **options)
        return _OnThread(lambda: self._real.AsyncPool(*args, **options))

    def Client(self, *args: Any, **options: Any) -> Any:
        if _kinds[-1] == "Client":
            return self._real.Client(*args, **options)
        return _Awaited(self._real.AsyncClient(*args, **options))


class _Awaited:
    """A loop of its own, which stands still between two calls: what arrives meanwhile it has not seen."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._runner = asyncio.Runner(loop_factory=_FACTORIES[_kinds[-1]])
        try:
            self._run(client.__aenter__())
        except BaseException:
            self._runner.close()
            raise

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(coroutine, context=copy_context())

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if inspect.iscoroutinefunction(found):
            return lambda *args, **kwargs: self._run(found(*args, **kwargs))
        return found

    def close(self) -> None:
        self._run(self._client.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._runner.close()


class _OnThread:
    """A pool in a loop that runs on a thread of its own; any thread may use it, and waits for the answer."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._loop = (_FACTORIES[_kinds[-1]] or asyncio.new_event_loop)()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        try:
            self._pool = self._run(lambda: make())
        except BaseException:
            self._end()
            raise

    def _run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What it gives in the loop, awaited if it can be."""
        ended: Future[Any] = Future()

        async def work() -> None:
            try:
                result = function(*args, **kwargs)
                ended.set_result(await result if inspect.isawaitable(result) else result)
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                ended.set_exception(error)

        context = copy_context()
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(work(), context=context))
        return ended.result(PATIENCE)

    def __getattr__(self, name: str) -> Any:
        if name == "close" and not hasattr(self._pool, name):  # else that is the service's
            name = "aclose"
        found = getattr(self._pool, name)
        return functools.wraps(found)(functools.partial(self._run, found)) if callable(found) else found

    def __repr__(self) -> str:
        return repr(self._pool).replace("AsyncPool", "Pool")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._run(self._pool.__close__)
        finally:
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine function on a new loop of each kind, and ends that."""

    def on_loop(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        with asyncio.Runner(loop_factory=_FACTORIES[request.param]) as runner:
            return runner.run(main())

    return on_loop
