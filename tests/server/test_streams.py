"""What becomes of requests whose peer hangs up, of answers around a frame that cannot be read, and of those who need no
seat while as many calls run as may.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import Server
from tests.server.raw import EXCEPTION, REPLY, Answer, Peer, field, framed, i32, message, text

IDL = """
service Streams {
  i32 echo(1: i32 n)
  i32 wait(1: string name)
  i32 block(1: string name)
  string big(1: i32 size)
  oneway void note(1: string name)
  oneway void hang(1: string name)
}
"""
HANDLER = """
import json, os, pathlib, time


def tell(event, **facts):
    os.write(2, (json.dumps({"event": event, "level": "debug", **facts}) + "\\n").encode())


class Impl:
    def echo(self, n): return n
    def big(self, size): return "x" * size

    def wait(self, name):
        tell("waiting", name=name)
        while not pathlib.Path(name).exists():
            time.sleep(0.005)
        return 1

    def block(self, name):
        while name and not pathlib.Path(name).exists():
            pass  # and nobody else runs
        return 1

    def note(self, name): tell("noted", name=name)
    def hang(self, name): self.wait(name)
"""
ARGS = ("--idl", "streams.thrift", "--handler", "streams:Impl", "--max-frame", "1000000")
#: At most one call runs, so whatever else comes has to wait for it.
NARROW = ("--max-inflight", "1", "--queue-timeout", "0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "streams.thrift").write_text(IDL)
    (tmp_path / "streams.py").write_text(HANDLER)
    return tmp_path


@pytest.fixture
def serve(folder: Path, env: dict[str, str]) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*options: str, **how: object) -> Server:
        servers.append(Server(*ARGS, *options, cwd=folder, env=env, **how))  # type: ignore[arg-type]
        return servers[-1]

    yield start
    for each in servers:
        each.stop()


def named(method: str, name: str, seqid: int = 7) -> bytes:
    return message(method, field(11, 1, text(name)) + b"\0", seqid=seqid)


def echo(n: int) -> bytes:
    return message("echo", field(8, 1, i32(n)) + b"\0", seqid=n)


def is_echo(answer: Answer | None, n: int) -> bool:
    return answer == Answer(REPLY, "echo", n, field(8, 0, i32(n)) + b"\0")


def close(peer: Peer) -> None:
    peer.sock.close()


def half_close(peer: Peer) -> None:
    peer.sock.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("leave", [close, half_close, Peer.reset], ids=["close", "half-close", "reset"])
@pytest.mark.parametrize("pipeline", ["1", "4"])
def test_a_oneway_that_was_received_runs_whatever_its_sender_does(
    serve: Callable[..., Server], folder: Path, pipeline: str, leave: Callable[[Peer], None]
) -> None:
    server = serve(*NARROW, "--pipeline", pipeline)
    with Peer(server) as busy, Peer(server) as sender:
        assert is_echo(sender.ask(echo(1)), 1)
        busy.send(named("wait", "go"))
        server.wait("waiting", name="go")
        sender.send(b"".join(named("note", str(n)) for n in range(40)))
        # Another connection has been taken since, so the loop has seen what came before.
        with Peer(server):
            leave(sender)
            (folder / "go").touch()
            assert busy.answer() is not None
        for n in range(40):
            server.wait("noted", name=str(n))
        assert len(server.found("noted")) == 40


def test_oneways_behind_a_reply_that_reaches_nobody_run(serve: Callable[..., Server], folder: Path) -> None:
    server = serve()
    with Peer(server) as sender:
        sender.send(named("wait", "go") + echo(1) + b"".join(named("note", str(n)) for n in range(40)))
        server.wait("waiting", name="go")
        sender.reset()
        (folder / "go").touch()
        server.wait("noted", name="39")
        assert len(server.found("noted")) == 40


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_a_half_closed_connection_is_answered(serve: Callable[..., Server], folder: Path, busy: bool) -> None:
    server = serve(*NARROW)
    with Peer(server) as other, Peer(server) as sender:
        if busy:
            other.send(named("wait", "go"))
            server.wait("waiting", name="go")
        sender.send(echo(1) + echo(2))
        half_close(sender)
        (folder / "go").touch()
        assert is_echo(sender.answer(), 1)
        assert is_echo(sender.answer(), 2)
        assert sender.answer() is None


BAD = {
    "header": framed(b"\x80\x02\x00\x01nonsense"),
    "text": framed(b"nonsense"),
    "name": message("n" * 257),
    "negative": struct.pack(">i", -5),
    "oversize": struct.pack(">i", 2_000_000) + message("echo", seqid=99)[4:],
}


@pytest.mark.parametrize("pipeline", ["1", "4"])
@pytest.mark.parametrize("case", BAD)
def test_behind_what_cannot_be_read_nothing_is_served_and_before_it_all_is(
    serve: Callable[..., Server], folder: Path, pipeline: str, case: str
) -> None:
    server = serve("--pipeline", pipeline)
    with Peer(server) as peer, Peer(server) as other:
        behind = b"".join(named("note", "behind") for _ in range(3)) + echo(3)
        peer.send(named("wait", "go", seqid=1) + echo(2) + BAD[case] + behind)
        server.wait("waiting", name="go")
        if pipeline != "1":
            server.wait("bad_peer", peer=peer.name)
        (folder / "go").touch()
        first = peer.answer()
        assert first is not None
        assert (first.name, first.seqid) == ("wait", 1)
        assert is_echo(peer.answer(), 2)
        if case == "oversize":
            answer = peer.answer()
            assert answer is not None
            assert (answer.kind, answer.seqid, answer.type) == (EXCEPTION, 99, 7)
        assert peer.rest() == b""
        server.wait("bad_peer", peer=peer.name)
        assert is_echo(other.ask(echo(5)), 5)
        assert not server.found("noted")


@pytest.mark.parametrize("cuts", [(4,), (5,), (8,), (12,), (14,), tuple(range(1, 21))], ids=str)
def test_an_oversize_frame_is_answered_however_its_beginning_arrives(
    serve: Callable[..., Server], cuts: tuple[int, ...]
) -> None:
    server = serve()
    stream = struct.pack(">i", 2_000_000) + message("echo", seqid=99)[4:]
    with Peer(server) as peer:
        start = 0
        for cut in (*cuts, len(stream)):
            peer.send(stream[start:cut])
            with Peer(server) as other:  # the piece before has been read when the next one is sent
                assert is_echo(other.ask(echo(1)), 1)
            start = cut
        answer = peer.answer()
        assert answer is not None
        assert (answer.kind, answer.name, answer.seqid, answer.type) == (EXCEPTION, "echo", 99, 7)
        assert peer.rest() == b""


def test_a_oneway_holds_up_no_reply_behind_it(serve: Callable[..., Server], folder: Path) -> None:
    server = serve("--pipeline", "4")
    with Peer(server) as peer:
        peer.send(named("hang", "never") + echo(1) + named("hang", "never") + echo(2))
        assert is_echo(peer.answer(), 1)
        assert is_echo(peer.answer(), 2)
        (folder / "never").touch()


def test_a_reply_half_sent_goes_on_while_no_call_may_begin(serve: Callable[..., Server], folder: Path) -> None:
    server = serve(*NARROW, "--max-frame", "64000000")
    with Peer(server) as reader, Peer(server) as busy:
        reader.send(message("big", field(8, 1, i32(30_000_000)) + b"\0"))
        head = reader.exactly(4)  # it does not fit into the kernel's buffers
        busy.send(named("wait", "go"))
        server.wait("waiting", name="go")
        assert len(reader.exactly(struct.unpack(">i", head)[0])) > 30_000_000
        (folder / "go").touch()


@pytest.mark.parametrize("asked", [False, True], ids=["idle", "with a request"])
def test_connections_are_handed_over_while_no_call_may_begin(
    serve: Callable[..., Server], folder: Path, asked: bool
) -> None:
    server = serve(*NARROW, "--graceful-timeout", "2s")
    (old,) = server.workers()
    peers = [Peer(server) for _ in range(5)]
    with Peer(server) as busy:
        for peer in peers:
            assert is_echo(peer.ask(echo(1)), 1)
        busy.send(named("wait", "go"))
        server.wait("waiting", name="go")
        if asked:
            for peer in peers:
                peer.send(echo(2))
        server.signal(signal.SIGHUP)
        server.wait("calls_cut", pid=old, connections=1)
        for peer in peers:
            assert is_echo(peer.answer() if asked else peer.ask(echo(2)), 2)
            close(peer)


def test_connections_that_end_leave_while_no_call_may_begin(serve: Callable[..., Server], folder: Path) -> None:
    server = serve(*NARROW, "--max-connections", "3")
    with Peer(server) as busy, Peer(server) as idle, Peer(server) as gone:
        for peer in (idle, gone):
            assert is_echo(peer.ask(echo(1)), 1)
        busy.send(named("wait", "go"))
        server.wait("waiting", name="go")
        close(gone)
        with Peer(server) as late:  # takes the place of the one that has gone
            late.send(echo(2))
            close(idle)
            (folder / "go").touch()
            assert is_echo(late.answer(), 2)


@pytest.mark.parametrize("known", [False, True], ids=["a method not known yet", "a method that was always quick"])
def test_a_reply_that_is_ready_does_not_wait_for_the_next_call(
    serve: Callable[..., Server], folder: Path, known: bool
) -> None:
    server = serve()
    (worker,) = server.workers()
    peers = [Peer(server) for _ in range(8)]
    usual = named("block", "", seqid=1) if known else echo(1)
    with Peer(server) as slow:
        for _ in range(300):  # so many quick ones that replies may wait for each other
            for peer in peers:
                peer.send(usual)
            for peer in peers:
                assert peer.answer() is not None
        os.kill(worker, signal.SIGSTOP)  # all of them are found ready at once
        for peer in peers:
            peer.send(echo(2))
        slow.send(named("block", "go"))
        os.kill(worker, signal.SIGCONT)
        for peer in peers:
            assert is_echo(peer.answer(), 2)  # while the other one runs
            close(peer)
        (folder / "go").touch()
        assert slow.answer() is not None
