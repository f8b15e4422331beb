"""What the system allows this service, held against what its settings promise: told before it is missed.

It reads and warns; it changes no limit.
"""

from __future__ import annotations

import resource

from thriftserver.config import OPTIONS, Settings
from thriftserver.log import Logger

#: Descriptors of a worker beside its connections: listeners, queues, the log, epoll, files of the standard library.
OWN = 32
#: CAP_SYS_ADMIN, CAP_SYS_RESOURCE.
_ADMINISTER = 1 << 21 | 1 << 24


def warn(settings: Settings, log: Logger) -> None:
    """Say what cannot be kept with the limits in force."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_connections + OWN
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        advice = (
            f"a worker may open {allowed} files, too few for {settings.max_connections} connections: "
            f"raise the limit to {needed} or more (ulimit -n, LimitNOFILE=), or lower --max-connections"
        )
        facts = {"limit": allowed, "max_connections": settings.max_connections}
        log.warning("descriptor_limit_low", **facts, advice=advice)


def under_way() -> int | None:
    """How many descriptors this user may have under way between processes; None: any number.

    The kernel lets nobody have more of them there than open, but for who may administer the system.
    """
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if _capabilities() & _ADMINISTER or allowed == resource.RLIM_INFINITY else allowed


def _capabilities() -> int:
    with open("/proc/self/status") as file:
        return next((int(line.split()[1], 16) for line in file if line.startswith("CapEff:")), 0)


def weigh(settings: Settings, held: int, log: Logger) -> None:
    """Say so when ``--max-rss`` is less than the bytes that a worker holds which has just become ready."""
    if settings.max_rss and held > settings.max_rss:
        advice = (
            f"a worker has {held >> 20} MiB when it starts, so each one is replaced at once: "
            f"raise --max-rss well above that"
        )
        log.warning("max_rss_low", max_rss=settings.max_rss, rss=held, advice=advice)


def fixed(settings: Settings, running: Settings) -> list[str]:
    """The options that have changed since a master began to run with them, and that no reload brings into force."""
    kept = (row.name for row in OPTIONS if not row.reloadable)
    changed = [name for name in kept if getattr(settings, name) != getattr(running, name)]
    # Other certificates are taken; whether there are any decides who accepts connections.
    return [*changed, *(["certfile"] if bool(settings.certfile) != bool(running.certfile) else [])]
