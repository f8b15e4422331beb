"""A client among servers that are slow, broken or gone: a call ends in time, and no answer is taken for another's."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import thriftserver
from tests.client.peers import Peer, answer, reply, take
from tests.client.shells import BOTH, ONLY_SYNC, either
from tests.client.ticks import Interrupted, ticks
from tests.harness import PATIENCE
from thriftserver.errors import TransportError

IDL = "service S { i32 ping(), oneway void note(1: binary data), i32 put(1: binary data) }"
API = either(thriftserver.load("/client/s.thrift", files={"/client/s.thrift": IDL}))
pytestmark = BOTH
SHORT = 0.3
BIG = bytes(64 << 20)


def client(peer: Peer, timeout: float | None = PATIENCE, **options: Any) -> Any:
    return API.S.Client("127.0.0.1", peer.port, timeout=timeout, **options)


def in_time(call: Callable[[], Any]) -> str:
    """The message of a call that times out, when it should."""
    begun = time.monotonic()
    with pytest.raises(TransportError) as error:
        call()
    assert SHORT * 0.9 <= time.monotonic() - begun < SHORT * 3
    return str(error.value)


def dripping(first: int) -> Callable[[socket.socket], None]:
    """Answers ``first`` bytes at once and the others one by one, each well within the timeout."""

    def script(sock: socket.socket) -> None:
        data, closed = reply(*take(sock)), threading.Event()
        sock.sendall(data[:first])
        for byte in data[first:]:
            closed.wait(SHORT / 2)
            sock.sendall(bytes([byte]))

    return script


def silent(sock: socket.socket) -> None:
    """Reads nothing, says nothing, until the client is gone."""
    threading.Event().wait(SHORT * 4)


@pytest.mark.parametrize(("first", "phase"), [(0, "waiting for the reply"), (4, "receiving the reply of 24 bytes")])
def test_a_timeout_is_the_whole_calls_however_its_answer_drips(first: int, phase: str) -> None:
    with Peer(dripping(first)) as peer, client(peer, SHORT) as it:
        assert in_time(it.ping) == f"ping at 127.0.0.1:{peer.port}: timed out after {SHORT} s while {phase}"


@pytest.mark.parametrize("method", ["put", "note"])
def test_a_request_that_does_not_leave_times_out(method: str) -> None:
    with Peer(silent) as peer, client(peer, SHORT) as it:
        assert "while sending the request of 671" in in_time(lambda: getattr(it, method)(BIG))


def test_what_the_kernel_gives_up_is_told_as_such() -> None:
    """Its limits (of keepalive, for one) are not the call's, which may have none."""
    over = threading.Event()

    def deaf(sock: socket.socket) -> None:
        over.wait(PATIENCE)

    with Peer(deaf) as peer, client(peer, None) as it:
        it.__channel__._line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 300)
        with pytest.raises(TransportError, match=r"broke while sending the request of \d+ bytes: Connection timed out"):
            it.put(BIG)
        over.set()


def test_a_connection_that_is_not_taken_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        host, port = full.getsockname()
        waiting = [socket.socket() for _ in range(3)]  # more than the kernel queues: the next SYN is dropped
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex((host, port))
        connect = API.S.Client  # imports what it needs
        text = in_time(lambda: connect(host, port, timeout=SHORT))
        assert text == f"cannot connect to {host}:{port}: timed out after {SHORT} s while connecting"
        for sock in waiting:
            sock.close()


def test_a_late_answer_is_never_the_next_calls() -> None:
    late = threading.Event()

    def slow(sock: socket.socket) -> None:
        name, seqid = take(sock)
        late.wait(PATIENCE)
        sock.sendall(reply(name, seqid, value=1))
        answer(sock)

    with Peer(slow, answer) as peer, client(peer, SHORT) as it:
        in_time(it.ping)
        late.set()
        assert [it.ping() for _ in range(3)] == [7, 7, 7]
        assert peer.connections == 2


def test_an_answer_that_nobody_asked_for_is_not_taken_for_one() -> None:
    said = threading.Event()

    def chatty(sock: socket.socket) -> None:
        name, seqid = take(sock)
        sock.sendall(reply(name, seqid) + reply(name, seqid + 1, value=666))
        said.set()
        silent(sock)

    with Peer(chatty, answer) as peer, client(peer) as it:
        assert it.ping() == 7
        said.wait(PATIENCE)
        assert it.ping() == 7
        assert peer.connections == 2


