"""What is imported with the first look-up of a name: for processes that give up root before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress


def modules() -> Iterator[str]:
    """Names of modules of Python and gevent, that of the resolver among them which GEVENT_RESOLVER may name."""
    import gevent

    yield from ("encodings.idna", "gevent.resolver._addresses", "gevent.threadpool")
    with suppress(ImportError):  # it is none, or not installed, as whoever looks a name up will hear
        yield gevent.config.resolver.__module__
