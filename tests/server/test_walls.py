"""What a reload, a start or a scaling may meet ends nothing: one sentence, and the old goes on."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from pathlib import Path

import pytest

from tests.harness import Server, run
from tests.server.raw import Peer, message
from tests.server.services import ARGS, write_demo

BROKEN = {
    "nested": "x = " + "[" * 5000,
    "digits": "workers = " + "9" * 5000,
    "hexadecimal": "workers = 0x" + "f" * 6000,
    "years": 'graceful_timeout = "' + "9" * 400 + '"',
    "workers": "workers = 999999999",
    "size": 'max_frame = "' + "9" * 5000 + 'g"',
    "user": 'user = "' + "9" * 5000 + '"',
}


def served(server: Server) -> None:
    with Peer(server) as peer:
        assert peer.ask(message("pid")) is not None


@pytest.mark.parametrize("what", BROKEN)
def test_a_configuration_that_breaks_its_reader_is_one_message(folder: Path, what: str) -> None:
    (folder / "c.toml").write_text(BROKEN[what])
    done = run(folder, "run", *ARGS, "--bind", "127.0.0.1:0", "-c", "c.toml")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


def test_reloads_that_break_their_reader_are_rejected(folder: Path) -> None:
    (folder / "c.toml").write_text("")
    with Server(*ARGS, "-c", "c.toml", cwd=folder) as server:
        for number, text in enumerate(BROKEN.values(), 1):
            (folder / "c.toml").write_text(text)
            server.signal(signal.SIGHUP)
            rejected = server.wait("reload_rejected", count=number)
            assert "Traceback" not in rejected["reason"]
            served(server)
        assert not server.found("master_error")


def test_a_directory_that_is_gone_ends_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with Server(*ARGS, cwd=write_demo(folder)) as server:
        shutil.rmtree(folder)
        server.signal(signal.SIGHUP)
        assert "gone" in server.wait("reload_rejected")["reason"]
        served(server)


def test_without_a_descriptor_nothing_ends_and_later_all_goes_on(folder: Path) -> None:
    with Server(*ARGS, "--control", "control", cwd=folder) as server:
        before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        used = max(int(each) for each in os.listdir(f"/proc/{server.pid}/fd")) + 1
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used, before[1]))
        server.signal(signal.SIGTTIN)
        assert "descriptors" in server.wait("spawn_failed")["reason"]
        server.signal(signal.SIGHUP)
        server.wait("reload_rejected")
        server.signal(signal.SIGUSR2)
        server.wait("upgrade_failed")
        served(server)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)
        server.wait("worker_ready", count=2)
        served(server)


def test_without_memory_nothing_ends_and_later_all_goes_on(folder: Path) -> None:
    idl = (folder / "demo.thrift").read_text()
    with Server(*ARGS, cwd=folder) as server:
        size = int(Path(f"/proc/{server.pid}/statm").read_text().split()[0]) * resource.getpagesize()
        before = resource.prlimit(server.pid, resource.RLIMIT_AS)
        resource.prlimit(server.pid, resource.RLIMIT_AS, (size + (1 << 20), before[1]))
        (folder / "demo.thrift").write_text(idl + "#" + "x" * 3_900_000)
        server.signal(signal.SIGHUP)
        assert "memory" in server.wait("reload_rejected")["reason"].lower()
        served(server)
        (folder / "demo.thrift").write_text(idl)
        server.signal(signal.SIGHUP)
        server.wait("reload_rejected", count=2)  # there is none for a worker either, which has the master's limit
        served(server)
        resource.prlimit(server.pid, resource.RLIMIT_AS, before)
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        served(server)
