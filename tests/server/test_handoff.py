"""Connections that outlive their worker: handed over with what was received, spread evenly, or ended politely."""

from __future__ import annotations

import os
import signal
import struct
from collections import Counter
from pathlib import Path

import pytest

from tests.harness import Server
from tests.server.raw import REPLY, Peer, field, i32, message, text
from tests.server.waiting import ARGS, named, write_waiting


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_waiting(tmp_path)


def number(peer: Peer, data: bytes) -> int:
    """The i32 result of a call."""
    answer = peer.ask(data)
    assert answer is not None, "the connection was dropped"
    assert answer.kind == REPLY
    result: int = struct.unpack_from(">i", answer.body, 3)[0]
    return result


def pid(peer: Peer) -> int:
    return number(peer, message("pid"))


@pytest.mark.parametrize("length", [10, 200_000], ids=["small", "large"])
def test_a_retiring_worker_passes_on_connections_with_what_it_has_read(
    folder: Path, env: dict[str, str], length: int
) -> None:
    with Server(*ARGS, "--workers", "2", cwd=folder, env=env) as server, Peer(server) as idle, Peer(server) as half:
        peers = [idle, half, *(Peer(server) for _ in range(6))]
        old = pid(half)
        request = message("size", field(11, 1, text("x" * length)) + b"\0")
        half.send(request[: length // 2])
        other = next(each for each in server.workers() if each != old)
        os.kill(old, signal.SIGUSR2)
        server.wait("worker_exit", pid=old, code=0)
        assert number(half, request[length // 2 :]) == length
        assert all(pid(each) != old for each in peers)
        assert other in {pid(each) for each in peers}
        for each in peers:
            each.sock.close()


def test_a_call_that_runs_is_answered_before_its_connection_moves(folder: Path, env: dict[str, str]) -> None:
    with Server(*ARGS, "--workers", "2", cwd=folder, env=env) as server, Peer(server) as busy:
        old = pid(busy)
        busy.send(named("wait", "go"))
        server.wait("waiting", name="go")
        os.kill(old, signal.SIGUSR2)
        busy.send(message("pid", seqid=8))  # arrives while the call before it still runs
        (folder / "go").touch()
        first, second = busy.answer(), busy.answer()
        assert first is not None
        assert first.body == field(11, 0, text("go")) + b"\0"
        assert second is not None
        assert second.seqid == 8
        server.wait("worker_exit", pid=old, code=0)
        assert pid(busy) != old


def test_term_answers_what_was_received_and_says_good_bye(folder: Path, env: dict[str, str]) -> None:
    with Server(*ARGS, cwd=folder, env=env) as server, Peer(server) as busy, Peer(server) as idle:
        assert pid(idle) == pid(busy)
        busy.send(named("wait", "go", 1))
        busy.send(b"".join(message("pid", seqid=2 + n) for n in range(100)))
        server.wait("waiting", name="go")
        server.signal(signal.SIGTERM)
        server.wait("stopping")
        assert idle.rest() == b""
        (folder / "go").touch()
        for n in range(101):
            answer = busy.answer()
            assert answer is not None
            assert (answer.seqid, answer.kind) == (1 + n, REPLY)
        assert busy.rest() == b""
        assert server.exit_code() == 0
        assert not server.found("calls_cut")


def test_connections_are_spread_evenly_and_evened_out(folder: Path) -> None:
    with Server(*ARGS, "--workers", "4", cwd=folder) as server:
        peers = [Peer(server) for _ in range(16)]

        def most() -> int:
            return max(Counter(map(pid, peers)).values())

        # At once, unless the machine is so busy that the worker whose turn it is does not run in time.
        server.eventually(lambda: most() <= 6, "an even spread")
        places = {each: pid(each) for each in peers}
        emptied = set(server.workers()[:2])
        stay = [each for each, place in places.items() if place not in emptied]
        for each in set(peers) - set(stay):
            each.sock.close()

        def even() -> bool:
            counts = Counter(pid(each) for each in stay)
            return max(counts.values()) <= -(-len(stay) // 4) + 1  # a share and one more is left in peace

        server.eventually(even, "evening out")
        for each in stay:
            each.sock.close()


def test_an_argument_is_read_from_its_own_bytes_when_connections_interleave(folder: Path) -> None:
    """All connections of a worker share one inbox."""
    with Server(*ARGS, cwd=folder) as server:
        peers = [Peer(server) for _ in range(20)]
        for round_ in range(20):
            for n, each in enumerate(peers):
                each.send(message("size", field(11, 1, text("x" * (n * 3001 + round_))) + b"\0"))
            for n, each in enumerate(peers):
                answer = each.answer()
                assert answer is not None
                assert answer.body == field(8, 0, i32(n * 3001 + round_)) + b"\0"
        for each in peers:
            each.sock.close()
