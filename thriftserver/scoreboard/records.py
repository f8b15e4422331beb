"""What one reading of the scoreboard gives: methods, calls, errors and workers as plain values.

Nothing here touches the memory that they come from.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from thriftserver.scoreboard import layout

#: Seconds without a heartbeat after which a worker that serves is called stuck.
STUCK_AFTER = 3.0
_ALIVE = (layout.STATES[layout.SERVING], layout.STATES[layout.DRAINING])


class MethodStats(msgspec.Struct):
    """What is counted of one method. Durations are nanoseconds, from a frame's arrival to its reply."""

    service: str
    name: str
    outcomes: dict[str, int]
    declared: dict[str, int]
    """By the name of the declared exception."""
    duration: int = 0
    queued: int = 0
    request_bytes: int = 0
    reply_bytes: int = 0
    histogram: list[int] = []
    """Calls by ``layout.bucket`` of their duration."""

    @property
    def calls(self) -> int:
        return sum(self.outcomes.values())

    def add(self, other: MethodStats) -> None:
        """Take in the numbers of the same method of another worker."""
        for name, count in other.outcomes.items():
            self.outcomes[name] = self.outcomes.get(name, 0) + count
        for name, count in other.declared.items():
            self.declared[name] = self.declared.get(name, 0) + count
        self.duration += other.duration
        self.queued += other.queued
        self.request_bytes += other.request_bytes
        self.reply_bytes += other.reply_bytes
        self.histogram = [a + b for a, b in zip(self.histogram, other.histogram, strict=True)]


class CallInFlight(msgspec.Struct):
    """A call that was not answered when the slot was read. ``age`` is seconds since its frame arrived."""

    service: str
    method: str
    seqid: int
    peer: str
    bytes: int
    age: float


class RecentError(msgspec.Struct):
    """A call that went wrong, as its worker noted it. ``when`` is monotonic nanoseconds."""

    service: str
    method: str
    outcome: str
    error_id: str
    text: str
    when: int


class WorkerView(msgspec.Struct):
    """One slot at one moment. Times are monotonic nanoseconds."""

    number: int
    pid: int
    generation: int
    state: str
    born: int
    heartbeat: int
    connections: int
    inflight: int
    queued: int
    threads: int
    room: int
    """Connections that it holds at most; 0 while that is not known."""
    dialects: dict[str, int]
    """Connections by the dialect that they speak, of those that have said something."""
    counters: dict[str, int]
    queue: list[int]
    """Calls by ``layout.bucket`` of the time they waited."""
    methods: list[MethodStats]
    calls: list[CallInFlight] = []
    errors: list[RecentError] = []
    """The newest last."""

    def silence(self, now: int) -> float:
        """Seconds since the last heartbeat."""
        return max(now - self.heartbeat, 0) / 1e9

    def stuck(self, now: int) -> bool:
        """It should serve, and gives no sign of life."""
        return self.state in _ALIVE and self.silence(now) > STUCK_AFTER

    @property
    def full(self) -> bool:
        """It takes no more connections; new ones wait in the backlog."""
        return 0 < self.room <= self.connections


class TlsView(msgspec.Struct):
    """What the keeper has noted. ``expires`` is when the first certificate does, in seconds since 1970; 0: no TLS."""

    connections: int
    handshakes: int
    """Under way."""
    agreed: int
    resumed: int
    """Of these, those that went on with an earlier session."""
    expires: int
    refused: dict[str, int]
    """Handshakes that came to nothing, by ``layout.TLS_REFUSALS``."""

    def summary(self, now: float) -> dict[str, int] | None:
        """What there is to say to people, at a time in seconds since 1970; None without TLS."""
        if not self.expires:
            return None
        return {
            "connections": self.connections,
            "handshakes": self.handshakes,
            "refused": sum(self.refused.values()),
            "expires_in_days": int((self.expires - now) // 86_400),
        }


def needed(wanted: int) -> int:
    """Workers that must serve for the service to be ready: half of those that are wanted, and one at least."""
    return max((wanted + 1) // 2, 1)


def spoken(workers: Sequence[WorkerView], past: WorkerView) -> dict[str, dict[str, int]]:
    """Every dialect with its ``connections`` now and its ``calls`` ever, those of dead workers included."""
    return {
        name: {
            "connections": sum(worker.dialects[name] for worker in workers),
            "calls": past.counters[counter] + sum(worker.counters[counter] for worker in workers),
        }
        for name, counter in layout.SPOKEN.items()
    }
