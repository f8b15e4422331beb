"""Which calls an access log keeps, what of them, and at what cost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from thriftserver.errors import EncodeError
from thriftserver.rpc.call import Call
from thriftserver.rpc.observe import access_log

MS = 1_000_000


def call(outcome: str = "success", ms: float = 1, error: BaseException | None = None, error_id: str = "") -> Call:
    made = Call("Demo", "add", 7, "127.0.0.1:4711")
    made.received = 5 * MS
    made.started = made.received + MS // 2
    made.finished = made.received + int(ms * MS)
    made.dialect = "framed-compact"
    made.request_bytes, made.reply_bytes = 30, 40
    made.outcome, made.error, made.error_id = outcome, error, error_id
    return made


def kept(which: str, share: float, *calls: Call) -> list[tuple[str, str, dict[str, Any]]]:
    found: list[tuple[str, str, dict[str, Any]]] = []
    for observer in access_log(which, 0.5, share, lambda *event: found.append(event)):
        for each in calls:
            observer(each)
    return found


def test_off_is_no_observer_at_all() -> None:
    assert access_log("off", 0.5, 0.01, print) == []


@pytest.mark.parametrize(
    ("which", "share", "durations"),
    [
        ("slow", 1, [500, 501]),
        ("all", 0, [1, 2, 499.999, 500, 501]),
        ("sampled", 0, [2, 500, 501]),
        ("sampled", 1, [1, 2, 499.999, 500, 501]),
    ],
)
def test_which_calls_are_kept(which: str, share: float, durations: list[float]) -> None:
    calls = [call(), call("undeclared", 2), call("declared", 499.999), call(ms=500), call("shed", 501)]
    assert [facts["duration_ms"] for _, _, facts in kept(which, share, *calls)] == durations


def test_sampling_takes_its_share() -> None:
    assert 400 < len(kept("sampled", 0.1, *[call()] * 6000)) < 800  # 600, give or take 8 times 23


def test_what_is_kept_of_a_call() -> None:
    ((level, event, facts),) = kept("all", 0, call(ms=12.3456))
    assert (level, event) == ("info", "call")
    assert facts == {
        "service": "Demo",
        "method": "add",
        "seqid": 7,
        "peer": "127.0.0.1:4711",
        "dialect": "framed-compact",
        "duration_ms": 12.345,
        "queue_ms": 0.5,
        "request_bytes": 30,
        "reply_bytes": 40,
        "outcome": "success",
    }


def test_a_call_that_never_started_waited_in_no_queue() -> None:
    made = call("shed")
    made.started = 0
    assert kept("all", 0, made)[0][2]["queue_ms"] == 0.0


@pytest.mark.parametrize(
    ("outcome", "error", "level", "expected"),
    [
        ("declared", KeyError("of a client"), "info", "KeyError"),
        ("undeclared", ValueError("of a stranger"), "warning", "ValueError"),
        ("bad_result", EncodeError("expected i32, got str", "result"), "warning", "result: expected i32, got str"),
    ],
)
def test_why_a_call_failed(outcome: str, error: BaseException, level: str, expected: str) -> None:
    ((found, _, facts),) = kept("all", 0, call(outcome, error=error, error_id="0123456789ab"))
    assert (found, facts["error"], facts["error_id"]) == (level, expected, "0123456789ab")


#: Logs the same facts by both ways, and prints how many nanoseconds of this thread each took at best.
COST = """
import json, sys, time
from thriftserver import log
from thriftserver.rpc.observe import AccessLog, facts
from tests.logs.test_observe import call

log.configure("info", "/dev/null", "json")
log.enter_worker(1)
made, logger = call(), log.Logger()
ways = {
    "short": lambda each=AccessLog("all", 0.5, 0, log.put): each(made),
    "structlog": lambda: logger.info("call", **facts(made)),
    "slow": lambda each=AccessLog("slow", 0.5, 0, log.put): each(made),
}
best = dict.fromkeys(ways, 1e9)
for _ in range(30):
    for name, way in ways.items():
        before = time.thread_time_ns()
        for _ in range(300):
            way()
        best[name] = min(best[name], (time.thread_time_ns() - before) / 300)
        log.flush()
print(json.dumps(best))
"""


def test_the_short_way_is_much_cheaper_and_a_call_that_is_not_kept_nearly_free() -> None:
    done = subprocess.run([sys.executable, "-c", COST], capture_output=True, text=True, check=True)
    best = json.loads(done.stdout)
    assert best["short"] < best["structlog"] / 2, best
    assert best["slow"] < best["short"] / 5, best


#: The same facts by both ways.
SAME = """
from thriftserver import log
from thriftserver.rpc.observe import facts
from tests.logs.test_observe import call

log.configure("info", "log", "json")
log.enter_worker(3)
for peer in ("1.2.3.4:5", "\\u2028\\x85\\x9b\\n", "\\ud800", "x" * 100_000):
    made = call()
    made.peer = peer
    log.put("info", "call", facts(made))
    log.Logger().info("call", **facts(made))
log.flush()
"""


def test_both_ways_write_the_same_line(tmp_path: Path) -> None:
    environ = {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", SAME], cwd=tmp_path, env=environ, check=True)
    text = (tmp_path / "log").read_text()
    lines = [list(json.loads(line).items()) for line in text.splitlines()]
    assert len(lines) == 8
    for short, long in zip(lines[:6:2], lines[1:6:2], strict=True):
        assert short[1:] == long[1:]  # all but the time
    assert {len(line) for line in lines} == {5 + 10}
    assert len(text) < 50_000
