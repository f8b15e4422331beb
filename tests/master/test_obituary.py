"""Why a worker has ended: every way there is, as the master can know it."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from thriftserver.config import Settings
from thriftserver.log import Logger
from thriftserver.master import limits
from thriftserver.master.events import Worker
from thriftserver.master.obituary import reason
from thriftserver.scoreboard.layout import EXITS

NEVER = float("inf")


@pytest.mark.parametrize(
    ("facts", "code", "stopping", "expected"),
    [
        ({"ready": True, "retiring": True, "deadline": 9.0}, 0, False, "retired"),
        ({"ready": True, "retiring": True, "deadline": 9.0}, 0, True, "stopped"),
        ({"ready": True, "retiring": True, "spent": "drain"}, 0, False, "drain"),
        ({"ready": True, "retiring": True, "spent": "max_requests"}, 0, False, "max_requests"),
        ({"ready": True, "retiring": True, "spent": "max_rss"}, 0, False, "max_rss"),
        ({"ready": True, "hung": True}, -signal.SIGABRT, False, "hung"),
        ({"ready": True, "hung": True}, -signal.SIGKILL, False, "hung"),
        ({"ready": True, "retiring": True, "deadline": NEVER}, -signal.SIGKILL, False, "overdue"),
        ({"ready": True, "retiring": True, "deadline": NEVER}, -signal.SIGKILL, True, "overdue"),
        ({"ready": True, "retiring": True, "deadline": 9.0}, -signal.SIGKILL, False, "killed"),
        ({"ready": True}, -signal.SIGKILL, False, "killed"),
        ({"deadline": NEVER}, -signal.SIGKILL, False, "boot_timeout"),
        ({"deadline": 9.0}, -signal.SIGKILL, False, "killed"),
        ({"deadline": 9.0}, 4, False, "boot_failed"),
        ({"deadline": 9.0}, 0, False, "boot_failed"),
        ({"deadline": 9.0, "retiring": True}, 0, False, "retired"),
        ({"ready": True}, -signal.SIGSEGV, False, "crashed"),
        ({"ready": True, "spent": "max_rss"}, -signal.SIGSEGV, False, "crashed"),
        ({"ready": True}, 7, False, "exited"),
        ({"ready": True}, 0, False, "exited"),
    ],
)
def test_why_a_worker_has_ended(facts: dict[str, Any], code: int, stopping: bool, expected: str) -> None:
    worker = Worker(10, 1, 1, 0.0, **facts)
    assert reason(worker, code, stopping) == expected
    assert expected in EXITS


class Lines(Logger):
    """What is logged at all."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[dict[str, object]] = []

    def warning(self, event: str, **facts: object) -> None:
        self.told.append({"event": event, **facts})


def test_memory_that_a_worker_has_when_it_starts_is_too_much_for_a_lower_limit() -> None:
    log = Lines()
    limits.weigh(Settings(max_rss=0), 1 << 40, log)
    limits.weigh(Settings(max_rss=50 << 20), 40 << 20, log)
    assert log.told == []
    limits.weigh(Settings(max_rss=30 << 20), 40 << 20, log)
    assert [line["event"] for line in log.told] == ["max_rss_low"]
    assert "40 MiB" in str(log.told[0]["advice"])
