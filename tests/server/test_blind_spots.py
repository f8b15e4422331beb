"""What an operator would otherwise not see: each as a metric, in the log, and from ``ctl``, with a real server."""

from __future__ import annotations

import os
import resource
import signal
import struct
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.harness import Server
from tests.server.control import ctl
from tests.server.raw import Peer, add, field, message
from tests.server.services import ARGS

ADMIN = ("--admin", "127.0.0.1:0")
NAP = message("nap", field(4, 1, struct.pack(">d", -1.0)) + b"\0")


def sample(server: Server, name: str, **labels: str) -> float:
    address = server.wait("admin_listening")["addresses"][0]
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        page = answer.read().decode()
    return sum(
        each.value
        for family in text_string_to_metric_families(page)
        for each in family.samples
        if each.name == f"thriftserver_{name}" and labels.items() <= each.labels.items()
    )


def test_what_dies_with_a_worker_is_counted(folder: Path) -> None:
    with Server(*ARGS, *ADMIN, cwd=folder) as server, Peer(server) as busy, Peer(server):
        busy.send(NAP)
        server.wait("napping")
        pid = server.wait("worker_ready")["pid"]
        server.eventually(lambda: sample(server, "connections") == 2, "two connections")
        assert sample(server, "calls_total", outcome="lost") == 0
        os.kill(pid, signal.SIGKILL)
        server.wait("call_lost", method="nap")
        server.wait("worker_exit", signal=9)
        assert sample(server, "calls_total", method="nap", outcome="lost") == 1
        assert sample(server, "connections_lost_total") == 2
        assert sample(server, "worker_exit_reasons_total", reason="killed") == 1
        assert sample(server, "worker_exit_reasons_total") == sample(server, "worker_exits_total") == 1


def test_a_worker_that_has_served_enough_says_so_in_its_end(folder: Path) -> None:
    with Server(*ARGS, *ADMIN, "--max-requests", "1", cwd=folder) as server:
        with Peer(server) as peer:
            assert peer.ask(message("add", add(1, 2))) is not None
            server.wait("worker_spent", reason="max_requests")
            server.wait("worker_exit", code=0)
        assert sample(server, "worker_exit_reasons_total", reason="max_requests") == 1


def test_a_full_worker_is_told_counted_and_shown(folder: Path) -> None:
    with Server(*ARGS, *ADMIN, "--max-connections", "3", cwd=folder) as server, ExitStack() as stack:
        assert sample(server, "connections_limit", worker="1") == 3
        for _ in range(4):
            stack.enter_context(Peer(server))
        assert server.wait("connections_full")["connections"] == 3
        assert sample(server, "workers_full") == 1
        assert sample(server, "oddities_total", kind="connections_full") >= 1


def test_bad_peers_are_counted(folder: Path) -> None:
    with Server(*ARGS, *ADMIN, cwd=folder) as server:
        with Peer(server) as peer:
            peer.sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            server.wait("bad_peer")
        assert sample(server, "oddities_total", kind="bad_peer") == 1


def test_limits_that_cannot_hold_are_told_at_the_start_and_on_reload(folder: Path) -> None:
    with Server(*ARGS, "--max-rss", "1m", cwd=folder, prefix=("prlimit", "--nofile=64")) as server:
        told = server.wait("descriptor_limit_low")
        assert (told["level"], told["limit"], told["max_connections"]) == ("warning", 64, 10_000)
        assert "ulimit -n" in told["advice"]
        told = server.wait("max_rss_low")
        assert (told["level"], told["max_rss"]) == ("warning", 1 << 20)
        assert "MiB when it starts" in told["advice"]
        server.signal(signal.SIGHUP)
        server.wait("descriptor_limit_low", 2)
        server.wait("max_rss_low", 2)


def test_limits_that_hold_are_not_mentioned(folder: Path) -> None:
    enough = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 4096) - 64
    with Server(*ARGS, "--max-rss", "1g", "--max-connections", str(enough), cwd=folder) as server:
        assert not server.found("descriptor_limit_low")
        assert not server.found("max_rss_low")


def test_a_reload_says_what_it_ignored(folder: Path) -> None:
    (folder / "conf.toml").write_text("workers = 1\n")
    with Server(*ARGS, "--config", "conf.toml", "--control", "control", cwd=folder) as server:
        done = ctl(folder, "reload")
        assert (done.returncode, "ignored" in done.stdout) == (0, False)
        (folder / "conf.toml").write_text('workers = 1\nbacklog = 99\nname = "other"\n')
        done = ctl(folder, "reload")
        assert done.returncode == 0
        assert "ignored until a restart or an upgrade: --name, --backlog" in done.stdout
        server.wait("reload_ignores", option="backlog")


def test_ctl_workers_speaks_as_people_do(folder: Path) -> None:
    with Server(*ARGS, "--control", "control", "--timeout", "0", cwd=folder) as server:
        assert " MiB" in ctl(folder, "workers").stdout
        (pid,) = server.workers()
        os.kill(pid, signal.SIGSTOP)
        try:
            server.eventually(lambda: "stuck" in ctl(folder, "workers").stdout, "a stuck worker")
        finally:
            os.kill(pid, signal.SIGCONT)
        server.eventually(lambda: "serving" in ctl(folder, "workers").stdout, "a worker that serves")
