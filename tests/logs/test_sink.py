"""How lines leave a process: by a thread in a worker, at once elsewhere; and what becomes of them when they cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.logs.service import events
from tests.support import ROOT, need
from thriftserver.log.sink import KEPT

START = """
import logging, os, sys, threading, warnings
from thriftserver import log
log.configure("info", {path!r}, {format!r})
logger = log.Logger()
"""


def run(tmp_path: Path, script: str, path: str = "log", format: str = "json", **how: Any) -> bytes:
    """Run a script that logs; what it has written to its log file."""
    code = START.format(path=path, format=format) + script
    how = {"env": os.environ | {"PYTHONPATH": str(ROOT)}, "cwd": tmp_path, "check": True} | how
    subprocess.run([sys.executable, "-c", code], **how)
    return (tmp_path / "log").read_bytes() if (tmp_path / "log").exists() else b""


def test_a_forked_child_writes_its_own_lines_and_none_of_its_parent(tmp_path: Path) -> None:
    script = """
log.enter_worker(3)
for number in range(500):
    logger.info("before", number=number)
pid = os.fork()
if pid == 0:
    logger.info("child")
    os._exit(0)
os.waitpid(pid, 0)
logger.info("after")
log.flush()
"""
    found = events(run(tmp_path, script))
    assert [line["number"] for line in found if line["event"] == "before"] == list(range(500))
    (child,) = (line for line in found if line["event"] == "child")
    assert [line["event"] for line in found if line["pid"] != child["pid"]][-1] == "after"
    assert {line["worker"] for line in found} == {3}


def test_the_writer_is_a_real_thread_when_gevent_has_replaced_all_others(tmp_path: Path) -> None:
    script = """
log.enter_worker(1)
from gevent import monkey
monkey.patch_all()
logger.info("first")
while b"first" not in open("log", "rb").read():  # the loop does not go round: nothing but a real thread can write
    pass
logger.info("second")
log.flush()
"""
    assert [line["event"] for line in events(run(tmp_path, script))] == ["first", "second"]


def test_several_processes_share_a_pipe_and_no_line_is_torn(tmp_path: Path) -> None:
    script = """
for number in range(4):
    if os.fork() == 0:
        log.enter_worker(number)
        for size in range(300):
            logger.info("it", text="x" * (size * 37 % 4000), traceback=ValueError("y" * (size * 91 % 9000)))
        log.flush()
        os._exit(0)
for number in range(4):
    os.wait()
"""
    read, write = os.pipe()
    code = START.format(path="", format="json") + script
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", code], stderr=write, env=env), open(read, "rb") as log:
        os.close(write)
        data = log.read()
    assert len(events(data)) == 4 * 300
    assert max(map(len, data.splitlines(keepends=True))) <= 4096


def test_the_master_keeps_what_a_full_pipe_has_no_room_for(tmp_path: Path) -> None:
    script = """
import os
from thriftserver.log import sink
for number in range(400):
    logger.info("it", number=number, text="x" * 1000)
assert log.lost() == 0
os.read(gate, 1)
while log._sink._kept:
    log.retry()
for number in range(sink.KEPT + 100):
    logger.info("more", text="x" * 1000)
print(log.lost(), flush=True)
os.read(gate, 1)
log.flush()
logger.info("last")
"""
    read, write = os.pipe()
    gate, opens = os.pipe()
    code = START.format(path="", format="json") + f"gate = {gate}\n" + script
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    with (
        subprocess.Popen(command, stderr=write, stdout=subprocess.PIPE, env=env, pass_fds=[gate]) as process,
        open(read, "rb") as log,
    ):
        os.close(write)
        os.write(opens, b"1")
        numbers = [json.loads(log.readline())["number"] for _ in range(400)]
        assert process.stdout is not None
        lost = int(process.stdout.readline())
        os.write(opens, b"1")
        rest = events(log.read())
    for each in (gate, opens):
        os.close(each)
    assert numbers == list(range(400))
    assert lost > 0
    assert [line["count"] for line in rest if line["event"] == "log_lines_lost"] == [lost]
    assert len([line for line in rest if line["event"] == "more"]) + lost == KEPT + 100
    assert rest[-1]["event"] == "last"


def test_a_full_disk_loses_lines_and_says_how_many(tmp_path: Path) -> None:
    script = """
