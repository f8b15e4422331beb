"""Calls that failed while a test ran: which exception was behind each, and whether the test has seen it.

A failure is what an operator would find in the log: an exception that the IDL does not declare, a result that does not
fit. It knows neither servers nor clients.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from thriftserver.foreign import class_name
from thriftserver.rpc.binding import describe

#: Seconds to wait for a failure that must come: that of a oneway, or one that another process tells.
PATIENCE = 10.0
#: Seconds that another process may take to tell a failure, after its caller was answered.
LAG = 2.0
#: What stands in the answer to a call that has failed.
_SIGNS = ("internal error, id ", " returned no result")


class RemoteError(Exception):
    """What a handler raised in another process: ``name`` is its class; the text is its traceback, as the log has it."""

    def __init__(self, name: str, line: str, traceback: str) -> None:
        super().__init__(f'\n"""\n{traceback}\n"""' if traceback else line)
        self.name = name
        self.line = line


class Failure(Struct, eq=False):
    """``method`` is ``Users.get``; ``told`` are texts of which one stands in what the caller was answered."""

    method: str
    error: BaseException
    told: tuple[str, ...]
    seen: bool = False

    def is_a(self, kind: type[BaseException]) -> bool:
        if isinstance(self.error, RemoteError):
            return kind in (Exception, BaseException) or self.error.name == kind.__name__
        return isinstance(self.error, kind)

    def __str__(self) -> str:
        error = self.error
        return f"{self.method}: {error.line if isinstance(error, RemoteError) else describe(error)}"


class Expected:
    """``value`` is the exception that a block was expected to bring about, once it is over."""

    value: BaseException


class Failures:
    """Told by threads of the server, asked by that of the test."""

    def __init__(self) -> None:
        self._all: list[Failure] = []
        self._news = threading.Condition()

    def add(self, failure: Failure) -> None:
        with self._news:
            self._all.append(failure)
            self._news.notify_all()

    def look(self) -> list[BaseException]:
        """What was raised so far; the test has seen it then."""
        with self._news:
            for each in self._all:
                each.seen = True
            return [each.error for each in self._all]

    def behind(self, raised: BaseException) -> Failure | None:
        """The failure that a caller was told of with what it has raised; None when it is about none."""
        text = str(raised)
        patience = LAG if any(sign in text for sign in _SIGNS) else 0.0
        found = self._wait(lambda each: any(told in text for told in each.told), 0, patience)
        return found[-1] if found else None

    @contextmanager
    def expected(self, kind: type[BaseException]) -> Iterator[Expected]:
        """A block in which a call must fail so; what its caller raises for that is caught."""
        before, expected = len(self._all), Expected()
        try:
            yield expected
        except Exception as raised:
            failure = self.behind(raised)
            if failure is None or not failure.is_a(kind):
                raise
        found = self._wait(lambda each: each.is_a(kind), before, PATIENCE)
        if not found:
            others = [f"but there was {each}" for each in self._all[before:]]
            raise AssertionError("\n  ".join((f"no call failed with {kind.__name__}", *others)))
        for each in found:
            each.seen = True
        expected.value = found[0].error

    def check(self) -> None:
        """Raise AssertionError when there are failures that the test has not seen."""
        unseen = [each for each in self._all if not each.seen]
        if not unseen:
            return
        first = unseen[0].error
        name = first.name if isinstance(first, RemoteError) else class_name(first)
        count = "a call failed" if len(unseen) == 1 else f"{len(unseen)} calls failed"
        text = f"{count}, and the test has not seen it; if that is meant: `with server.fails({name}):`"
        for each in unseen:
            each.seen = True
        cause = first if len(unseen) == 1 else BaseExceptionGroup("failed calls", [each.error for each in unseen])
        raise AssertionError("\n  ".join((text, *map(str, unseen)))) from cause

    def _wait(self, wanted: Callable[[Failure], bool], start: int, patience: float) -> list[Failure]:
        with self._news:
            return self._news.wait_for(lambda: list(filter(wanted, self._all[start:])), patience)
