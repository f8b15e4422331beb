"""Why a worker has ended: one of ``layout.EXITS``, from what the master knew of it and how the kernel says it ended.

Counted for metrics and logged; what follows from a death is ``policy``'s to decide.
"""

from __future__ import annotations

import signal

from thriftserver.master.events import Worker
from thriftserver.scoreboard.layout import EXITS

#: Ends that nobody has asked for.
UNASKED = ("hung", "boot_timeout", "boot_failed", "killed", "crashed", "exited")


def reason(worker: Worker | None, code: int, stopping: bool) -> str:
    """``code`` is the exit code, or minus the signal; ``stopping``: the service is.

    ``killed`` is a KILL that was not ours: the kernel's, when memory is short, or an administrator's.
    """
    if worker is None:
        return "exited"
    if worker.hung:
        return "hung"
    told = worker.retiring or stopping
    if code == -signal.SIGKILL:
        if worker.deadline != float("inf"):  # while a deadline is ahead, the master has not killed it
            return "killed"
        return "overdue" if told else "killed" if worker.ready else "boot_timeout"
    if code < 0:
        return "crashed"
    if code:
        return "exited" if worker.ready else "boot_failed"
    if worker.spent in EXITS:
        return worker.spent
    if told:
        return "stopped" if stopping else "retired"
    return "exited" if worker.ready else "boot_failed"
