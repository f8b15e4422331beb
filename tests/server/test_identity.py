"""Pidfile, user, umask, directory, import path, titles and unix sockets of a real server, started by root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import PATIENCE, Server, run
from tests.server.services import ARGS, HANDLER, write_demo
from tests.support import ROOT, need

#: The interpreter may lie where only root can read: keep that one right when a worker becomes somebody else.
READ_ALL = ("setpriv", "--securebits=+no_setuid_fixup", "--")

#: A handler that leaves behind who imported it, and who made it.
WITNESS = """
import os, pathlib

def leave(name):
    who = f"{os.getresuid()} {os.getresgid()} {os.getgroups()} {os.environ['HOME']}"
    pathlib.Path(name).write_text(who)

leave("imported")

class Witness:
    def __init__(self):
        leave("made")
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach and write."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o777)
    yield write_demo(path)
    shutil.rmtree(path)


def start(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to fail."""
    return run(folder, "run", *ARGS, "--bind", "127.0.0.1:0", *args)


def error(done: subprocess.CompletedProcess[str]) -> str:
    """The one message that a failed start is."""
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    return line.removeprefix("Error: ")


def call(server: Server, folder: Path, address: str = "") -> Any:
    api = thriftserver.load(folder / "demo.thrift")
    return api.Demo.Client(address or server.host, 0 if address else server.port, timeout=PATIENCE)


# The pidfile.


def test_the_pidfile_holds_the_masters_pid_and_goes_with_it(folder: Path) -> None:
    path = folder / "pid"
    with Server(*ARGS, "-p", "pid", cwd=folder) as server:
        assert path.read_text() == f"{server.pid}\n"
        assert stat.S_IMODE(path.stat().st_mode) & 0o022 == 0
        os.kill(server.workers()[0], signal.SIGTERM)
        server.wait("worker_exit")
        assert path.exists(), "a worker's end is not the master's"
        assert server.stop() == 0
    assert sorted(each.name for each in folder.glob("pid*")) == []


def test_a_running_server_is_not_started_twice(folder: Path) -> None:
    with Server(*ARGS, "-p", "pid", cwd=folder) as server:
        second = start(folder, "-p", "pid")
        assert second.returncode == 2
        assert error(second) == f"already running with pid {server.pid}, says the pidfile {folder / 'pid'}"
        assert (folder / "pid").read_text() == f"{server.pid}\n"


def test_stale_pidfiles_are_replaced(folder: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    path = folder / "pid"
    for content in (f"{gone.pid}\n", "", "0\n"):
        path.write_text(content)
        with Server(*ARGS, "-p", "pid", cwd=folder) as server:
            assert path.read_text() == f"{server.pid}\n"


def test_a_pid_that_was_used_again_since_is_stale(folder: Path) -> None:
    path = folder / "pid"
    path.write_text(f"{os.getpid()}\n")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    with Server(*ARGS, "-p", "pid", cwd=folder) as server:
        assert path.read_text() == f"{server.pid}\n"


def test_of_three_that_find_the_same_stale_pidfile_one_starts(folder: Path) -> None:
    (folder / "pid").write_text("")
    servers = [Server(*ARGS, "-p", "pid", cwd=folder, ready=False) for _ in range(3)]
    try:
        for each in servers:
            each.until(lambda each=each: bool(each.other or each.found("ready")), "outcome")
        (winner,) = [each for each in servers if each.found("ready")]
        assert (folder / "pid").read_text() == f"{winner.pid}\n"
        assert [each.exit_code() for each in servers if each is not winner] == [2, 2]
    finally:
        for each in servers:
            each.stop()


def test_a_pidfile_that_another_has_replaced_is_left_alone(folder: Path) -> None:
    path = folder / "pid"
    with Server(*ARGS, "-p", "pid", cwd=folder):
        path.unlink()
        path.write_text("another's")
    assert path.read_text() == "another's"


def test_a_failed_start_leaves_no_pidfile(folder: Path) -> None:
    done = start(folder, "-p", "pid", "--bind", "unix:/no/such/folder/x")
    assert done.returncode == 5
    assert list(folder.glob("pid*")) == []


@pytest.mark.parametrize(
    ("pidfile", "message"),
    [
        ("/no/such/folder/pid", "cannot write the pidfile /no/such/folder/pid: No such file or directory"),
        ("demo.thrift", "holds something else than a process id; remove it if it may go"),
    ],
)
def test_a_pidfile_that_cannot_be_is_one_message(folder: Path, pidfile: str, message: str) -> None:
    before = (folder / "demo.thrift").read_text()
    done = start(folder, "-p", pidfile)
    assert done.returncode == 2
    assert message in error(done)
    assert (folder / "demo.thrift").read_text() == before


# Directory, import path, umask, titles.


def test_everything_relative_starts_at_chdir_also_on_reload(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    start = tmp_path_factory.mktemp("start")
    (start / "t.toml").write_text(f'idl = "demo.thrift"\nhandler = "demo:Impl"\nchdir = "{folder}"\npidfile = "pid"\n')
    with Server("-c", "t.toml", cwd=start) as server:
        assert (folder / "pid").exists()
        (folder / "demo.py").write_text(HANDLER.replace('VERSION = "1"', 'VERSION = "22"'))
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        server.wait("worker_exit", code=0)  # until then, the old worker may take the connection
        with call(server, folder) as demo:
            assert demo.version() == "22"


def test_handlers_are_imported_from_pythonpath(folder: Path) -> None:
    (folder / "lib").mkdir()
    (folder / "demo.py").rename(folder / "lib" / "elsewhere.py")
    (folder / "demo.thrift").rename(folder / "lib" / "demo.thrift")
    args = ("--idl", "lib/demo.thrift", "--handler", "elsewhere:Impl", "--pythonpath", "lib")
    with Server(*args, cwd=folder) as server, call(server, folder / "lib") as demo:
        assert demo.add(1, 2) == 3


def test_the_umask_counts_in_workers_and_for_sockets(folder: Path) -> None:
    with Server(*ARGS, "-m", "0027", "--bind", "unix:s", cwd=folder):
        assert stat.S_IMODE((folder / "setup").stat().st_mode) == 0o640
        assert stat.S_IMODE((folder / "s").stat().st_mode) & 0o666 == 0o640


def test_processes_are_named(folder: Path) -> None:
    with Server(*ARGS, "-n", "orders-service", cwd=folder) as server:
        (worker,) = server.workers()
        names = [Path(f"/proc/{pid}/comm").read_text() for pid in (server.pid, worker)]
        assert names == ["orders-s master\n", "orders-servi w1\n"]
        lines = [Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0") for pid in (server.pid, worker)]
        assert lines == ["orders-service: master", "orders-service: worker 1"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--chdir", "/no/such"), "--chdir: cannot enter /no/such: No such file or directory"),
        (("-m", "999"), "--umask: '999' is no mode; write it in octal (0660)"),
        (("-u", "nobody-at-all"), "--user: there is no user 'nobody-at-all'"),
        (("-g", "nobody-at-all"), "--group: there is no group 'nobody-at-all'"),
        (("-u", "4294967295", "-g", "1"), "--user: there is no user '4294967295'"),
        (("-u", "1", "-g", "4294967295"), "--group: there is no group '4294967295'"),
        (("-u", "54321"), "--user: 54321 is in no user database; say --group too"),
    ],
)
def test_what_cannot_be_is_one_message(folder: Path, args: tuple[str, ...], message: str) -> None:
    done = start(folder, *args)
    assert (done.returncode, error(done)) == (2, message)
    done = start(folder, *args, "--check-config")
    assert (done.returncode, error(done)) == (2, message)


# User and group.


def test_workers_are_somebody_else_once_they_have_imported_the_handler(open_folder: Path) -> None:
    need(os.geteuid() == 0, "to be run by root")
    nobody = pwd.getpwnam("nobody")
    (open_folder / "demo.py").write_text(WITNESS + HANDLER.replace("class Impl:", "class Impl(Witness):"))
    with Server(*ARGS, "-u", "nobody", "--bind", "unix:s", cwd=open_folder, prefix=READ_ALL) as server:
        uid, gid, groups = (nobody.pw_uid,) * 3, (nobody.pw_gid,) * 3, os.getgrouplist("nobody", nobody.pw_gid)
        assert (open_folder / "imported").read_text().startswith("(0, 0, 0) (0, 0, 0) ")
        assert (open_folder / "made").read_text() == f"{uid} {gid} {groups} {nobody.pw_dir}"
        assert (open_folder / "setup").stat().st_uid == nobody.pw_uid
        assert Path(f"/proc/{server.pid}").stat().st_uid == 0
        assert (open_folder / "s").stat().st_uid == nobody.pw_uid
        with call(server, open_folder, f"unix:{open_folder / 's'}") as demo:
            assert demo.add(1, 2) == 3
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        assert server.stop() == 0
    assert not (open_folder / "s").exists()


def test_numbers_that_no_database_knows_will_do(open_folder: Path) -> None:
    need(os.geteuid() == 0, "to be run by root")
    (open_folder / "demo.py").write_text(WITNESS + HANDLER.replace("class Impl:", "class Impl(Witness):"))
    with Server(*ARGS, "-u", "54321", "-g", "54322", cwd=open_folder, prefix=READ_ALL):
        told = (open_folder / "made").read_text()
    assert told.startswith("(54321, 54321, 54321) (54322, 54322, 54322) [54322]")


def test_only_root_can_change_the_user(open_folder: Path) -> None:
    need(os.geteuid() == 0, "to be run by root")
    # In the process itself, after it was loaded; it keeps the right to read what only root can (NO_SETUID_FIXUP).
    drop = (
        "import ctypes, os; ctypes.CDLL(None).prctl(28, 4, 0, 0, 0); os.setgroups([]); os.setgid(54321); "
        "os.setuid(54321); from thriftserver.cli.main import main; main()"
    )
    for user, code in (("nobody", 2), ("54321", 0)):
        done = subprocess.run(
            [sys.executable, "-c", drop, "run", *ARGS, "-u", user, "-g", "54321", "--check-config"],
            cwd=open_folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert code == 0 or error(done) == "--user and --group: only root can run workers as somebody else"


# Unix sockets.


@pytest.mark.parametrize("mode", ["0600", "660", "0o666"])
def test_unix_sockets_have_the_mode_asked_for(folder: Path, mode: str) -> None:
    with Server(*ARGS, "--unix-mode", mode, "--bind", "unix:s", cwd=folder):
        assert stat.S_IMODE((folder / "s").stat().st_mode) == int(mode, 8)


def test_a_live_unix_socket_is_refused_and_left(folder: Path) -> None:
    with Server(*ARGS, "--bind", "unix:s", cwd=folder) as server:
        second = start(folder, "--bind", "unix:s")
        assert second.returncode == 5
        assert error(second) == f"cannot listen on unix:s: a server with pid {server.pid} is listening there already"
        with call(server, folder, f"unix:{folder / 's'}") as demo:
            assert demo.add(1, 2) == 3


def test_what_is_no_socket_is_left_and_a_stale_one_replaced(folder: Path) -> None:
    (folder / "s").write_text("precious")
    done = start(folder, "--bind", "unix:s")
    assert done.returncode == 5
    assert error(done) == "cannot listen on unix:s: there is a file of that name, and it is no socket"
    assert (folder / "s").read_text() == "precious"
    (folder / "s").unlink()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(folder / "s"))
    with Server(*ARGS, "--bind", "unix:s", cwd=folder) as server, call(server, folder, f"unix:{folder / 's'}") as demo:
        assert demo.add(1, 2) == 3


def test_a_unix_socket_that_another_has_put_there_is_left_alone(folder: Path) -> None:
    path = folder / "s"
    with Server(*ARGS, "--bind", "unix:s", cwd=folder), socket.socket(socket.AF_UNIX) as other:
        path.unlink()
        other.bind(str(path))
    assert stat.S_ISSOCK(path.stat().st_mode)


def test_a_live_control_socket_is_refused(folder: Path) -> None:
    with Server(*ARGS, "--control", "c", cwd=folder) as server:
        second = start(folder, "--control", "c")
        assert second.returncode == 5
        assert f"a server with pid {server.pid} is listening there already" in error(second)
