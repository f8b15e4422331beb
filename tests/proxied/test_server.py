"""Servers behind a proxy that says whose its connections are: plain and TLS, before, during and after a reload."""

from __future__ import annotations

import json
import signal
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.harness import PATIENCE, Server, run
from tests.proxied.conftest import ELSEWHERE, LOCAL, who
from tests.proxied.headers import SIGNATURE, binary, local, text, tls, value
from tests.server.raw import REPLY, Peer, add, message
from tests.server.services import ARGS
from tests.tls.pki import Pki

CLIENT = "192.0.2.7:4711"
with_tls = pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
of_versions = pytest.mark.parametrize("header", [text(), binary()], ids=["v1", "v2"])


def options(pki: Pki, secure: bool, *more: str) -> list[str]:
    return [*ARGS, *(pki.options() if secure else ()), *more]


def meet(server: Server, pki: Pki, secure: bool, header: bytes = b"", *, bytewise: bool = False) -> Peer:
    """A peer for whom a header is sent, and that has agreed upon TLS then."""
    peer = Peer(server)
    for each in [bytes([byte]) for byte in header] if bytewise else [header]:
        peer.send(each)
    if secure:
        agree(peer, pki)
    return peer


def refusals(server: Server) -> list[str]:
    return [each["event"] for each in server.events if each["event"] in ("proxy_refused", "tls_refused", "bad_peer")]


def agree(peer: Peer, pki: Pki, stem: str = "") -> None:
    peer.sock = pki.client(stem).wrap_socket(peer.sock, server_hostname="localhost")


@with_tls
@of_versions
@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
def test_a_handler_knows_the_real_client(pki: Pki, secure: bool, header: bytes, bytewise: bool) -> None:
    with Server(*options(pki, secure, *LOCAL), cwd=pki.folder) as server:
        with meet(server, pki, secure, header, bytewise=bytewise) as peer:
            told = who(peer)
            assert told["peer"] == CLIENT
            assert told["proxy"] == [peer.name, "", "", ""]
        with meet(server, pki, secure, binary("2001:db8::7", 1, value(2, b"orders"), tls("billing"))) as peer:
            assert who(peer)["peer"] == "[2001:db8::7]:1"
            assert who(peer)["proxy"] == [peer.name, "orders", "billing", "TLSv1.3"]
        assert not [
            each for each in server.events if each["level"] in ("warning", "error") and "refused" in each["event"]
        ]


@of_versions
def test_requests_that_come_with_the_header_are_served(pki: Pki, header: bytes) -> None:
    """In pure Python too: the packet has all of it."""
    with Server(*ARGS, *LOCAL, cwd=pki.folder, env={"THRIFTSERVER_PURE": "1"}) as server, Peer(server) as peer:
        peer.send(header + message("add", add(1, 2)) + message("version"))
        first, second = peer.answer(), peer.answer()
        assert first is not None
        assert second is not None
        assert json.loads(second.body[7:-1])["peer"] == CLIENT


@with_tls
@pytest.mark.parametrize("header", [local(), b"PROXY UNKNOWN\r\n"], ids=["LOCAL", "UNKNOWN"])
def test_a_proxy_that_speaks_for_itself_is_the_peer(pki: Pki, secure: bool, header: bytes) -> None:
    with Server(*options(pki, secure, *LOCAL), cwd=pki.folder) as server:
        with meet(server, pki, secure, header) as peer:
            assert who(peer) == {"peer": peer.name, "proxy": None, "certificate": None}
        with Peer(server), Peer(server) as checking:  # is the port open? and, is somebody well?
            checking.send(header)
        with meet(server, pki, secure, header) as peer:
            assert who(peer)
    assert not [
        each["event"] for each in server.events if each["event"] in ("proxy_refused", "tls_refused", "bad_peer")
    ]


