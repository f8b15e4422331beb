"""What TLS is measured by: crowds at the door, idle connections by the thousand, a keeper that dies, under load."""

from __future__ import annotations

import os
import resource
import signal
import ssl
import time
from datetime import datetime
from typing import Any

import pytest

from tests.harness import Server
from tests.load import Load
from tests.server.raw import Peer, add, message
from tests.server.services import ARGS
from tests.server.test_failures import resident
from tests.support import need
from tests.tls.pki import Pki, TlsPeer
from tests.tls.test_changes import Plain

pytestmark = [pytest.mark.promises, pytest.mark.timeout(600)]

ADD = message("add", add(20, 22))


def p99(peer: Peer, calls: int = 2000) -> float:
    """Of a steady client's calls, in seconds."""
    took = []
    for _ in range(calls):
        began = time.perf_counter()
        assert peer.ask(ADD) is not None
        took.append(time.perf_counter() - began)
    return sorted(took)[calls * 99 // 100]


def stall(server: Server, number: int, context: ssl.SSLContext) -> Peer:
    """A peer that stops in its handshake: before it, in the middle of its first message, or after that."""
    sent = ssl.MemoryBIO()
    hello = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        hello.do_handshake()
    peer = Peer(server)
    data = sent.read()
    peer.send(data[: (0, len(data) // 2, len(data))[number % 3]])
    return peer


def test_200_stalled_handshakes_leave_the_p99_of_a_steady_client_within_twice_its_own(pki: Pki) -> None:
    """Rounds take turns and the best of each kind count: whatever else the machine does, it does in both."""
    context = pki.client()
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server, TlsPeer(server, context) as steady:
        p99(steady)
        quiet, crowded = [], []
        for _ in range(5):
            quiet.append(p99(steady))
            crowd = [stall(server, number, context) for number in range(200)]
            crowded.append(p99(steady))
            for each in crowd:
                each.reset()
        assert min(crowded) <= 2 * min(quiet), (quiet, crowded)


def test_5000_idle_connections_cost_at_most_40_kib_each(pki: Pki) -> None:
    need(resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 11_000, "11,000 descriptors (ulimit -n)")
    context, count = pki.client(), 5000
    with Server(*ARGS, *pki.options(), "-w", "2", cwd=pki.folder) as server:
        with TlsPeer(server, context) as first:
            assert first.ask(ADD) is not None
        before = sum(map(resident, server.workers()))
        peers = [TlsPeer(server, context) for _ in range(count)]
        for each in peers:
            assert each.ask(ADD) is not None
        cost = (sum(map(resident, server.workers())) - before) / count
        assert cost <= 40 << 10, f"{cost:.0f} bytes"
        for each in peers:
            each.sock.close()


def test_a_keeper_that_is_killed_under_load_is_mended_within_a_second(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), "-b", "127.0.0.1:0", "-b", "plain:127.0.0.1:0", cwd=pki.folder) as server:
        with Load(Plain(server.addresses[1]), 8) as others, Load(server, 8, reconnect=True, tls=pki.client()) as load:
            server.eventually(lambda: load.calls > 100, "calls through all connections")
            os.kill(server.wait("certificates_loaded")["pid"], signal.SIGKILL)
            gone = server.wait("auxiliary_exit")
            server.wait("certificates_loaded", 2)
            served = load.calls
            server.eventually(lambda: load.calls > served + 100, "calls through the next one")
        assert when(server.found("certificates_loaded")[1]) - when(gone) < 1
        assert others.clean(), others
        assert load.dropped == gone["connections"] == 8
        assert (load.wrong, load.refused) == ([], 0)
        errors = {each["event"] for each in server.events if each["level"] == "error"}
        assert errors == {"auxiliary_exit"}


def when(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()