import resource
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))  # a write beyond is refused, as on a full disk
for number in range(100):
    logger.info("it", number=number)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
logger.info("again")
"""
    lines = run(tmp_path, script).splitlines()
    whole = [json.loads(line) for line in lines if line.endswith(b"}")]
    assert len(lines) - len(whole) <= 1  # the one in the middle of which the disk was full
    assert [line["event"] for line in whole[-2:]] == ["log_lines_lost", "again"]
    assert len(whole[:-2]) + whole[-2]["count"] == 100


def test_without_a_thread_lines_are_written_at_once(tmp_path: Path) -> None:
    """The user may have no more of them; later a thread writes."""
    need(os.geteuid() == 0, "to be run by root")
    script = """
import resource
os.setresuid(*[100_000 + os.getpid()] * 3)
hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
resource.setrlimit(resource.RLIMIT_NPROC, (1, hard))
log.enter_worker(1)
tasks = lambda: len(os.listdir("/proc/self/task"))
logger.info("first", tasks=tasks())
logger.info("second", there=b"first" in open(3, "rb").read(), tasks=tasks())
log.flush()
resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
logger.info("third")
logger.info("fourth", tasks=tasks())
log.flush()
"""
    log = os.open(tmp_path / "log", os.O_RDONLY | os.O_CREAT)
    opened = f"os.dup2({log}, 3)\n"
    first, second, _, fourth = events(run(tmp_path, opened + script, pass_fds=[log]))
    os.close(log)
    assert (first["tasks"], second["tasks"], second["there"]) == (1, 1, True)
    assert fourth["tasks"] == 2


def test_a_terminal_gets_colour_and_a_pipe_none(tmp_path: Path) -> None:
    script = """
logger.info("it", text="a b", name="\\x1b[31mred\\n")
"""
    ours, theirs = os.openpty()
    env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"PYTHONPATH": str(ROOT)}
    run(tmp_path, script, "", "auto", stderr=theirs, env=env)
    shown = os.read(ours, 65536)
    run(tmp_path, script, "", "auto", stderr=theirs, env=env | {"NO_COLOR": "1"})
    plain = os.read(ours, 65536)
    os.close(ours)
    os.close(theirs)
    assert b"\x1b[1mit" in shown
    assert b"\x1b" not in plain
    for told in (shown, plain):
        assert b"\\u001b[31mred\\n" in told
        assert told.count(b"\n") == 1


def test_what_libraries_say_comes_in_the_same_lines(tmp_path: Path) -> None:
    script = """
logging.getLogger("some.library").warning("%s is late", "the bus")
logging.getLogger("some.library").warning("%s and %s", "one")
logging.getLogger("some.library").debug("too much")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("some.library").exception("cannot")
warnings.warn("careful")
thread = threading.Thread(target=lambda: {}["key"], name="mine")
thread.start()
thread.join()
class Broken:
    def __del__(self):
        raise OSError("on the way out")
Broken()
"""
    found = events(run(tmp_path, script, stderr=subprocess.DEVNULL))
    told = [
        (line["level"], line["event"], line.get("logger"), line.get("message", line.get("error"))) for line in found
    ]
    assert told[:3] == [
        ("warning", "log", "some.library", "the bus is late"),
        ("warning", "log", "some.library", "%s and %s"),
        ("error", "log", "some.library", "cannot"),
    ]
    assert "UserWarning: careful" in found[3]["message"]
    assert told[4:] == [
        ("error", "thread_failed", None, "KeyError: 'key'"),
        ("error", "exception_ignored", None, "OSError: on the way out"),
    ]
    assert found[1]["problem"] == "cannot be formatted: TypeError"
    assert found[2]["traceback"].endswith("ZeroDivisionError: division by zero")
    assert found[4]["thread"] == "mine"


@pytest.mark.parametrize("command", ["thriftserver.cli.main", "thriftserver.worker.boot"])
def test_commands_that_log_nothing_do_not_wait_for_structlog(command: str) -> None:
    code = f"import sys, {command}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"structlog", "asyncio"} & set(done.stdout.split())
