"""``thriftserver run --admin`` under load: what it counts is what clients did, whatever happens to workers."""

from __future__ import annotations

import json
import os
import signal
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.harness import Server
from tests.load import Load
from tests.server.raw import Peer, field, message, text
from tests.server.services import ARGS, write_demo
from thriftserver.scoreboard.board import Board


@pytest.fixture
def server(tmp_path: Path) -> Any:
    folder = write_demo(tmp_path)
    with Server(*ARGS, "--workers", "2", "--admin", "127.0.0.1:0", cwd=folder) as running:
        yield running


def get(server: Server, path: str) -> tuple[int, str]:
    address = server.wait("admin_listening")["addresses"][0]
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def sample(server: Server, name: str, **labels: str) -> float:
    """The sum of a metric's samples with these labels."""
    _, page = get(server, "/metrics")
    return sum(
        each.value
        for family in text_string_to_metric_families(page)
        for each in family.samples
        if each.name == name and labels.items() <= each.labels.items()
    )


def staying(server: Server) -> list[int]:
    """Pids of the workers that are there to stay: not those that a reload before is just retiring."""
    told = json.loads(get(server, "/workers")[1])
    return [each["pid"] for each in told["workers"] if each["generation"] == told["generation"]]


def test_counters_add_up_after_deaths_and_reloads(server: Server) -> None:
    totals = []
    answered = 0
    for _ in range(3):
        with Load(server, 8, reconnect=True) as load:
            victim = staying(server)[0]
            server.eventually(lambda: load.calls > 500, "calls")
            os.kill(victim, signal.SIGKILL)
            server.wait("worker_exit", pid=victim, signal=9)
            server.signal(signal.SIGHUP)
            server.wait("reloaded", count=len(totals) + 1)
        answered += load.calls
        assert not load.wrong
        # A reply may be on its way when its worker is killed: counted there, lost here, or the other way round.
        counted = sample(server, "thriftserver_calls_total", method="add", outcome="success")
        assert answered - 24 <= counted <= answered + 24
        totals.append(counted)
    assert totals == sorted(totals)


def test_without_deaths_every_call_is_counted_once(server: Server) -> None:
    with Load(server, 8) as load:
        server.eventually(lambda: load.calls > 1000, "calls")
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        server.wait("worker_exit", count=2, code=0)
    assert load.clean(), load
    assert sample(server, "thriftserver_calls_total", method="add", outcome="success") == load.calls


def test_percentiles_are_those_of_a_client(server: Server) -> None:
    """Calls that last: what a client measures is then the server's time, and what it had to wait for a processor."""
    short, long = 0.06, 0.24
    durations = []
    with Peer(server) as peer:
        for n in range(40):
            seconds = short if n % 10 else long
            started = time.perf_counter()
            peer.ask(message("nap", field(4, 1, struct.pack(">d", seconds)) + b"\0"))
            durations.append(time.perf_counter() - started)
    (nap,) = [method for method in json.loads(get(server, "/methods")[1])["methods"] if method["method"] == "nap"]
    ranked = sorted(durations)
    for key, rank, least in (("p50_ever", 20, short), ("p99_ever", 39, long)):
        assert least * 0.95 <= nap[key] <= ranked[rank] * 1.05, (nap, ranked)


def test_readiness_tells_while_every_worker_is_stuck(server: Server) -> None:
    assert get(server, "/readyz")[0] == 200
    address = server.wait("admin_listening")["addresses"][0]
    assert address
    stuck = staying(server)
    for pid in stuck:
        os.kill(pid, signal.SIGSTOP)
    try:
        server.eventually(lambda: get(server, "/readyz")[0] == 503, "unready")
        assert get(server, "/healthz")[0] == 200
    finally:
        for pid in stuck:
            os.kill(pid, signal.SIGCONT)
    server.eventually(lambda: get(server, "/readyz")[0] == 200, "ready again")


def test_an_error_s_id_leads_from_the_client_to_the_page(server: Server) -> None:
    with Peer(server) as peer:
        answer = peer.ask(message("fail", field(11, 1, text("value")) + b"\0"))
        assert answer is not None
    error_id = answer.message.rpartition(" ")[2]
    assert error_id in get(server, "/errors")[1]
    assert server.wait("handler_failed", error_id=error_id)["method"] == "fail"


def test_the_admin_process_comes_back(server: Server) -> None:
    assert get(server, "/healthz")[0] == 200
    workers = set(staying(server))
    (admin,) = set(server.workers()) - workers
    os.kill(admin, signal.SIGKILL)
    server.wait("auxiliary_exit")
    assert get(server, "/healthz")[0] == 200
    assert {pid for pid in server.workers() if pid in workers} == workers


def test_a_reload_does_not_make_the_page_forget(server: Server) -> None:
    def past() -> list[float]:
        rates: list[float] = json.loads(get(server, "/history")[1])["series"][""]["rate"]
        return [rate for rate in rates if rate]

    with Load(server, 2):
        server.eventually(lambda: bool(past()), "a sample with calls")
    before = past()
    (admin,) = set(server.workers()) - set(staying(server))
    server.signal(signal.SIGHUP)
    server.wait("reloaded")
    server.wait("worker_exit", 2, code=0)
    server.eventually(lambda: admin not in server.workers(), "end of the old admin process")
    assert past()[: len(before)] == before
    events = json.loads(get(server, "/workers")[1])["events"]
    server.eventually(lambda: "ended" in get(server, "/workers")[1], "news of the old workers")
    assert events == json.loads(get(server, "/workers")[1])["events"][: len(events)]


def test_it_reckons_with_the_workers_that_are_wanted_now(server: Server) -> None:
    server.signal(signal.SIGTTIN)
    server.wait("worker_ready", 3)
    assert json.loads(get(server, "/readyz")[1])["wanted"] == 3
    assert sample(server, "thriftserver_workers_wanted") == 3
    server.signal(signal.SIGWINCH)
    server.wait("worker_exit", 3)
    status, text = get(server, "/readyz")
    assert (status, "the service rests" in text) == (503, True)
    assert sample(server, "thriftserver_ready") == 0
    server.signal(signal.SIGTTIN)
    server.eventually(lambda: get(server, "/readyz")[0] == 200, "readiness")


@contextmanager
def scoreboard(server: Server) -> Iterator[Board]:
    """The server's own board."""
    folder = Path(f"/proc/{server.pid}/fd")
    path, *_ = [each for each in folder.iterdir() if "thriftserver-scoreboard" in os.readlink(each)]
    descriptor = os.open(path, os.O_RDWR)
    board = Board.attach(descriptor)
    try:
        yield board
    finally:
        os.close(descriptor)