def test_a_connection_that_the_server_has_closed_meanwhile_is_made_anew() -> None:
    def once(sock: socket.socket) -> None:
        sock.sendall(reply(*take(sock)))

    with Peer(once) as peer, client(peer) as it:
        for number in range(1, 4):
            assert it.ping() == 7
            assert peer.connections == number
            sock = it.__channel__._line.sock
            # An asyncio loop may have seen it already.
            assert sock.fileno() < 0 or select.select([sock], [], [], PATIENCE)[0], "the end has arrived"


@ONLY_SYNC
def test_an_interrupted_call_leaves_no_answer_for_the_next() -> None:
    interrupted = threading.Event()

    def slow(sock: socket.socket) -> None:
        name, seqid = take(sock)
        interrupted.wait(PATIENCE)
        sock.sendall(reply(name, seqid, value=1))

    def interrupt(count: int) -> None:
        if count == 1:
            raise Interrupted

    with Peer(slow, answer) as peer, client(peer) as it:
        with pytest.raises(Interrupted), ticks(interrupt):
            it.ping()
        interrupted.set()
        assert [it.ping(), it.ping()] == [7, 7]
        assert peer.connections == 2


def sending(make: Callable[[str, int], bytes]) -> Callable[[socket.socket], None]:
    def script(sock: socket.socket) -> None:
        sock.sendall(make(*take(sock)))

    return script


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda name, seqid: reply(name, seqid + 1), "cannot read the reply: the reply to call 1 bears the number 2"),
        (lambda name, seqid: reply("pong", seqid), "cannot read the reply: the reply to ping is one to 'pong'"),
        (lambda name, seqid: reply(name, seqid, kind=1), "cannot read the reply: message kind 1 is no reply"),
        (lambda name, seqid: b"\0\0\0\x0f" + reply(name, seqid)[4:19], "cannot read the reply: bad message header"),
        (lambda name, seqid: b"\0\0\0\x14" + reply(name, seqid)[4:24], "cannot read the reply: result: truncated"),
        (
            lambda name, seqid: reply(name, seqid)[:9],
            "the server closed the connection while receiving the reply of 24",
        ),
        (lambda name, seqid: b"\0\0", "the server closed the connection while waiting for the reply"),
        (lambda name, seqid: b"", "the server closed the connection while waiting for the reply"),
        (
            lambda name, seqid: reply(name, seqid)[4:],
            "seems to be unframed-binary: give the client dialect='unframed-b",
        ),
        (lambda name, seqid: b"HTTP/1.1 400 Bad Request\r\n\r\n", "the answer starts with b'HTTP', which is no length"),
        (lambda name, seqid: b"\x01\0\0\0" + bytes(100), "the reply has 16777216 bytes, more than this client's max_f"),
    ],
    ids=["number", "name", "kind", "header", "body", "half", "stump", "nothing", "unframed", "http", "large"],
)
def test_a_broken_answer_is_told_and_the_next_call_is_well(make: Callable[[str, int], bytes], message: str) -> None:
    with Peer(sending(make), answer) as peer, client(peer) as it:
        with pytest.raises(TransportError) as error:
            it.ping()
        assert str(error.value).startswith(f"ping at 127.0.0.1:{peer.port}: ")
        assert message in str(error.value)
        assert it.ping() == 7


@pytest.mark.parametrize("limit", [24, 23])
def test_max_frame_is_the_largest_reply(limit: int) -> None:
    with Peer(answer) as peer, client(peer, max_frame=limit) as it:
        if limit == 24:
            assert it.ping() == 7
        else:
            with pytest.raises(TransportError, match=r"24 bytes, more than this client's max_frame \(23\)"):
                it.ping()


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": -1.0}, {"max_frame": 0}, {"max_frame": 1 << 31}])
def test_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        API.S.Client("127.0.0.1", 1, **options)


@ONLY_SYNC
def test_two_threads_do_not_read_each_others_answers() -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(sock: socket.socket) -> None:
        request = take(sock)
        asked.set()
        go.wait(PATIENCE)
        sock.sendall(reply(*request))
        answer(sock)

    with Peer(slow) as peer, client(peer) as it:
        results: list[int] = []
        first = threading.Thread(target=lambda: results.append(it.ping()))
        first.start()
        asked.wait(PATIENCE)
        with pytest.raises(RuntimeError, match="threads and greenlets need a client each"):
            it.ping()
        go.set()
        first.join(PATIENCE)
        assert results == [7]
        assert it.ping() == 7
