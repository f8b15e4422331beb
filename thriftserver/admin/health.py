"""Whether the server can take work, and if not, why: a judgement on one reading, made anew each time."""

from __future__ import annotations

from dataclasses import dataclass

from thriftserver.admin.reading import Reading
from thriftserver.scoreboard.records import needed


@dataclass(frozen=True)
class Health:
    """``reasons`` are sentences for people: why it is not ready, or what is wrong though it is."""

    ready: bool
    serving: int
    reasons: tuple[str, ...]


def judge(reading: Reading) -> Health:
    """Ready means: at least half of the wanted workers serve and have a fresh heartbeat.

    One worker that crashes or hangs must not take the others' capacity out of a load balancer; most of them must. While
    the service rests nobody answers, so it is not ready.
    """
    reasons = []
    serving = 0
    for worker in reading.workers:
        if reading.stuck(worker):
            age = reading.silence(worker)
            reasons.append(f"worker {worker.number} (pid {worker.pid}) is stuck: no heartbeat for {age:.1f} s")
        elif worker.state == "serving":
            serving += 1
            if worker.full:
                who = f"worker {worker.number} (pid {worker.pid})"
                reasons.append(f"{who} is full: {worker.connections} connections; more wait for room")
    wanted = reading.wanted
    least = needed(wanted)
    if not wanted:
        reasons.insert(0, "the service rests: no worker is wanted until HUP or TTIN")
    elif serving < least:
        reasons.insert(0, f"{serving} of {wanted} workers serve; {least} are needed")
    elif serving < wanted:
        reasons.append(f"{serving} of {wanted} workers serve")
    return Health(bool(wanted) and serving >= least, serving, tuple(reasons))
