"""A disk without room for what a server writes, and without room for what is written for it: a real one, and small."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.disk import Disk, mounted
from tests.harness import PATIENCE, Server
from tests.server.raw import Peer, message
from tests.server.services import ARGS
from tests.support import ROOT


def served(server: Server) -> None:
    with Peer(server) as peer:
        assert peer.ask(message("pid")) is not None


def start(folder: Path, options: str, command: str, *args: str) -> subprocess.CompletedProcess[str]:
    """A server, after a command on its disk, and what is on the disk after its end."""
    script = f'{command}; "$@"; code=$?; ls disk; exit $code'
    server = [sys.executable, "-m", "thriftserver", "run", *ARGS, *args]
    return subprocess.run(
        [*mounted(folder, options), "sh", "-c", script, "sh", *server],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_a_pidfile_that_cannot_be_written_is_one_message_and_leaves_nothing(folder: Path) -> None:
    done = start(folder, "size=4k", "echo >disk/filling", "-b", "127.0.0.1:0", "-p", "disk/pid")
    assert done.stderr == "Error: cannot write the pidfile disk/pid: No space left on device\n"
    assert (done.returncode, done.stdout) == (2, "filling\n")


@pytest.mark.parametrize(
    ("args", "said", "code"),
    [
        (("-b", "127.0.0.1:0", "--log-file", "disk/log"), "cannot open the log file disk/log", 2),
        (("-b", "127.0.0.1:0", "--control", "disk/control"), "cannot open the control socket {folder}/disk/control", 5),
        (("-b", "unix:disk/socket"), "cannot listen on unix:disk/socket", 5),
    ],
    ids=["log", "control", "unix socket"],
)
def test_a_name_that_has_no_room_is_one_message(folder: Path, args: tuple[str, ...], said: str, code: int) -> None:
    done = start(folder, "nr_inodes=2", "touch disk/other", *args)
    assert done.stderr == f"Error: {said.format(folder=folder)}: No space left on device\n"
    assert (done.returncode, done.stdout) == (code, "other\n")


def test_an_upgrade_that_cannot_write_its_pidfile_fails_and_leaves_nothing(folder: Path) -> None:
    with Server(*ARGS, "-p", "disk/pid", cwd=folder, prefix=mounted(folder, "size=64k")) as server:
        disk = Disk(server.pid, folder)
        disk.fill()
        server.signal(signal.SIGUSR2)
        assert "cannot write the pidfile disk/pid: No space" in server.wait("upgrade_failed")["reason"]
        disk.free()
        assert [each.name for each in disk.path.iterdir()] == ["pid"]
        assert (disk.path / "pid").read_text() == f"{server.pid}\n"
        served(server)
        server.upgrade()
        assert (Disk(server.pid, folder).path / "pid").read_text() == f"{server.pid}\n"
        served(server)


def test_a_configuration_that_was_cut_off_is_rejected(folder: Path) -> None:
    """As an editor leaves it that finds the disk full in the middle of a line: in front of the second page."""
    text = 'idl = "demo.thrift"\nhandler = "demo:Impl"\n'
    (folder / "server.toml").write_text(text)
    copied = ("sh", "-c", 'cp server.toml disk && exec "$@"', "sh")
    with Server("-c", "disk/server.toml", cwd=folder, prefix=(*mounted(folder, "size=64k"), *copied)) as server:
        disk = Disk(server.pid, folder)
        disk.fill()
        whole = text + "#".ljust(4096 - len(text) - len("\nworkers ="), "#") + "\nworkers = 2\n"
        with pytest.raises(OSError, match="No space left"):
            (disk.path / "server.toml").write_text(whole)
        server.signal(signal.SIGHUP)
        assert "disk/server.toml" in server.wait("reload_rejected")["reason"]
        served(server)
        disk.free()
        (disk.path / "server.toml").write_text(whole)
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        server.wait("worker_ready", count=3)
        served(server)
