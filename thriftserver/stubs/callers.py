"""The clients and pools that every service has, as stubs tell them: copies of what ``client.sync.Client`` and
``client.pool.Pool`` take. Those for asyncio take the same.

In braces stand names of Python's, which an IDL may have taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from thriftserver.stubs.names import Names
from thriftserver.stubs.text import block, docstring, function

#: Of ``Client.__init__``.
PARAMETERS: Final = (
    "self",
    "host: {str} | {Sequence}[{str}] = ...",
    "port: {int} | None = None",
    "*",
    "timeout: {float} | None = None",
    "max_frame: {int} = ...",
    "service: {str} = ...",
    "dialect: {str} = ...",
    "keepalive: {float} | None = None",
    "path: {str} = ...",
    "tls: {bool} | {Tls} | {SSLContext} | None = None",
)


#: Of ``Pool.__init__``.
POOL_PARAMETERS: Final = (
    *PARAMETERS,
    "size: {int} = ...",
    "wait: {float} | None = None",
    "idle: {float} = ...",
    "max_age: {float} = ...",
    "connect_timeout: {float} = ...",
    "attempt_timeout: {float} | None = None",
    "retries: {float} = ...",
    "hedge: {float} | None = None",
    "eject_after: {int} = ...",
    "eject_for: {float} = ...",
    "refresh: {float} = ...",
)


def client_lines(names: Names, taken: set[str]) -> list[str]:
    """The class of clients, whose methods of the IDL are those of ``_Calls``; ``taken`` are the names of these."""
    lines = docstring("A connection: one call at a time. Usable with `with`.")
    lines += _context(PARAMETERS, names)
    lines += _own("def close", "None", taken)
    return block("class Client(_Calls):", lines)


def async_client_lines(names: Names, taken: set[str]) -> list[str]:
    """The class of clients for asyncio, likewise; their methods are those of ``_AsyncCalls``."""
    lines = docstring("A connection: one call at a time, whichever tasks share it. Usable with `async with`.")
    lines += _async_context(PARAMETERS, names)
    lines += _own("async def aclose", "None", taken)
    return block("class AsyncClient(_AsyncCalls):", lines)


def pool_lines(names: Names, taken: set[str]) -> list[str]:
    """The class of pools."""
    lines = docstring("Connections to several servers, for any number of threads and greenlets. Usable with `with`.")
    lines += _context(POOL_PARAMETERS, names) + _stats(names, taken)
    lines += _own("def close", "None", taken)
    return block("class Pool(_Calls):", lines)


def async_pool_lines(names: Names, taken: set[str]) -> list[str]:
    """The class of pools for asyncio."""
    lines = docstring("Connections to several servers, for any number of tasks of a loop. Usable with `async with`.")
    lines += _async_context(POOL_PARAMETERS, names) + _stats(names, taken)
    lines += _own("async def aclose", "None", taken)
    return block("class AsyncPool(_AsyncCalls):", lines)


def _context(parameters: Sequence[str], names: Names) -> list[str]:
    """How one is made, and used with ``with``."""
    lines = function("def __init__", [each.format_map(names) for each in parameters], "None")
    lines += function("def __enter__", ["self"], names["Self"])
    return lines + function("def __exit__", ["self", f"*_: {names['object']}"], "None")


def _async_context(parameters: Sequence[str], names: Names) -> list[str]:
    lines = function("def __init__", [each.format_map(names) for each in parameters], "None")
    lines += function("async def __aenter__", ["self"], names["Self"])
    return lines + function("async def __aexit__", ["self", f"*_: {names['object']}"], "None")


def _stats(names: Names, taken: set[str]) -> list[str]:
    lines = function("def __stats__", ["self"], names["PoolStats"])
    return lines + _own("def stats", names["PoolStats"], taken)


def _own(head: str, result: str, taken: set[str]) -> list[str]:
    """A method of ours, unless the service has one of that name."""
    return [] if head.rpartition(" ")[2] in taken else function(head, ["self"], result)


#: Each gives one of the classes.
CALLERS: Final = (client_lines, pool_lines, async_client_lines, async_pool_lines)
