"""Where a client finds its server: addresses as people write them, several of them, and names that stand for some."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.client.peers import Peer, answer, take
from tests.client.shells import BOTH, either
from tests.harness import PATIENCE
from tests.support import need
from thriftserver.discovery.addresses import Address, read_address
from thriftserver.discovery.resolvers import Fixed, register, resolver_of
from thriftserver.errors import TransportError

IDL = "service S { i32 ping() }"
API: Any = either(thriftserver.load("/addresses/s.thrift", files={"/addresses/s.thrift": IDL}))
pytestmark = BOTH


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("users.internal", "users.internal", 9090),
        ("users.internal:80", "users.internal", 80),
        ("127.0.0.1:1", "127.0.0.1", 1),
        ("[::1]:65535", "::1", 65535),
        ("[::1]", "::1", 9090),
        ("::1", "::1", 9090),
        ("unix:/run/s.sock", "unix:/run/s.sock", 0),
        ("unix:///run/s.sock", "unix:/run/s.sock", 0),
        ("unix:s.sock", "unix:s.sock", 0),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    address = read_address(text)
    assert address == Address(host, port)
    assert read_address(str(address)) == address


def test_a_port_beside_it_is_for_addresses_without() -> None:
    assert read_address("a", 7) == Address("a", 7)
    assert read_address("a:8", 7) == Address("a", 8)
    assert read_address("::1", 7) == Address("::1", 7)


@pytest.mark.parametrize(
    "text",
    ["", ":80", "a:", "a:x", "a:0", "a:65536", "a:-1", "a:٣", "a b:1:2/", "[]:1", "http/a", "unix:", "[::1", "a:1:x/"],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no address|must be a number|names no path|there must be"):
        read_address(text)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ([], "there must be an address"),
        ("carrier+pigeon://users", r"nobody resolves carrier\+pigeon://; known are .*dns\+srv"),
        ("dns+srv://", "names no record"),
        ("dns+srv://a?ttl=3", "only nameserver=HOST:PORT"),
    ],
)
def test_names_that_make_no_sense(names: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        API.S.Client(names)


@contextmanager
def nobody() -> Iterator[str]:
    """An address where nobody listens, and nobody will meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield "{}:{}".format(*sock.getsockname())


def test_of_several_servers_one_that_takes_the_connection_is_called() -> None:
    with nobody() as dead, nobody() as gone, Peer(answer) as peer:
        names = [dead, f"127.0.0.1:{peer.port}", gone]
        for _ in range(8):
            with API.S.Client(names, timeout=PATIENCE) as client:
                assert client.ping() == 7
                assert client.__channel__.peer == names[1]


def test_several_servers_share_the_clients() -> None:
    with Peer(answer) as one, Peer(answer) as other:
        names = [f"127.0.0.1:{peer.port}" for peer in (one, other)]
        for _ in range(40):
            with API.S.Client(names, timeout=PATIENCE) as client:
                assert client.ping() == 7
        assert one.connections + other.connections == 40
        assert min(one.connections, other.connections) > 0


def test_a_client_whose_server_is_gone_goes_to_another() -> None:
    def leave(sock: socket.socket) -> None:
        take(sock)

    with Peer(answer) as stays, Peer(leave) as leaves:
        with API.S.Client(f"127.0.0.1:{leaves.port}", timeout=PATIENCE) as client:
            with pytest.raises(TransportError) as caught:
                client.ping()
            assert caught.value.executed
            assert caught.value.phase == "waiting"
        register("moving", lambda name: Fixed([read_address(f"127.0.0.1:{stays.port}")]))
        with API.S.Client("moving://users", timeout=PATIENCE) as client:
            assert client.ping() == 7


def test_no_server_at_all() -> None:
    with nobody() as dead, nobody() as gone:
        with pytest.raises(TransportError) as caught:
            API.S.Client([dead, gone], timeout=PATIENCE)
        assert not caught.value.executed
        assert caught.value.phase == "connecting"
        assert caught.value.address in (dead, gone)
        assert "(2 servers tried)" in str(caught.value)
        assert "Connection refused" in str(caught.value)


def test_keepalive_is_the_kernels() -> None:
    with Peer(answer) as peer, API.S.Client("127.0.0.1", peer.port, keepalive=30) as client:
        sock = client.__channel__._line.sock
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        assert client.ping() == 7
    with pytest.raises(ValueError, match="keepalive"):
        API.S.Client("127.0.0.1", 1, keepalive=0)


@pytest.fixture
def nameserver(tmp_path: Path) -> Iterator[Callable[[list[str]], str]]:
    """Starts dnsmasq with SRV records and says what to write behind ``?``."""
    program = shutil.which("dnsmasq") or shutil.which("dnsmasq", path="/usr/sbin")
    need(program, "dnsmasq (apt install dnsmasq-base)")
    assert program is not None
    running: list[subprocess.Popen[str]] = []

    def start(records: list[str]) -> str:
        for _ in range(20):  # dnsmasq takes no port 0, and somebody else may take the one that was free
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            options = ["--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--log-facility=-"]
            options += ["--listen-address=127.0.0.1", "--bind-interfaces", f"--port={port}", "--user=", "--pid-file="]
            command = [program, *options, *(f"--srv-host={record}" for record in records)]
            server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            running.append(server)
            assert server.stderr is not None
            said = server.stderr.readline()
            if "started" in said:
                return f"?nameserver=127.0.0.1:{port}"
            said += server.communicate()[1]
            assert "in use" in said, said
        raise AssertionError("no port was free")

    yield start
    for server in running:
        server.kill()
        server.communicate()


def test_srv_records_of_a_real_name_server(nameserver: Callable[[list[str]], str]) -> None:
    with Peer(answer) as peer, nobody() as dead:
        name = "_users._tcp.internal.test"
        records = [f"{name},localhost,{peer.port},1,5", f"{name},localhost,{peer.port},9,5", f"{name},localhost,1,9"]
        where = nameserver(records)
        with API.S.Client(f"dns+srv://{name}{where}", timeout=PATIENCE) as client:
            assert client.ping() == 7
        found = resolver_of(f"dns+srv://{name}{where}").addresses(PATIENCE)
        assert found == [Address("localhost", peer.port, 5)]  # of the lowest priority alone
        both = resolver_of([f"dns+srv://{name}{where}", dead]).addresses(PATIENCE)
        assert len(both) == 2
        with pytest.raises(TransportError, match="cannot resolve") as caught:
            API.S.Client(f"dns+srv://_others._tcp.internal.test{where}", timeout=PATIENCE)
        assert not caught.value.executed
        assert caught.value.phase == "resolving"
        # One name that finds nothing does not hide another that does.
        names = [f"dns+srv://_others._tcp.internal.test{where}", f"127.0.0.1:{peer.port}"]
        with API.S.Client(names, timeout=PATIENCE) as client:
            assert client.ping() == 7
