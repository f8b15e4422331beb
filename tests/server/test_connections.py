"""One connection over a raw socket: pieces, pipelines, peers that do not read, peers that speak something else."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

import thriftserver
from tests.harness import PATIENCE, Server
from tests.server.services import ARGS, write_demo
from thriftserver.codec.plan import MethodPlan, method_plan
from thriftserver.codec.protocols import binary


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with Server(*ARGS, "--max-frame", "1m", cwd=folder) as running:
        yield running


@pytest.fixture(scope="module")
def plans(folder: Path) -> dict[str, MethodPlan]:
    service = thriftserver.load(folder / "demo.thrift").Demo.__thrift__
    return {function.name: method_plan(function) for function in service.methods()}


def connect(server: Server) -> socket.socket:
    return socket.create_connection((server.host, server.port), PATIENCE)


def exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (chunk := sock.recv(size - len(data))):
        data += chunk
    return data


def receive(sock: socket.socket) -> bytes:
    """One frame without its length; empty at end of file."""
    head = exactly(sock, 4)
    return exactly(sock, struct.unpack(">i", head)[0]) if head else b""


def value(plan: MethodPlan, frame: bytes) -> object:
    return binary.decode_reply(plan, frame, binary.read_header(frame))


def test_a_request_in_single_bytes(server: Server, plans: dict[str, MethodPlan]) -> None:
    with connect(server) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in binary.encode_call(plans["add"], 1, [1, 2]):
            sock.sendall(bytes([byte]))
        assert value(plans["add"], receive(sock)) == 3


def test_pipelined_requests_are_answered_in_order(server: Server, plans: dict[str, MethodPlan]) -> None:
    """A slow one among them too: what follows it waits."""
    calls = [("nap", [0.05]) if n % 50 == 7 else ("add", [n, n]) for n in range(200)]
    stream = b"".join(binary.encode_call(plans[name], n, args) for n, (name, args) in enumerate(calls))
    with connect(server) as sock:
        sock.sendall(stream)
        for n, (name, _) in enumerate(calls):
            frame = receive(sock)
            assert binary.read_header(frame).seqid == n
            assert value(plans[name], frame) == (2 * n if name == "add" else None)


def test_many_handlers_may_wait_at_once_and_again(server: Server, plans: dict[str, MethodPlan]) -> None:
    """More than stay parked afterwards."""
    socks = [connect(server) for _ in range(100)]
    for round_ in range(3):
        for sock in socks:
            sock.sendall(binary.encode_call(plans["nap"], round_, [0.05]))
        for sock in socks:
            assert value(plans["nap"], receive(sock)) is None
    for sock in socks:
        sock.close()


def test_a_peer_that_reads_late_gets_every_byte_and_bothers_nobody(
    server: Server, plans: dict[str, MethodPlan], folder: Path
) -> None:
    api = thriftserver.load(folder / "demo.thrift")
    point = api.Point(label="x" * 200_000)
    request = binary.encode_call(plans["echo"], 1, [point])
    with connect(server) as late:
        late.setblocking(False)
        sent = 0
        for _ in range(2000):
            try:
                sent += late.send(request[sent % len(request) :])
            except BlockingIOError:  # the server has stopped reading, because its replies do not leave
                break
        else:
            pytest.fail("the server goes on reading from a peer that does not")
        with connect(server) as other:
            for n in range(50):
                other.sendall(binary.encode_call(plans["add"], n, [n, 1]))
                assert value(plans["add"], receive(other)) == n + 1
        late.settimeout(PATIENCE)
        whole = sent // len(request)
        assert whole >= 2
        for _ in range(whole):
            assert value(plans["echo"], receive(late)) == point


def test_a_peer_that_leaves_in_the_middle_harms_nobody(server: Server, plans: dict[str, MethodPlan]) -> None:
    request = binary.encode_call(plans["nap"], 1, [0.05])
    for cut in (0, 1, 4, 10, len(request)):
        with connect(server) as sock:
            sock.sendall(request[:cut])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leave with a reset
    with connect(server) as sock:
        sock.sendall(binary.encode_call(plans["add"], 1, [1, 1]))
        assert value(plans["add"], receive(sock)) == 2
    assert not server.found("connection_failed")


def test_a_client_that_shuts_its_side_still_gets_its_reply(server: Server, plans: dict[str, MethodPlan]) -> None:
    with connect(server) as sock:
        sock.sendall(binary.encode_call(plans["nap"], 1, [0.02]) + binary.encode_call(plans["add"], 2, [3, 4]))
        sock.shutdown(socket.SHUT_WR)
        assert value(plans["nap"], receive(sock)) is None
        assert value(plans["add"], receive(sock)) == 7
        assert receive(sock) == b""


@pytest.mark.parametrize(
    ("sent", "answer", "logged"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 400 Bad Request", "the peer speaks HTTP"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"", "a TLS handshake"),
        (struct.pack(">i", (1 << 20) + 1) + b"x", b"", "larger than max-frame"),
        (struct.pack(">i", 8) + b"\x99onsense", b"", ""),
        (struct.pack(">i", 0), b"", ""),
    ],
)
def test_what_cannot_be_read_closes_the_connection_with_a_line(
    server: Server, sent: bytes, answer: bytes, logged: str
) -> None:
    with connect(server) as sock:
        peer = "{}:{}".format(*sock.getsockname())
        sock.sendall(sent)
        received = b""
        while chunk := sock.recv(4096):
            received += chunk
        assert received[: len(answer)] == answer
        assert bool(received) == bool(answer)
    assert logged in server.wait("bad_peer", peer=peer)["error"]


def test_unknown_method_and_message_type(server: Server, plans: dict[str, MethodPlan]) -> None:
    with connect(server) as sock:
        for name, kind, code, message in (
            (b"ad", 1, 1, b"no method 'ad' in Demo; did you mean 'add'?"),
            (b"Other:add", 1, 1, b"no service 'Other' here; there is Demo"),
            (b"add", 2, 2, b"message type 2 is not a request"),
        ):
            body = struct.pack(">Hxbi", 0x8001, kind, len(name)) + name + struct.pack(">i", 7) + b"\0"
            sock.sendall(struct.pack(">i", len(body)) + body)
            frame = receive(sock)
            header = binary.read_header(frame)
            assert (header.kind, header.seqid, header.name) == (3, 7, name.split(b":")[-1].decode())
            assert message in frame
            assert struct.pack(">bhi", 8, 2, code) in frame
        sock.sendall(binary.encode_call(plans["add"], 1, [1, 1]))
        assert value(plans["add"], receive(sock)) == 2


def test_arguments_that_do_not_decode(server: Server, plans: dict[str, MethodPlan]) -> None:
    good = binary.encode_call(plans["add"], 5, [1, 2])
    body = good[4:-5]
    with connect(server) as sock:
        sock.sendall(struct.pack(">i", len(body)) + body)
        frame = receive(sock)
        assert binary.read_header(frame).kind == 3
        assert b"args.b: " in frame
        sock.sendall(good)
        assert value(plans["add"], receive(sock)) == 3


def test_a_reply_larger_than_max_frame(server: Server, plans: dict[str, MethodPlan], folder: Path) -> None:
    api = thriftserver.load(folder / "demo.thrift")
    with connect(server) as sock:
        sock.sendall(binary.encode_call(plans["echo"], 1, [api.Point(tags=["x" * 900_000])]))
        assert len(receive(sock)) > 900_000
        # A request of just the limit fits; its reply is larger by a field that the request leaves to its default.
        point = api.Point(x=None, tags=[""])
        point.tags[0] = "x" * ((1 << 20) - len(binary.encode_call(plans["echo"], 1, [point])) + 4)
        request = binary.encode_call(plans["echo"], 1, [point])
        assert len(request) - 4 == 1 << 20
        sock.sendall(request)
        assert b"internal error" in receive(sock)
    assert "more than max-frame" in server.wait("handler_failed", outcome="bad_result")["error"]


def test_connections_above_the_limit_wait_their_turn(folder: Path, plans: dict[str, MethodPlan]) -> None:
    with Server(*ARGS, "--max-connections", "2", cwd=folder) as server:
        socks = [connect(server) for _ in range(4)]
        for sock in socks:
            sock.sendall(binary.encode_call(plans["add"], 1, [1, 1]))
        for sock in socks[:2]:
            assert value(plans["add"], receive(sock)) == 2
        for sock in socks[2:]:
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.recv(1)
            sock.settimeout(PATIENCE)
        for sock in socks[:2]:
            sock.close()
        for sock in socks[2:]:
            assert value(plans["add"], receive(sock)) == 2
            sock.close()
