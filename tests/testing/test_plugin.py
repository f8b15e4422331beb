"""The fixture as a handler's author sees it: pytest runs files of tests, and its report is read."""

from __future__ import annotations

import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

from tests.support import ROOT
from tests.testing.shared import run_pytest


def test_three_lines(tmp_path: Path) -> None:
    tests = """
def test_half(thrift_server):
    demo = thrift_server("demo.thrift", Demo())
    assert demo.client.half(4) == 2

def test_two_servers_of_one_test(thrift_server):
    ours, real = thrift_server("demo.thrift", Demo), thrift_server("demo.thrift", Demo, workers=1)
    assert ours.client.served_by() != real.client.served_by()
"""
    done = run_pytest(tmp_path, tests, "-p", "xdist", "-n", "2", "-W", "error")
    assert "2 passed" in done.stdout, done.stdout


def test_the_report_shows_where_the_handler_failed(tmp_path: Path) -> None:
    tests = """
def test_half(thrift_server):
    demo = thrift_server("demo.thrift", Demo())
    assert demo.client.half(3) == 2
"""
    done = run_pytest(tmp_path, tests)
    assert "1 failed" in done.stdout
    assert 'raise ValueError(f"{x} is odd")' in done.stdout
    assert "E           ValueError: 3 is odd" in done.stdout
    assert ">       assert demo.client.half(3) == 2" in done.stdout
    assert "/thriftserver/" not in done.stdout  # none of our own frames


def test_the_report_shows_failures_that_no_client_has_heard_of(tmp_path: Path) -> None:
    tests = """
def test_note(thrift_server):
    thrift_server("demo.thrift", Demo()).client.note("broken")
"""
    done = run_pytest(tmp_path, tests)
    assert "1 passed, 1 error" in done.stdout
    assert "raise KeyError(text)" in done.stdout
    assert "ExitStack" not in done.stdout  # nor how it was found
    assert (
        "a call failed, and the test has not seen it; if that is meant: `with server.fails(KeyError):`" in done.stdout
    )


def test_a_failure_that_a_test_expects_is_none(tmp_path: Path) -> None:
    tests = """
import pytest
from thriftserver import ApplicationError

def test_raises(thrift_server):
    demo = thrift_server("demo.thrift", Demo())
    with pytest.raises(ApplicationError, match="INTERNAL_ERROR"):
        demo.client.half(3)

def test_fails(thrift_server):
    demo = thrift_server("demo.thrift", Demo())
    with demo.fails(KeyError) as caught:
        demo.client.note("broken")
    assert caught.value.args == ("broken",)
"""
    done = run_pytest(tmp_path, tests)
    assert "2 passed" in done.stdout, done.stdout


def test_all_is_closed_after_a_test(tmp_path: Path) -> None:
    tests = """
import os, socket, threading
import pytest

servers = []

@pytest.mark.parametrize("workers", [0, 1])
def test_first(thrift_server, workers):
    servers.append(thrift_server("demo.thrift", Demo, workers=workers))
    servers.append(thrift_server("demo.thrift", Demo, workers=workers))
    servers[-1].connect().half(2)
    assert False

def test_second():
    assert len(servers) == 4
    assert threading.enumerate() == [threading.main_thread()]
    assert not [fd for fd in os.listdir("/proc/self/fd") if "socket:" in link(fd) or "eventfd" in link(fd)]
    for server in servers:
        with pytest.raises(OSError):
            socket.create_connection((server.host, server.port)).close()

def link(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""
"""
    done = run_pytest(tmp_path, tests)
    assert "2 failed, 1 passed" in done.stdout, done.stdout


def test_what_cannot_be_served_is_said_in_a_few_lines(tmp_path: Path) -> None:
    tests = """
class Half:
    def half(self, x): return x

def test_idl(thrift_server):
    thrift_server("broken.thrift", Demo)

def test_handler(thrift_server):
    thrift_server("demo.thrift", Half)

def test_real(thrift_server):
    thrift_server("demo.thrift", "test_demo:Half", workers=1)

def test_local(thrift_server):
    class Local(Half): pass
    thrift_server("demo.thrift", Local, workers=1)

def test_instance(thrift_server):
    thrift_server("demo.thrift", Demo(), workers=1)
"""
    (tmp_path / "broken.thrift").write_text("service Demo { i23 half(1: i32 x) }")
    done = run_pytest(tmp_path, tests)
    assert "5 failed" in done.stdout, done.stdout
    assert "broken.thrift:1:16" in done.stdout
    assert done.stdout.count("Demo.wrong is missing in") == 2, done.stdout
    assert "another process cannot import test_demo.test_local.<locals>.Local" in done.stdout
    assert "an instance of Demo cannot be imported" in done.stdout
    assert "/thriftserver/" not in done.stdout
    assert len(done.stdout.splitlines()) < 90, done.stdout


def test_the_report_has_the_log_of_a_real_server(tmp_path: Path) -> None:
    tests = """
def test_half(thrift_server):
    demo = thrift_server("demo.thrift", Demo, workers=2)
    assert demo.client.half(3) == 2

def test_good(thrift_server):
    assert thrift_server("demo.thrift", Demo, workers=1).client.half(4) == 2
"""
    done = run_pytest(tmp_path, tests)
    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert done.stdout.count("- thriftserver log -") == 1
    assert '"event": "handler_failed"' in done.stdout
    assert done.stdout.count("ValueError: 3 is odd") >= 2  # in the cause, and in the log


def test_pytest_finds_it_where_thriftserver_is_installed(tmp_path: Path) -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    metadata = tmp_path / "thriftserver_installed-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: thriftserver-installed\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[pytest11]\n{setup['options.entry_points']['pytest11'].strip()}\n")
    (tmp_path / "test_it.py").write_text("def test(thrift_server): pass\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    env = kept | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    command = [sys.executable, "-m", "pytest", "-W", "error"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout


def test_who_does_not_use_it_does_not_import_it() -> None:
    code = (
        "import pytest, sys\nbefore = set(sys.modules)\nimport thriftserver.testing.plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.startswith("thriftserver")}
    assert ours == {"thriftserver", "thriftserver.testing", "thriftserver.testing.plugin"}
    assert not {"gevent", "structlog", "msgspec", "click"} & set(done.stdout.split())
