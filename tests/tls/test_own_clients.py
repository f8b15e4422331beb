"""Our clients over TLS, blocking and on both kinds of loop: dialects, sessions, ends, and servers that are refused."""

from __future__ import annotations

import signal
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

import thriftserver
from tests.client.peers import Peer, Script, answer, reply, take
from tests.client.shells import BOTH, either
from tests.harness import PATIENCE, Server
from tests.server.services import ARGS, COUNTING, HANDLER, IDL, executed
from tests.tls.pki import Pki
from thriftserver import Tls
from thriftserver.dialect.caller import SPEAKABLE
from thriftserver.discovery.addresses import Address
from thriftserver.discovery.resolvers import register
from thriftserver.errors import TransportError

API: Any = either(thriftserver.load("/tls/demo.thrift", files={"/tls/demo.thrift": IDL}))
pytestmark = BOTH
SHORT = 2.0


def client(port: int, tls: Any, host: str = "localhost", **options: Any) -> Any:
    return API.Demo.Client(host, port, tls=tls, **{"timeout": PATIENCE, **options})


def trust(pki: Pki, stem: str = "", **options: Any) -> Tls:
    """What the authority vouches for, with this certificate of the client's own."""
    own = {"cert": pki.folder / f"{stem}.pem", "key": pki.folder / f"{stem}.key"} if stem else {}
    return Tls(ca=pki.folder / "ca.pem", **own, **options)


def serving(pki: Pki, stem: str = "server") -> ssl.SSLContext:
    """What a server in this process ends TLS with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.folder / f"{stem}.pem", pki.folder / f"{stem}.key")
    return context


def encrypted(context: ssl.SSLContext, script: Script) -> Script:
    """The script, for connections on which hands were shaken."""

    def run(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as secured:
            script(secured)

    return run


@pytest.fixture(params=["without", "with"])
def stem(request: pytest.FixtureRequest, pki: Pki) -> str:
    """Of the client's own certificate, if it has one; servers ask for it then."""
    pki.issue("client", "billing.example.com")
    return "client" if request.param == "with" else ""


# What is answered.


def test_every_dialect(pki: Pki, stem: str) -> None:
    options = pki.mutual() if stem else pki.options()
    with Server(*ARGS, *options, "--http", cwd=pki.folder) as server:
        for dialect in SPEAKABLE:
            with client(server.port, trust(pki, stem), dialect=dialect) as it:
                assert it.add(20, 22) == 42
                it.note("over")
                for size in (0, 100, 3_000_000):
                    assert it.echo(API.Point(label="x" * size)).label == "x" * size
        assert not server.found("tls_refused")


