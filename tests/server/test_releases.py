"""Names that lead to another release by now: looked up anew at each reload and upgrade, pinned for a generation."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import PATIENCE, Server, run

IDL = 'include "base.thrift"\nservice S { i32 version(), base.Extra extra(), string folder() }\n'
HANDLER = """
import os, helper, thriftserver
api = thriftserver.load({path!r}, include_dirs=["inc"])

class Impl:
    def version(self):
        return {number} if helper.NUMBER == {number} else -1
    def extra(self):
        return api.base.Extra({number})
    def folder(self):
        return os.getcwd()
"""


def release(base: Path, number: int, idl: str = "svc.thrift") -> Path:
    folder = base / f"rel{number}"
    (folder / "inc").mkdir(parents=True)
    (folder / "lib").mkdir()
    (folder / "inc/base.thrift").write_text(f"struct Extra {{ 1: i32 x }} const i32 N = {number}\n")
    (folder / "svc.thrift").write_text(IDL)
    (folder / "impl.py").write_text(HANDLER.format(number=number, path=idl))
    (folder / "lib/helper.py").write_text(f"NUMBER = {number}\n")
    (folder / "t.toml").write_text(f'name = "rel{number}"\n')
    return folder


def point(link: Path, target: Path) -> None:
    fresh = link.with_name("fresh")
    fresh.symlink_to(target.name)
    fresh.rename(link)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    release(tmp_path, 1)
    release(tmp_path, 2)
    (tmp_path / "elsewhere").mkdir()
    point(tmp_path / "current", tmp_path / "rel1")
    return tmp_path


ARGS = ("--idl", "svc.thrift", "-I", "inc", "--handler", "impl:Impl", "--pythonpath", "lib")


def start(base: Path, how: str) -> Server:
    """A server that knows its release by the name ``current`` alone."""
    current = base / "current"
    match how:
        case "cwd":
            return Server(*ARGS, "--config", "t.toml", cwd=current, env={"PWD": str(current)})
        case "chdir":
            return Server(*ARGS, "--chdir", str(current), cwd=base / "elsewhere")
        case "relative chdir":
            return Server(*ARGS, "--chdir", "current", cwd=base, env={"PWD": str(base)})
    assert how == "absolute"
    for number in (1, 2):
        (base / f"rel{number}/impl.py").write_text(HANDLER.format(number=number, path=str(current / "svc.thrift")))
    args = ("--idl", f"{current}/svc.thrift", "-I", f"{current}/inc", "--handler", "impl:Impl")
    lib = ("--pythonpath", str(current), "--pythonpath", f"{current}/lib")
    return Server(*args, *lib, "--config", f"{current}/t.toml", cwd=base / "elsewhere")


WAYS = ["cwd", "chdir", "relative chdir", "absolute"]


def ask(server: Server) -> Any:
    files = {"svc.thrift": IDL, "base.thrift": "struct Extra { 1: i32 x }"}
    return thriftserver.load("svc.thrift", files=files).S.Client(server.host, server.port, timeout=PATIENCE)


def served(server: Server) -> tuple[int, int]:
    with ask(server) as client:
        return client.version(), client.extra().x


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("removed", [False, True], ids=["kept", "removed"])
def test_a_reload_takes_the_release_that_the_name_leads_to(base: Path, how: str, removed: bool) -> None:
    with start(base, how) as server:
        assert served(server) == (1, 1)
        point(base / "current", base / "rel2")
        if removed:
            shutil.rmtree(base / "rel1")
        server.signal(signal.SIGHUP)
        server.wait("reloaded", generation=2)
        server.wait("worker_exit", code=0)
        assert served(server) == (2, 2)
        if how != "absolute":
            with ask(server) as client:
                assert client.folder() == str(base / "rel2")
        server.upgrade()
        assert served(server) == (2, 2)


@pytest.mark.parametrize("how", WAYS)
def test_an_upgrade_takes_it_too(base: Path, how: str) -> None:
    with start(base, how) as server:
        point(base / "current", base / "rel2")
        shutil.rmtree(base / "rel1")
        server.upgrade()
        assert served(server) == (2, 2)


@pytest.mark.parametrize("how", WAYS)
def test_a_worker_is_replaced_by_one_of_its_generation(base: Path, how: str) -> None:
    """The name leads elsewhere, but nobody has asked for a reload yet."""
    with start(base, how) as server:
        point(base / "current", base / "rel2")
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait("worker_ready", 2)
        with ask(server) as client:
            assert client.version() == 1


def test_after_a_rejected_reload_the_old_release_goes_on(base: Path) -> None:
    with start(base, "cwd") as server:
        (base / "rel2/svc.thrift").write_text("service {")
        point(base / "current", base / "rel2")
        server.signal(signal.SIGHUP)
        assert "svc.thrift:1" in server.wait("reload_rejected")["reason"]
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait("worker_ready", 2)
        assert served(server) == (1, 1)
        (base / "rel2/svc.thrift").write_text(IDL)
        (base / "rel2/impl.py").write_text("1 / 0\n")
        server.signal(signal.SIGHUP)
        assert "ZeroDivisionError" in server.wait("reload_rejected", 2)["reason"]
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait("worker_exit", 3)
        server.wait("worker_ready", 3)
        assert served(server) == (1, 1)
        point(base / "current", base / "rel1")
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        assert served(server) == (1, 1)


def test_a_name_that_leads_nowhere_is_told_and_changes_nothing(base: Path) -> None:
    with start(base, "cwd") as server:
        (base / "current").unlink()
        server.signal(signal.SIGHUP)
        reason = server.wait("reload_rejected")["reason"]
        assert reason == f"cannot enter the working directory {base}/current: No such file or directory"
        server.signal(signal.SIGUSR2)
        assert "t.toml: No such file" in server.wait("upgrade_failed")["reason"]
        assert served(server) == (1, 1)
        point(base / "current", base / "rel2")
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        server.wait("worker_exit", code=0)
        assert served(server) == (2, 2)


def test_a_chdir_that_leads_nowhere_is_told_and_changes_nothing(base: Path) -> None:
    with start(base, "chdir") as server:
        (base / "current").unlink()
        server.signal(signal.SIGHUP)
        assert f"cannot enter {base}/current" in server.wait("reload_rejected")["reason"]
        assert served(server) == (1, 1)


def test_a_directory_that_nothing_is_needed_of_may_go(base: Path) -> None:
    """All names are absolute: a worker's death, a reload and an upgrade pass as ever."""
    with start(base, "absolute") as server:
        (base / "elsewhere").rmdir()
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait("worker_ready", 2)
        assert served(server) == (1, 1)
        point(base / "current", base / "rel2")
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        server.wait("worker_exit", code=0)
        assert served(server) == (2, 2)
        server.upgrade()
        assert served(server) == (2, 2)
        (base / "rel2/impl.py").write_text("import nothing_of_that_name\n")
        server.signal(signal.SIGHUP)
        assert "nothing_of_that_name" in server.wait("reload_rejected")["reason"]
        assert served(server) == (2, 2)