@with_tls
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (message("pid"), "header is missing"),
        (b"\x16\x03\x01\x02\0", "header is missing"),
        (b"PROXY TCP4 1.2.3.4\r\n", "header is not PROXY TCP4 or TCP6"),
        (b"PROXY " + b"x" * 200, "within 107 bytes"),
        (SIGNATURE + b"\x31\x11\0\0", "version, command or family"),
        (SIGNATURE + b"\x21\x11\xff\xff" + bytes(9000), "more than 8192"),
    ],
)
def test_a_header_that_is_missing_or_broken_ends_the_connection_with_a_line(
    pki: Pki, secure: bool, sent: bytes, said: str
) -> None:
    with Server(*options(pki, secure, *LOCAL), cwd=pki.folder) as server, Peer(server) as peer:
        with suppress(OSError):
            peer.send(sent)
        assert peer.rest() == b""
        told = server.wait("tls_refused" if secure else "proxy_refused", peer=peer.name)
        assert said in told["reason"]
        with Peer(server) as cut:
            cut.send(text()[:20])
            cut.sock.shutdown(1)
            assert cut.rest() == b""
            told = server.wait("tls_refused" if secure else "proxy_refused", peer=cut.name)
            assert "cut off by the end of the stream" in told["reason"]
        with meet(server, pki, secure, text()) as good:
            assert who(good)["peer"] == CLIENT


@with_tls
def test_a_slow_header_ends_the_connection_with_a_line_and_is_counted(pki: Pki, secure: bool) -> None:
    more = (*LOCAL, "--admin", "127.0.0.1:0", "--tls", "auto") if secure else (*LOCAL, "--admin", "127.0.0.1:0")
    with Server(*options(pki, secure, *more), cwd=pki.folder) as server, Peer(server) as silent, Peer(server) as slow:
        slow.send(text()[:20])
        assert slow.rest() == b""
        assert silent.rest() == b""
        for each in (silent, slow):
            told = server.wait("tls_refused" if secure else "proxy_refused", peer=each.name)
            assert "took too long" in told["reason"] or "not whole after 10 s" in told["reason"]
        with urlopen(f"http://{server.wait('admin_listening')['addresses'][0]}/metrics", timeout=PATIENCE) as page:
            shown = page.read().decode()
        name = "tls_refused" if secure else "oddities"
        kind = "proxy" if secure else "proxy_refused"
        assert f'thriftserver_{name}_total{{kind="{kind}"}} 2.0' in shown


@with_tls
@of_versions
def test_a_header_from_elsewhere_ends_the_connection_and_no_header_is_fine(
    pki: Pki, secure: bool, header: bytes
) -> None:
    with Server(*options(pki, secure, *ELSEWHERE), cwd=pki.folder) as server:
        with Peer(server) as liar:
            liar.send(header + message("pid"))
            assert liar.rest() == b""
            if secure:
                told = server.wait("tls_refused", peer=liar.name)
                assert (told["kind"], "in none of the networks" in told["reason"]) == ("proxy", True)
            else:
                assert "--proxy-protocol" in server.wait("bad_peer", peer=liar.name)["error"]
        with meet(server, pki, secure) as peer:
            assert who(peer)["peer"] == peer.name


def test_both_kinds_on_one_port_have_a_header(pki: Pki) -> None:
    with Server(*options(pki, True, *LOCAL, "--tls", "auto"), cwd=pki.folder) as server:
        for secure in (False, True):
            with meet(server, pki, secure, binary()) as peer:
                assert who(peer)["peer"] == CLIENT


def test_a_certificate_and_what_a_proxy_says_are_both_known(pki: Pki) -> None:
    pki.issue("client", "billing.example.com")
    with Server(*ARGS, *pki.mutual(), *LOCAL, cwd=pki.folder) as server, Peer(server) as peer:
        peer.send(binary("192.0.2.7", 4711, value(2, b"orders")))
        agree(peer, pki, "client")
        told = who(peer)
        assert (told["peer"], told["certificate"]) == (CLIENT, ["DNS:billing.example.com"])
        assert told["proxy"][1] == "orders"
        server.signal(signal.SIGHUP)
        server.wait("worker_exit", code=0)
        assert who(peer) == told


def test_unix_sockets_have_no_header(pki: Pki) -> None:
    import socket

    path = str(pki.folder / "socket")
    with Server(*ARGS, *LOCAL, "-b", f"unix:{path}", "-b", "127.0.0.1:0", cwd=pki.folder):
        peer = Peer.__new__(Peer)
        peer.sock = socket.socket(socket.AF_UNIX)
        with peer:
            peer.sock.connect(path)
            assert who(peer)["peer"] == "unix"


