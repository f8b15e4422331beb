"""Root and names that the service's user can change: an attacker of that user races, under real ids."""

from __future__ import annotations

import os
import pwd
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import Server
from tests.server.services import ARGS
from tests.server.test_identity import READ_ALL, error, open_folder, start
from tests.support import need

__all__ = ["open_folder"]

#: In the folder: puts a link to root's file in the place of the socket, as fast as it can.
RACE = """
import os, sys
os.setgroups([]); os.setgid({gid}); os.setuid({uid})
print("racing", flush=True)
while True:
    try:
        os.unlink("s")
        os.symlink("precious", "s")
    except OSError:
        pass
"""


@pytest.fixture
def theirs(open_folder: Path) -> Path:
    """A folder of nobody's, in which one file is root's."""
    need(os.geteuid() == 0, "to be run by root")
    nobody = pwd.getpwnam("nobody")
    os.chown(open_folder, nobody.pw_uid, nobody.pw_gid)
    (open_folder / "precious").write_text("root's\n")
    (open_folder / "precious").chmod(0o600)
    return open_folder


def untouched(folder: Path) -> None:
    found = (folder / "precious").stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o600)
    assert (folder / "precious").read_text() == "root's\n"


def test_who_races_for_the_socket_gets_no_file_of_root_s(theirs: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    code = RACE.format(uid=nobody.pw_uid, gid=nobody.pw_gid)
    racer = subprocess.Popen([sys.executable, "-c", code], cwd=theirs, stdout=subprocess.PIPE)
    try:
        assert racer.stdout is not None
        racer.stdout.readline()
        for _ in range(5):
            server = Server(*ARGS, "-u", "nobody", "-b", "unix:s", cwd=theirs, prefix=READ_ALL, ready=False)
            server.until(lambda server=server: bool(server.other or server.found("ready")), "outcome")  # type: ignore[misc]
            server.stop()
            untouched(theirs)
    finally:
        racer.kill()
        racer.wait()
        racer.stdout.close()


def test_a_socket_in_a_folder_of_the_user_s_is_theirs(theirs: Path) -> None:
    with Server(*ARGS, "-u", "nobody", "--unix-mode", "600", "-b", "unix:s", cwd=theirs, prefix=READ_ALL):
        found = (theirs / "s").lstat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (pwd.getpwnam("nobody").pw_uid, 0o600)
    assert not (theirs / "s").exists()


def test_the_log_is_not_opened_through_another_s_link(theirs: Path) -> None:
    with Server(*ARGS, "-u", "nobody", "--log-file", "log", cwd=theirs, prefix=READ_ALL, ready=False) as server:
        server.eventually(lambda: (theirs / "log").exists() and '"ready"' in (theirs / "log").read_text(), "start")
        (theirs / "log").rename(theirs / "log.1")
        (theirs / "log").symlink_to("precious")
        server.signal(signal.SIGUSR1)
        server.eventually(lambda: "log_reopen_failed" in (theirs / "log.1").read_text(), "line")
        assert "it is a symbolic link, where others than root can put one" in (theirs / "log.1").read_text()
    untouched(theirs)


@pytest.mark.parametrize("what", ["link", "pipe"])
def test_a_pidfile_that_leads_elsewhere_is_refused(theirs: Path, what: str) -> None:
    if what == "link":
        (theirs / "pid").symlink_to("precious")
    else:
        os.mkfifo(theirs / "pid")
    done = start(theirs, "-u", "nobody", "-p", "pid")
    assert done.returncode == 2
    assert "cannot write the pidfile pid: " in error(done)
    untouched(theirs)


def test_a_folder_s_link_is_followed_only_where_root_has_put_it(theirs: Path) -> None:
    (theirs / "real").mkdir()
    (theirs / "way").symlink_to("real")
    done = start(theirs, "-u", "nobody", "--control", "way/c")
    assert done.returncode == 5
    assert "way is a symbolic link, where others than root can put one" in error(done)
