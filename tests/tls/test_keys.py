"""Keys: in no process but the keeper, and readable for nobody but the user that the master runs as."""

from __future__ import annotations

import os
import pwd
import signal
from pathlib import Path

import pytest

from tests.harness import Server
from tests.server.raw import version
from tests.server.services import ARGS
from tests.support import need
from tests.tls.pki import Pki, TlsPeer


def holds(pid: int, what: bytes) -> bool:
    """Does this stand anywhere in a process's memory?"""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            place, rights, *_ = line.split()
            start, end = (int(each, 16) for each in place.split("-"))
            if rights[0] != "r" or "[v" in line:
                continue
            try:
                memory.seek(start)
                if what in memory.read(end - start):
                    return True
            except OSError:  # what a device has mapped
                continue
    return False


def files(pid: int) -> list[str]:
    """What a process has open."""
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(each))
        except OSError:  # closed meanwhile
            continue
    return found


def test_no_process_but_the_keeper_has_the_key_or_a_way_to_it(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), "-w", "2", cwd=pki.folder) as server:
        keeper = server.wait("certificates_loaded")["pid"]
        for number in (1, 2):
            key = (pki.folder / "server.key").read_bytes().splitlines()[2]
            assert holds(keeper, key), "it is to be found where it is"
            workers = [pid for pid in server.workers() if pid != keeper]
            assert len(workers) == 2
            assert not any(holds(pid, key) for pid in (server.pid, *workers))
            assert not any("thriftserver-terms" in each for pid in workers for each in files(pid))
            if number == 1:
                pki.issue("server", "localhost")
                server.signal(signal.SIGHUP)
                server.wait("certificates_loaded", 2)
                server.wait("worker_exit", 2)


def test_keys_are_read_as_the_master_s_user_and_served_as_another(pki: Pki) -> None:
    need(os.getuid() == 0, "root, to run workers as somebody else")
    (pki.folder / "server.key").chmod(0o600)
    for each in (pki.folder, *list(pki.folder.parents)[:-2]):
        each.chmod(each.stat().st_mode | 0o055)
    pki.folder.chmod(0o777)  # the handler leaves files there
    with Server(*ARGS, *pki.options(), "--user", "nobody", cwd=pki.folder) as server:
        keeper = server.wait("certificates_loaded")["pid"]
        with TlsPeer(server, pki.client()) as peer:
            before = peer.shown
            assert version(peer)
            assert f"Uid:\t{pwd.getpwnam('nobody').pw_uid}\t" in Path(f"/proc/{keeper}/status").read_text()
            pki.issue("server", "localhost")
            (pki.folder / "server.key").chmod(0o600)
            server.signal(signal.SIGHUP)
            server.wait("certificates_loaded", 2, pid=keeper)
            with TlsPeer(server, pki.client()) as another:
                assert another.shown != before
            assert version(peer)


@pytest.mark.parametrize("part", ["--certfile", "--ca-certs"])
def test_a_file_that_never_ends_is_given_up(pki: Pki, part: str) -> None:
    """As one on a disk that does not answer: it is a pipe that nobody writes to."""
    os.mkfifo(pki.folder / "pipe")
    options = {"--certfile": "server.pem", "--keyfile": "server.key", "--ca-certs": "ca.pem", "--cert-reqs": "optional"}
    chosen = [word for pair in (options | {part: "pipe"}).items() for word in pair]
    with Server(*ARGS, *chosen, cwd=pki.folder, ready=False) as server:
        assert server.exit_code() == 2
        assert "could not be read within 10 s" in server.other[-1]