# While things change.


@with_tls
def test_half_a_header_outlives_reload_and_upgrade(pki: Pki, secure: bool) -> None:
    header = binary("192.0.2.7", 4711, value(2, b"orders"))
    with Server(*options(pki, secure, *LOCAL), cwd=pki.folder) as server, Peer(server) as peer, Peer(server) as silent:
        with meet(server, pki, secure, header) as whole:
            before = who(whole)
            peer.send(header[:20])
            if not secure:  # the keeper's connections do not move
                server.eventually(lambda: connections(server) == 3, "a worker that has all of them")
            server.signal(signal.SIGHUP)
            server.wait("worker_exit", code=0)
            peer.send(header[20:25])
            server.upgrade()
            peer.send(header[25:])
            silent.send(header)
            if secure:
                agree(peer, pki)
                agree(silent, pki)
            for each in (peer, silent):
                told = who(each)
                assert (told["peer"], told["proxy"]) == (CLIENT, [each.name, "orders", "", ""])
            assert who(whole) == before
        assert refusals(server) == []


def connections(server: Server) -> int:
    """Those that the newest worker has, by its descriptors."""
    (pid,) = server.workers()
    return sum(1 for each in Path(f"/proc/{pid}/net/tcp").read_text().splitlines() if is_ours(each, server.port, pid))


def is_ours(line: str, port: int, pid: int) -> bool:
    words = line.split()
    if not words[1].endswith(f":{port:04X}") or words[3] != "01":
        return False
    name = f"socket:[{words[9]}]"
    with suppress(OSError):
        return any(each.readlink() == Path(name) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink())
    return False


def test_whose_header_has_not_come_delays_no_stop(pki: Pki) -> None:
    with Server(*ARGS, *LOCAL, "--graceful-timeout", "1h", cwd=pki.folder) as server, Peer(server) as silent:
        with meet(server, pki, False, text()) as peer:
            assert who(peer)
        server.eventually(lambda: connections(server) == 1, "a worker that has it")
        assert server.stop() == 0
        assert silent.rest() == b""


def test_a_reload_changes_who_is_believed(pki: Pki) -> None:
    config = pki.folder / "config.toml"
    config.write_text('proxy_protocol = ["127.0.0.1"]\n')
    with Server(*ARGS, "--config", "config.toml", cwd=pki.folder) as server, meet(server, pki, False, text()) as peer:
        assert who(peer)["peer"] == CLIENT
        config.write_text("")
        server.signal(signal.SIGHUP)
        server.wait("worker_exit", code=0)
        assert who(peer)["peer"] == CLIENT
        with Peer(server) as direct:
            assert who(direct)["peer"] == direct.name


def test_a_forked_child_of_a_handler_holds_no_connection(pki: Pki) -> None:
    """One that waits for its header ends when the worker ends it, whatever children there are."""
    (pki.folder / "demo.py").write_text(
        (pki.folder / "demo.py").read_text()
        + """
    def pid(self):
        child = os.fork()
        if child == 0:
            while not pathlib.Path("go").exists():
                time.sleep(0.01)
            os._exit(0)
        return child
"""
    )
    with Server(*ARGS, *LOCAL, cwd=pki.folder) as server, Peer(server) as silent:
        with meet(server, pki, False, text()) as peer:
            server.eventually(lambda: connections(server) == 2, "a worker that has both")
            answer = peer.ask(message("pid"))
            assert answer is not None
            assert answer.kind == REPLY
        silent.send(b"nothing")
        assert silent.rest() == b""
        (pki.folder / "go").touch()


def test_a_network_that_is_none_is_one_sentence_and_no_server(pki: Pki) -> None:
    ended = run(pki.folder, "run", *ARGS, "--proxy-protocol", "10.0.0.0/99", "--check-config")
    assert ended.returncode == 2
    assert "'10.0.0.0/99' is no network; write 10.0.0.0/8" in ended.stderr
