"""What a worker may come to import while it serves, by name: for one that gives up root, and imports it before.

With that comes what ``thriftserver.lookups`` names.
"""

from __future__ import annotations

from thriftserver.compiled import name_of

LATER = (
    # with the first coroutine
    "asyncio",
    # with the first client that speaks so
    name_of("dialect.theader"),
    "thriftserver.dialect.http",
    # with the first call that a handler makes
    "thriftserver.client.aio.client",
    "thriftserver.client.aio.pool",
    "thriftserver.client.aio.secured",
    "thriftserver.client.pool",
    "thriftserver.client.secured",
    "thriftserver.client.sync",
    "thriftserver.dialect.http_caller",
    "thriftserver.discovery.dns",
    "thriftserver.discovery.following",
    name_of("worker.parking"),
    # when the master or a user asks for more than serving, or errs
    "difflib",
    "ipaddress",
    "thriftserver.capture.wanted",
    "thriftserver.worker.errands",
    "thriftserver.worker.imports",
    "thriftserver.worker.profiler",
    "thriftserver.worker.taps",
)