def test_a_context_of_the_caller_s_and_a_server_by_another_name(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server:
        for tls, host in (
            (pki.client(), "localhost"),
            (Tls(context=pki.client(), server_name="localhost"), "127.0.0.1"),
            (trust(pki, server_name="localhost"), "127.0.0.1"),
            (Tls(insecure=True), "127.0.0.1"),
        ):
            with client(server.port, tls, host) as it:
                assert it.add(20, 22) == 42


def test_each_address_of_a_name_has_to_show_the_name_s_certificate(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server:
        with client(server.port, trust(pki), f"dns://localhost:{server.port}") as it:
            assert it.add(20, 22) == 42
        with API.Demo.Pool(f"dns://localhost:{server.port}", timeout=PATIENCE, tls=trust(pki)) as pool:
            assert pool.add(20, 22) == 42


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_session_is_gone_on_with(pki: Pki, newest: ssl.TLSVersion) -> None:
    context = serving(pki)
    context.maximum_version = newest
    resumed: list[Any] = []

    def serve(sock: socket.socket) -> None:
        resumed.append(sock.session_reused)  # type: ignore[attr-defined]
        answer(sock)

    tls = trust(pki)
    with Peer(encrypted(context, serve)) as peer:
        for _ in range(3):
            with client(peer.port, tls) as it:
                it.pid()
        with client(peer.port, trust(pki)) as it:
            it.pid()
    assert resumed == [False, True, True, False]


def test_a_server_that_comes_again_with_another_certificate_is_met_anew(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server, client(server.port, trust(pki)) as it:
        assert it.add(20, 22) == 42
        pki.issue("server", "localhost")
        server.signal(signal.SIGHUP)
        server.wait("certificates_loaded", 2)
        assert it.add(20, 22) == 42
        with client(server.port, trust(pki)) as another:
            assert another.add(20, 22) == 42


def test_oneway_calls_arrive_whatever_comes_after_them(folder: Path, pki: Pki) -> None:
    """The server's tickets may come when the client has gone; that must not cost it what it has sent."""
    counting = HANDLER + COUNTING.replace("def add(self, a, b):", "def note(self, text):").replace("a + b", "None")
    (folder / "demo.py").write_text(counting)
    tls = trust(pki)
    with Server(*ARGS, *pki.options(), cwd=folder) as server:
        for _ in range(100):
            with client(server.port, tls) as it:
                it.note("on the way out")
        server.eventually(lambda: executed(folder) == 100, "all of them")


@pytest.mark.parametrize("kind", ["Client", "Pool"])
def test_reloads_fail_no_call(pki: Pki, kind: str) -> None:
    over = threading.Event()

    def call(it: Any) -> int:
        count = 0
        while not over.is_set():
            assert it.add(count, 1) == count + 1
            count += 1
        return count

    with Server(*ARGS, *pki.options(), "-w", "2", cwd=pki.folder) as server, ThreadPoolExecutor(4) as threads:
        made = [
            getattr(API.Demo, kind)("localhost", server.port, tls=trust(pki), timeout=PATIENCE)
            for _ in range(1 if kind == "Pool" else 4)
        ]
        calling = [threads.submit(call, made[at % len(made)]) for at in range(4)]
        try:
            for count in range(3):
                server.signal(signal.SIGHUP)
                server.wait("reloaded", count + 1)
                server.wait("worker_exit", 2 * count + 2)
        finally:
            over.set()
        assert all(each.result(PATIENCE) > 0 for each in calling)
        for each in made:
            each.__exit__()


# Who is refused, by whom, and why.


def refusal(call: Callable[[], object]) -> TransportError:
    with pytest.raises(TransportError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("unknown", "the server's certificate is refused: unable to get local issuer certificate"),
        ("self-signed", "the server's certificate is refused: self-signed certificate"),
        ("name", "the server's certificate is refused: Hostname mismatch, certificate is not valid for 'localhost'"),
        ("expired", "the server's certificate is refused: certificate has expired"),
        ("plain", "the server does not speak TLS"),
        ("old", "it speaks no version of TLS that this client does"),
        ("leaves", "the server hung up; does it speak TLS?"),
        ("leaves late", "the server hung up; does it speak TLS?"),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1")
def test_servers_that_are_refused(pki: Pki, case: str, reason: str) -> None:
    names = ("other.example.com",) if case == "name" else ("localhost",)
    by = trustme.CA() if case == "unknown" else None
    pki.issue("bad", *names, by=by, until=datetime.now(UTC) - timedelta(days=1) if case == "expired" else None)
    context = serving(pki, "bad")
    if case == "old":
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    scripts: dict[str, Script] = {
        "plain": lambda sock: sock.sendall(b"HTTP/1.0 400 what is that?\r\n\r\n" if sock.recv(1) else b""),
        "leaves": lambda sock: None,
        "leaves late": lambda sock: sock.sendall(b"\x16\x03\x03\x00\x7a\x02" if sock.recv(1 << 16) else b""),
    }
    tls = Tls(ca=pki.folder / "ca.pem")
    if case == "self-signed":
        context, tls = self_signed(pki), tls
    with Peer(scripts.get(case) or encrypted(context, answer)) as peer:
        error = refusal(lambda: client(peer.port, tls))
        address = f"localhost:{peer.port}"
        assert (error.phase, error.executed, error.address) == ("handshaking", False, address)
        assert str(error).startswith(f"cannot connect to {address}: TLS handshake: ")
        assert reason in str(error)


def self_signed(pki: Pki) -> ssl.SSLContext:
    """An authority that shows its own certificate, as if it were a server."""
    stranger = trustme.CA()
    stranger.cert_pem.write_to_path(pki.folder / "self.pem")
    stranger.private_key_pem.write_to_path(pki.folder / "self.key")
    return serving(pki, "self")


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize(
    ("case", "kind", "reason"),
    [
        ("", "no_certificate", "asks for a certificate"),
        ("stranger", "bad_certificate", "does not know who vouches for this client's certificate"),
        ("expired", "bad_certificate", "this client's certificate has expired"),
    ],
)
def test_clients_that_our_server_refuses(pki: Pki, case: str, kind: str, reason: str, newest: ssl.TLSVersion) -> None:
    """In TLS 1.3 they have shaken hands by then, and have even sent a call: nothing of it was executed."""
    pki.issue("stranger", "billing.example.com", by=trustme.CA())
    pki.issue("expired", "billing.example.com", until=datetime.now(UTC) - timedelta(days=1))
    context = pki.client(case)
    context.maximum_version = newest
    with Server(*ARGS, *pki.mutual(), cwd=pki.folder) as server:

        def call() -> None:
            with client(server.port, context) as it:
                it.add(20, 22)

        error = refusal(call)
        assert (error.phase, error.executed) == ("handshaking", False)
        assert error.address == f"localhost:{server.port}"
        assert reason in str(error)
        assert server.wait("tls_refused")["kind"] == kind


def test_a_pool_makes_a_call_again_that_was_refused_in_the_handshake(pki: Pki) -> None:
    """And tells of the server whose certificate is none."""
    pki.issue("bad", "other.example.com")
    with (
        Peer(encrypted(serving(pki, "bad"), answer)) as bad,
        Peer(encrypted(serving(pki), answer)) as good,
        API.Demo.Pool([f"localhost:{bad.port}", f"localhost:{good.port}"], tls=trust(pki), timeout=PATIENCE) as pool,
    ):
        assert [pool.pid() for _ in range(20)] == [7] * 20
        failed = {each.address: each.failed for each in pool.stats().servers}
        assert failed[f"localhost:{good.port}"] == 0
        assert failed[f"localhost:{bad.port}"] > 0


def test_a_socket_in_the_file_system_has_no_name(pki: Pki) -> None:
    path = pki.folder / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        error = refusal(lambda: API.Demo.Client(f"unix:{path}", tls=trust(pki), timeout=PATIENCE))
        assert "Tls(server_name=)" in str(error)
        assert (error.phase, error.executed) == ("handshaking", False)


@pytest.mark.parametrize("wrong", ["yes", 1, Tls], ids=str)
def test_what_is_no_terms_of_tls(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"tls= is True, a thriftserver\.Tls or an ssl\.SSLContext"):
        client(1, wrong)


# Time.


def silent(sock: socket.socket) -> None:
    while sock.recv(1 << 16):
        pass


def test_a_server_that_stalls_in_the_handshake(pki: Pki) -> None:
    with Peer(silent) as peer:
        error = refusal(lambda: client(peer.port, trust(pki), timeout=SHORT))
        assert f"timed out after {SHORT:g} s while waiting for the TLS handshake" in str(error)
        assert (error.phase, error.executed) == ("handshaking", False)


def test_a_server_that_drips_in_the_handshake(pki: Pki) -> None:
    """One byte after the other, each within the time, and all of them not."""
    over = threading.Event()

    def drip(sock: socket.socket) -> None:
        for byte in b"\x16\x03\x03\x40\x00\x02" + bytes(1000):
            if over.wait(SHORT / 10):
                return
            sock.sendall(bytes([byte]))

    with Peer(drip) as peer:
        assert refusal(lambda: client(peer.port, trust(pki), timeout=SHORT)).phase == "handshaking"
        over.set()


def test_one_that_stalls_does_not_take_the_time_of_the_next(pki: Pki) -> None:
    with Peer(silent) as stalled, Peer(encrypted(serving(pki), answer)) as well:
        addresses = [Address("localhost", stalled.port), Address("localhost", well.port)]
        register("in-order", lambda _: In(addresses))
        with API.Demo.Client("in-order://", tls=trust(pki), timeout=2) as it:
            assert it.pid() == 7
        assert stalled.connections > 0


class In:
    """Finds these, in this order."""

    def __init__(self, found: Sequence[Address]) -> None:
        self._found = found

    def addresses(self, timeout: float | None) -> Sequence[Address]:
        return self._found


def test_a_reply_whose_records_drip_ends_with_the_time(pki: Pki) -> None:
    over = threading.Event()

    def drip(sock: socket.socket) -> None:
        take(sock)
        sock.sendall(b"\0\0\x10\0")
        while not over.wait(SHORT / 10):
            sock.sendall(b"\0")

    with Peer(encrypted(serving(pki), drip)) as peer, client(peer.port, trust(pki), timeout=SHORT) as it:
        error = refusal(it.pid)
        over.set()
        assert f"timed out after {SHORT:g} s" in str(error)
        assert error.executed


# Ends.


def framed(sock: socket.socket) -> bytes:
    return reply(*take(sock))


@pytest.mark.parametrize("dialect", ["framed-binary", "http"])
def test_a_reply_that_is_cut_off_without_good_bye_is_none(pki: Pki, dialect: str) -> None:
    """Not even where a reply may end with its connection: whoever is in between could have ended it."""

    def cut(sock: socket.socket) -> None:
        if dialect == "http":
            while b"\r\n\r\n" not in sock.recv(1 << 16):
                pass
            sock.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: application/x-thrift\r\n\r\n" + b"\x80\x01\0\x02")
        else:
            sock.sendall(framed(sock)[:10])
        below = socket.socket(fileno=sock.detach())
        below.shutdown(socket.SHUT_RDWR)
        below.close()

    with (
        Peer(encrypted(serving(pki), cut)) as peer,
        client(peer.port, trust(pki), dialect=dialect) as it,
    ):
        error = refusal(it.pid)
        assert error.executed
        assert "the server closed the connection without TLS's good-bye" in str(error)


def test_a_server_that_says_good_bye_between_two_calls_is_called_anew(pki: Pki) -> None:
    def once(sock: Any) -> None:
        sock.sendall(framed(sock))
        sock.unwrap()

    with Peer(encrypted(serving(pki), once), encrypted(serving(pki), answer)) as peer:
        with client(peer.port, trust(pki)) as it:
            assert it.pid() == 7
            assert it.pid() == 7
        assert peer.connections == 2


def test_a_client_says_good_bye(pki: Pki) -> None:
    ends: list[bytes] = []
    gone = threading.Event()

    def serve(sock: socket.socket) -> None:
        sock.sendall(framed(sock))
        try:
            ends.append(sock.recv(1))  # an end without a good-bye is an error
        finally:
            gone.set()

    context = serving(pki)
    with Peer(encrypted(context, serve)) as peer:
        with client(peer.port, trust(pki)) as it:
            it.pid()
        assert gone.wait(PATIENCE)
    assert ends == [b""]


def test_bytes_that_nobody_asked_for_close_the_connection(pki: Pki) -> None:
    def talk(sock: socket.socket) -> None:
        sock.sendall(framed(sock) + b"and more")
        silent(sock)

    with Peer(encrypted(serving(pki), talk), encrypted(serving(pki), answer)) as peer:
        with client(peer.port, trust(pki)) as it:
            assert [it.pid() for _ in range(3)] == [7] * 3
        assert peer.connections == 2


@pytest.mark.parametrize("size", [20_000_000])
def test_a_request_that_nobody_reads_ends_with_the_time(pki: Pki, size: int) -> None:
    over = threading.Event()
    with (
        Peer(encrypted(serving(pki), lambda sock: over.wait(PATIENCE) and None)) as peer,
        client(peer.port, trust(pki), timeout=SHORT) as it,
    ):
        error = refusal(lambda: it.echo(API.Point(label="x" * size)))
        over.set()
        assert (error.phase, error.executed) == ("sending", False)
