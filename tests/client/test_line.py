"""A line sends all and receives what there is, in time, whatever its peer and signals do; compiled or not."""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.client.peers import Peer, answer
from tests.client.ticks import Interrupted, ticks
from tests.harness import PATIENCE
from tests.support import ROOT, need
from thriftserver.compiled import NATIVE, variant

#: Seconds.
SHORT = 0.2
#: More than the kernel keeps of what nobody reads.
BIG = os.urandom(1 << 16) * 256


class Pair:
    """A line, and the socket at the other end."""

    def __init__(self, kind: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.line: Any = variant("client.line", kind == "native").Line(socket.socket())
            self.line.connect(listener.getsockname(), PATIENCE)
            self.peer, _ = listener.accept()
        self.peer.settimeout(PATIENCE)

    def reset(self) -> None:
        """The other end is gone, not only closed."""
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()


#: Where all is to run uncompiled (THRIFTSERVER_PURE), only that.
VARIANTS = ["pure"] if os.environ.get("THRIFTSERVER_PURE") else ["native", "pure"]


@pytest.fixture(params=VARIANTS)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    if request.param == "native":
        need(NATIVE or None, "compiled code (python setup.py build_ext --inplace)")
    pair = Pair(request.param)
    yield pair
    pair.line.close()
    pair.peer.close()


@pytest.fixture(params=[None, PATIENCE], ids=["ever", "limited"])
def timeout(request: pytest.FixtureRequest) -> float | None:
    return request.param  # type: ignore[no-any-return]


def interrupt(count: int) -> None:
    if count == 3:
        raise Interrupted


def read(peer: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = peer.recv(1 << 16)
        assert more
        data += more
    return bytes(data)


def test_all_is_sent_to_a_peer_that_is_slow_to_read(pair: Pair, timeout: float | None) -> None:
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(read(pair.peer, len(BIG) + 5)))
    reader.start()
    pair.line.send(BIG, timeout)
    pair.line.send(b"small", timeout)
    reader.join(PATIENCE)
    assert got == [BIG + b"small"]


def test_a_send_that_nobody_reads_times_out(pair: Pair) -> None:
    with pytest.raises(TimeoutError):
        pair.line.send(BIG, SHORT)


def test_a_send_to_a_peer_that_is_gone_fails(pair: Pair, timeout: float | None) -> None:
    pair.reset()
    with pytest.raises(OSError, match=r"Connection reset|Broken pipe"):
        pair.line.send(b"x", timeout)


def test_what_has_come_is_received(pair: Pair, timeout: float | None) -> None:
    pair.peer.sendall(b"abc")
    assert pair.line.receive(2, timeout) == b"ab"
    assert pair.line.receive(2, timeout) == b"c"
    pair.peer.shutdown(socket.SHUT_WR)
    assert pair.line.receive(2, timeout) == b""


@pytest.mark.parametrize("most", [1 << 10, 1 << 16, 1 << 20])
def test_reads_of_any_size(pair: Pair, timeout: float | None, most: int) -> None:
    writer = threading.Thread(target=pair.peer.sendall, args=(BIG,))
    writer.start()
    data = bytearray()
    while len(data) < len(BIG):
        part = pair.line.receive(most, timeout)
        assert 0 < len(part) <= most
        data += part
    assert data == BIG
    writer.join(PATIENCE)


def test_a_receive_without_anything_times_out_and_takes_nothing(pair: Pair) -> None:
    with pytest.raises(TimeoutError):
        pair.line.receive(9, SHORT)
    pair.peer.sendall(b"late")
    assert pair.line.receive(9, PATIENCE) == b"late"
    pair.peer.sendall(b"later")
    assert pair.line.receive(9, None) == b"later"


def test_a_receive_from_a_peer_that_is_gone_fails(pair: Pair, timeout: float | None) -> None:
    pair.reset()
    with pytest.raises(ConnectionResetError):
        pair.line.receive(9, timeout)


def test_what_there_is_to_be_read(pair: Pair) -> None:
    line = pair.line
    assert (line.quiet(), line.said()) == (True, False)
    pair.peer.sendall(b"x")
    await_readable(line)
    assert (line.quiet(), line.said()) == (False, True)
    assert line.receive(9, None) == b"x"
    assert (line.quiet(), line.said()) == (True, False)
    pair.peer.shutdown(socket.SHUT_WR)
    await_readable(line)
    assert (line.quiet(), line.said()) == (False, False)


def test_of_a_peer_that_is_gone_there_is_nothing(pair: Pair) -> None:
    pair.reset()
    await_readable(pair.line)
    assert (pair.line.quiet(), pair.line.said()) == (False, False)


def await_readable(line: Any) -> None:
    assert select.select([line.sock], [], [], PATIENCE)[0]


def test_a_handler_of_a_signal_that_raises_ends_a_wait(pair: Pair, timeout: float | None) -> None:
    with pytest.raises(Interrupted), ticks(interrupt):
        pair.line.receive(9, timeout)
    with pytest.raises(Interrupted), ticks(interrupt):
        pair.line.send(BIG, timeout)


def test_a_handler_of_a_signal_that_returns_ends_none(pair: Pair, timeout: float | None) -> None:
    def tell(count: int) -> None:
        if count == 3:
            pair.peer.sendall(b"at last")

    with ticks(tell):
        assert pair.line.receive(9, timeout) == b"at last"


def test_timeouts_of_one_line_may_differ(pair: Pair) -> None:
    with pytest.raises(TimeoutError):
        pair.line.receive(9, SHORT)
    late = threading.Timer(SHORT * 2, pair.peer.sendall, [b"late"])
    late.start()
    assert pair.line.receive(9, PATIENCE) == b"late"
    late = threading.Timer(SHORT * 2, pair.peer.sendall, [b"later"])
    late.start()
    assert pair.line.receive(9, None) == b"later"
    with pytest.raises(TimeoutError):
        pair.line.receive(9, SHORT / 10)


def test_signals_do_not_lengthen_a_timeout(pair: Pair) -> None:
    counts: list[int] = []
    with pytest.raises(TimeoutError), ticks(counts.append):
        pair.line.receive(9, SHORT * 3)
    assert counts


def test_a_closed_line_is_nobody_elses_descriptor(pair: Pair, timeout: float | None) -> None:
    number = pair.line.sock.fileno()
    one, other = socket.socketpair()
    with one, other:
        pair.line.close()
        os.dup2(one.fileno(), number)
        try:
            other.sendall(b"not for it")
            with pytest.raises(OSError, match="Bad file descriptor"):
                pair.line.send(b"x", timeout)
            with pytest.raises(OSError, match="Bad file descriptor"):
                pair.line.receive(9, timeout)
            other.setblocking(False)
            with pytest.raises(BlockingIOError):
                other.recv(1)
        finally:
            os.close(number)


GREEN = """
from gevent import monkey
monkey.patch_all()
import sys
import gevent
import thriftserver

api = thriftserver.load("/green/s.thrift", files={"/green/s.thrift": "service S { i32 ping() }"})
clients = [api.S.Client("127.0.0.1", int(sys.argv[1]), timeout=timeout) for timeout in (None, 60)]
assert not clients[0].__channel__._line.sock.__class__.__module__.startswith("socket")
calls = [gevent.spawn(client.ping) for client in clients]
gevent.joinall(calls, raise_error=True)
print(*(call.value for call in calls))
"""


FORK = """
import os
import sys
import thriftserver

api = thriftserver.load("/fork/s.thrift", files={"/fork/s.thrift": "service S { i32 ping() }"})
with api.S.Client("127.0.0.1", int(sys.argv[1]), timeout=60) as client:
    before = client.ping()
    child = os.fork()
    if child == 0:
        os._exit(client.ping())
    print(before, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), client.ping())
"""


def run(script: str, port: int, pure: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "THRIFTSERVER_PURE": pure}
    command = [sys.executable, "-c", script, str(port)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE * 2, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("pure", ["", "1"], ids=["native", "pure"])
def test_greenlets_wait_beside_each_other(pure: str) -> None:
    """Each call is answered when both have come: in a thread that waits for the first, the second never would."""
    both = threading.Barrier(2, timeout=PATIENCE)

    def together(sock: socket.socket) -> None:
        assert sock.recv(1, socket.MSG_PEEK)
        both.wait()
        answer(sock)

    with Peer(together) as peer:
        assert run(GREEN, peer.port, pure) == "7 7\n"


@pytest.mark.parametrize("pure", ["", "1"], ids=["native", "pure"])
def test_a_forked_child_makes_a_connection_of_its_own(pure: str) -> None:
    with Peer(answer) as peer:
        assert run(FORK, peer.port, pure) == "7 7 7\n"
        assert peer.connections == 2