def test_a_start_in_a_directory_that_is_gone(base: Path) -> None:
    prefix = ("sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh")
    current = base / "current"
    (base / "rel1/impl.py").write_text(HANDLER.format(number=1, path=str(current / "svc.thrift")))
    args = ("--idl", f"{current}/svc.thrift", "-I", f"{current}/inc", "--handler", "impl:Impl")
    lib = ("--pythonpath", str(current), "--pythonpath", f"{current}/lib")
    with Server(*args, *lib, cwd=base / "elsewhere", env={"PWD": str(base / "elsewhere")}, prefix=prefix) as server:
        assert served(server) == (1, 1)


def test_files_keep_the_place_they_had_at_the_start(base: Path) -> None:
    args = ("--log-file", "log", "--pidfile", "pid", "--control", "ctl.sock", "--bind", "unix:s.sock")
    files = [base / "rel1" / name for name in ("pid", "ctl.sock", "s.sock")]
    current = base / "current"
    options = (*ARGS, *args, "--log-level", "debug")
    server = Server(*options, cwd=current, env={"PWD": str(current)}, ready=False)
    try:
        log = base / "rel1/log"
        server.eventually(lambda: log.exists() and '"ready"' in log.read_text(), "start")
        point(current, base / "rel2")
        server.signal(signal.SIGHUP)
        server.eventually(lambda: '"reloaded"' in log.read_text(), "reload")
        log.rename(base / "rel1/log.1")
        server.signal(signal.SIGUSR1)
        server.eventually(lambda: log.exists(), "new log")
        assert all(path.exists() for path in files)
        with ask_unix(base / "rel1/s.sock") as client:
            assert client.version() == 2
        done = run(base, "ctl", "--control", str(base / "rel1/ctl.sock"), "status")
        assert done.returncode == 0, done.stderr
    finally:
        server.stop()
    assert not any(path.exists() for path in files)
    assert not {"pid", "ctl.sock", "s.sock", "log"} & set(os.listdir(base / "rel2"))


def ask_unix(path: Path) -> Any:
    files = {"svc.thrift": IDL, "base.thrift": "struct Extra { 1: i32 x }"}
    return thriftserver.load("svc.thrift", files=files).S.Client(f"unix:{path}", timeout=PATIENCE)
