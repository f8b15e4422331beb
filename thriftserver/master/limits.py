"""What the system allows this service, held against what its settings promise: told before it is missed.

It reads and warns; it changes no limit.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator

from thriftserver.config import Settings

#: Descriptors of a worker beside its connections: listeners, queues, the log, epoll, files of the standard library.
OWN = 32


def doubts(settings: Settings) -> Iterator[tuple[str, dict[str, object]]]:
    """What cannot be kept with the limits in force: events for the log, with their facts."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_connections + OWN
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        advice = (
            f"a worker may open {allowed} files, too few for {settings.max_connections} connections: "
            f"raise the limit to {needed} or more (ulimit -n, LimitNOFILE=), or lower --max-connections"
        )
        facts: dict[str, object] = {"limit": allowed, "max_connections": settings.max_connections}
        yield "descriptor_limit_low", facts | {"advice": advice}


def too_small(settings: Settings, held: int) -> dict[str, object] | None:
    """What is wrong with ``--max-rss`` when a worker that has just become ready holds so many bytes."""
    if not settings.max_rss or held <= settings.max_rss:
        return None
    advice = (
        f"a worker has {held >> 20} MiB when it starts, so each one is replaced at once: "
        f"raise --max-rss well above that"
    )
    return {"max_rss": settings.max_rss, "rss": held, "advice": advice}
