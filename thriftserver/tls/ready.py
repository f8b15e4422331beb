"""What epoll has found, and the time; ``_tunnel.pxd`` has the C twins of all this."""

from __future__ import annotations

import select
import time

clock = time.monotonic
Found = list[tuple[int, int]]


def find(epoll: select.epoll, most: int, timeout: float) -> Found:
    """Wait for so many seconds until descriptors are ready; so many at the most."""
    return epoll.poll(timeout, most)


def found_count(found: Found) -> int:
    return len(found)


def found_fd(found: Found, index: int) -> int:
    return found[index][0]


def found_mask(found: Found, index: int) -> int:
    return found[index][1]
