"""What a pool counts, as plain values."""

from __future__ import annotations

import msgspec


class ServerStats(msgspec.Struct, frozen=True):
    """One server of a pool. ``state`` is ``well``, ``tried`` (just back), ``ejected`` or ``probed`` (is it back?).

    ``in_flight`` and ``idle`` are connections; ``calls`` are all attempts at it, ``failed`` those that were not
    answered, ``shed`` those that it had no time for, and ``ejections`` how often it was left out.
    """

    address: str
    state: str
    in_flight: int
    idle: int
    calls: int
    failed: int
    shed: int
    ejections: int


class PoolStats(msgspec.Struct, frozen=True):
    """A pool, since it was made.

    ``repeated`` attempts were made because another had failed, ``hedged`` ones because another took long, and
    ``hedges_won`` of these were faster. ``unpaid`` calls had failed and could have been made again, but
    for too many others; ``queued`` ones waited because ``size`` others were under way. ``opened`` are connections.
    """

    calls: int
    repeated: int
    hedged: int
    hedges_won: int
    unpaid: int
    queued: int
    opened: int
    servers: tuple[ServerStats, ...]
