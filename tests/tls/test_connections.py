"""Connections through the keeper: who is let in, what handlers know of them, and how bytes and ends pass."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import trustme

from tests.harness import PATIENCE, Server, run
from tests.server.raw import REPLY, Peer, add, field, framed, message, text, version
from tests.server.services import ARGS, HANDLER, write_demo
from tests.tls.locked import LockedPeer
from tests.tls.pki import WHO, Pki, TlsPeer
from thriftserver.cli.ctl import ask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_demo(tmp_path, HANDLER + WHO)


def who(peer: Peer) -> Any:
    return json.loads(version(peer))


def echo(size: int, seqid: int = 7) -> bytes:
    point = field(11, 2, text("x" * size)) + b"\0"
    return message("echo", field(12, 1, point) + b"\0", seqid=seqid)


@pytest.fixture(params=["native", "pure"])
def env(request: pytest.FixtureRequest) -> dict[str, str]:
    return {"THRIFTSERVER_PURE": "1" if request.param == "pure" else ""}


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_call_over_tls_is_answered_and_knows_its_peer(pki: Pki, env: dict[str, str], newest: ssl.TLSVersion) -> None:
    context = pki.client()
    context.maximum_version = newest
    with Server(*ARGS, *pki.options(), cwd=pki.folder, env=env) as server, TlsPeer(server, context) as peer:
        answer = peer.ask(message("add", add(20, 22)))
        assert answer is not None
        assert answer.kind == REPLY
        assert who(peer) == {"peer": peer.name, "certificate": None, "credentials": None}


def test_a_client_certificate_is_known_to_handlers(pki: Pki, env: dict[str, str]) -> None:
    pki.issue("client", "billing.example.com", "127.0.0.1", "billing@example.com")
    with (
        Server(*ARGS, *pki.mutual(), cwd=pki.folder, env=env) as server,
        TlsPeer(server, pki.client("client")) as peer,
    ):
        subject, issuer, sans, fingerprint = who(peer)["certificate"]
    data = ssl.PEM_cert_to_DER_cert((pki.folder / "client.pem").read_text().partition("\n\n")[0])
    assert fingerprint == hashlib.sha256(data).hexdigest()
    assert set(sans) == {"DNS:billing.example.com", "IP:127.0.0.1", "email:billing@example.com"}
    assert subject.split(",")[-1].startswith("O=trustme")
    assert issuer.startswith("OU=Testing CA #")


def test_a_retiring_worker_passes_on_who_the_peer_is(pki: Pki, env: dict[str, str]) -> None:
    pki.issue("client", "billing.example.com")
    with (
        Server(*ARGS, *pki.mutual(), cwd=pki.folder, env=env) as server,
        TlsPeer(server, pki.client("client")) as peer,
    ):
        before = who(peer)
        request = message("version")
        peer.send(request[:9])
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        server.wait("worker_exit", code=0)
        peer.send(request[9:])
        answer = peer.answer()
        assert answer is not None
        assert json.loads(answer.body[7:-1]) == before
        assert before["certificate"] is not None


def test_who_has_connected_to_a_unix_socket_is_known_to_handlers(pki: Pki, env: dict[str, str]) -> None:
    path = pki.folder / "socket"
    with Server(*ARGS, *pki.options(), "-b", f"unix:{path}", "-b", "127.0.0.1:0", cwd=pki.folder, env=env) as server:
        peer = Peer.__new__(Peer)
        peer.sock = socket.socket(socket.AF_UNIX)
        with peer:
            peer.sock.connect(str(path))
            mine = [os.getpid(), os.getuid(), os.getgid()]
            assert who(peer) == {"peer": "unix", "certificate": None, "credentials": mine}
            server.signal(signal.SIGHUP)
            server.wait("worker_exit", code=0)
            assert who(peer)["credentials"] == mine


# Who is not let in.


def refused(server: Server, context: ssl.SSLContext, count: int = 1) -> str:
    """The reason that the log has after a client was not served."""
    with suppress(OSError), TlsPeer(server, context) as peer:
        assert peer.ask(message("version")) is None
    reason: str = server.wait("tls_refused", count)["reason"]
    return reason


def test_clients_without_a_good_certificate_are_refused_with_the_reason(pki: Pki) -> None:
    stranger = trustme.CA()
    pki.issue("stranger", "billing.example.com", by=stranger)
    pki.issue("expired", "billing.example.com", until=datetime.now(UTC) - timedelta(days=1))
    self_signed(pki, "own")
    with Server(*ARGS, *pki.mutual(), cwd=pki.folder) as server:
        assert "has shown no certificate, which --cert-reqs required asks for" in refused(server, pki.client())
        assert "certificate is refused: unable to get local issuer" in refused(server, pki.client("stranger"), 2)
        assert "certificate is refused: certificate has expired" in refused(server, pki.client("expired"), 3)
        assert "certificate is refused: self-signed certificate" in refused(server, pki.client("own"), 4)
        kinds = [each["kind"] for each in server.found("tls_refused")]
        assert kinds == ["no_certificate", "bad_certificate", "bad_certificate", "bad_certificate"]


def self_signed(pki: Pki, stem: str) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(pki.folder / f"{stem}.pem")
    authority.private_key_pem.write_to_path(pki.folder / f"{stem}.key")


def test_a_certificate_may_be_shown_or_not_where_it_is_optional(pki: Pki) -> None:
    pki.issue("client", "billing.example.com")
    pki.issue("stranger", "billing.example.com", by=trustme.CA())
    with Server(*ARGS, *pki.mutual("optional"), cwd=pki.folder) as server:
        with TlsPeer(server, pki.client("client")) as shown, TlsPeer(server, pki.client()) as not_shown:
            assert who(shown)["certificate"][2] == ["DNS:billing.example.com"]
            assert who(not_shown)["certificate"] is None
        assert "certificate is refused" in refused(server, pki.client("stranger"))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1")
def test_old_versions_and_foreign_ciphers_are_refused_with_the_reason(pki: Pki) -> None:
    old, weak = pki.client(), pki.client()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("AES128-SHA:@SECLEVEL=0")
    with Server(*ARGS, *pki.options(), "--ciphers", "ECDHE+AESGCM", cwd=pki.folder) as server:
        assert "no TLS newer than 1.1; 1.2 is the least" in refused(server, old)
        assert "none of the ciphers that are offered; see --ciphers" in refused(server, weak, 2)


def test_a_client_that_does_not_trust_the_server_is_told_of(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server:
        assert "refuses our certificate: it does not know who vouches" in refused(server, ssl.create_default_context())


def test_a_peer_without_tls_is_refused_where_there_is_a_certificate(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server:
        with Peer(server) as peer:
            peer.send(message("add", add(20, 22)))
            assert peer.rest() == b""
            said = server.wait("tls_refused", peer=peer.name)
        assert said["kind"] == "plain"
        assert "the peer sent 00 00 00 1e 80 01" in said["reason"]


def test_a_peer_that_hangs_up_is_told_of_only_if_it_has_said_something(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server:
        with Peer(server):
            pass
        with Peer(server) as cut:
            cut.send(b"\x16\x03\x01\x02\x00\x01")
            name = cut.name
        assert server.wait("tls_refused")["peer"] == name
        with TlsPeer(server, pki.client()) as peer:
            assert who(peer)
        assert len(server.found("tls_refused")) == 1


def test_a_peer_that_is_gone_when_its_handshake_begins_is_refused_as_others(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server:
        keeper = server.wait("certificates_loaded")["pid"]
        os.kill(keeper, signal.SIGSTOP)
        peer = Peer(server)
        peer.send(b"\x16\x03\x01\x02\x00\x01")
        peer.reset()
        os.kill(keeper, signal.SIGCONT)
        assert server.wait("tls_refused")["kind"] == "hung_up"
        with TlsPeer(server, pki.client()) as another:
            assert who(another)
        assert not server.found("tls_connection_failed")


# Ports and names.


def test_both_are_served_on_one_port_where_that_is_asked_for(pki: Pki, env: dict[str, str]) -> None:
    with (
        Server(*ARGS, *pki.options(), "--tls", "auto", cwd=pki.folder, env=env) as server,
        Peer(server) as silent,
        TlsPeer(server, pki.client()) as secure,
        Peer(server) as plain,
    ):
        for peer in (secure, plain, silent):
            assert who(peer)["peer"] == peer.name


def test_plain_addresses_stay_without_tls(pki: Pki) -> None:
    addresses = ("-b", "127.0.0.1:0", "-b", "plain:127.0.0.1:0")
    with Server(*ARGS, *pki.options(), *addresses, cwd=pki.folder) as server:
        where = server.addresses[1].rpartition(":")
        with socket.create_connection((where[0], int(where[2])), PATIENCE) as sock:
            sock.sendall(message("pid"))
            assert sock.recv(4096)
        with TlsPeer(server, pki.client()) as peer:
            assert who(peer)


def test_the_name_that_a_client_asks_for_chooses_the_certificate(pki: Pki) -> None:
    pki.issue("other", "other.example.com")
    both = ["--certfile", "server.pem", "--certfile", "other.pem", "--keyfile", "server.key", "--keyfile", "other.key"]
    with (
        Server(*ARGS, *both, cwd=pki.folder) as server,
        TlsPeer(server, pki.client()) as one,
        TlsPeer(server, pki.client(), "other.example.com") as other,
    ):
        assert one.shown != other.shown
        assert who(one)
        assert who(other)


def test_a_session_is_gone_on_with_by_whoever_began_it(pki: Pki) -> None:
    pki.issue("client", "billing.example.com")
    context = pki.client("client")
    with Server(*ARGS, *pki.mutual(), cwd=pki.folder) as server:
        with TlsPeer(server, context) as first:
            known = who(first)["certificate"]  # the tickets come before the reply
            session = first.sock.session
        server.signal(signal.SIGHUP)  # with the same certificates, which ends no session
        server.wait("reloaded")
        with Peer(server) as again:
            again.sock = context.wrap_socket(again.sock, server_hostname="localhost", session=session)
            assert again.sock.session_reused
            assert who(again)["certificate"] == known
        assert len(server.found("certificates_loaded")) == 1


# Bytes and ends.


def test_messages_of_all_sizes_pass_both_ways(pki: Pki, env: dict[str, str]) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder, env=env) as server, TlsPeer(server, pki.client()) as peer:
        for size in (0, 1, 16_000, 16_384, 16_385, 131_072, 1_000_000, 9_000_000):
            answer = peer.ask(echo(size))
            assert answer is not None
            assert answer.kind == REPLY
            assert answer.body.count(b"x") == size


def test_a_client_that_reads_late_gets_all_in_order_and_costs_no_memory(pki: Pki) -> None:
    patient = ("--write-timeout", "0")
    with Server(*ARGS, *pki.options(), *patient, cwd=pki.folder) as server, LockedPeer(server, pki.client()) as peer:
        keeper = server.wait("certificates_loaded")["pid"]
        before = resident(keeper)
        count, size = 60, 1_000_000

        def ask() -> None:
            for seqid in range(count):
                peer.send(echo(size, seqid))

        asking = threading.Thread(target=ask)
        asking.start()
        server.eventually(lambda: stands_still(keeper), "a standstill")
        assert resident(keeper) - before < 20_000_000
        for seqid in range(count):
            answer = peer.answer()
            assert answer is not None
            assert (answer.seqid, answer.body.count(b"x")) == (seqid, size)
        asking.join(PATIENCE)


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def stands_still(pid: int) -> bool:
    """Does a process read and write nothing for a moment?"""

    def moved() -> str:
        return Path(f"/proc/{pid}/io").read_text()

    before = moved()
    return not threading.Event().wait(0.3) and moved() == before


def test_a_client_that_ends_its_stream_is_answered(pki: Pki, env: dict[str, str]) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder, env=env) as server, TlsPeer(server, pki.client()) as peer:
        peer.send(message("add", add(20, 22)))
        with socket.socket(fileno=os.dup(peer.sock.fileno())) as below:
            below.shutdown(socket.SHUT_WR)  # that of the SSLSocket would forget TLS
        answer = peer.answer()
        assert answer is not None
        assert answer.body == field(8, 0, b"\0\0\0\x2a") + b"\0"
        assert peer.sock.recv(1) == b""


def test_a_client_that_says_good_bye_inside_tls_is_answered(pki: Pki, env: dict[str, str]) -> None:
    """An SSLSocket cannot do that: it waits for the other side's good-bye, and a reply is none."""
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = pki.client().wrap_bio(received, sent, server_hostname="localhost")
    with Server(*ARGS, *pki.options(), cwd=pki.folder, env=env) as server, Peer(server) as below:

        def step(action: Callable[[], object]) -> object:
            while True:
                try:
                    return action()
                except ssl.SSLWantReadError:
                    below.send(sent.read())
                    chunk = below.sock.recv(65536)
                    received.write(chunk) if chunk else received.write_eof()

        step(peer.do_handshake)
        peer.write(message("add", add(20, 22)))
        with suppress(ssl.SSLWantReadError):
            peer.unwrap()
        assert step(lambda: peer.read(4096)) == message("add", field(8, 0, b"\0\0\0\x2a") + b"\0", REPLY)


def test_a_server_that_stops_says_good_bye_inside_tls(pki: Pki, env: dict[str, str]) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder, env=env) as server, TlsPeer(server, pki.client()) as busy:
        with TlsPeer(server, pki.client()) as idle:
            assert who(idle)
            busy.send(message("nap", field(4, 1, b"\xbf\xf0" + bytes(6)) + b"\0"))
            server.wait("napping")
            server.signal(signal.SIGTERM)
            server.wait("stopping")
            assert idle.sock.recv(1) == b""  # a stream that ends without a good-bye is an error
            (pki.folder / "wake").touch()
            assert busy.answer() is not None
            assert busy.sock.recv(1) == b""
        assert server.exit_code() == 0


def test_a_client_that_is_gone_for_good_ends_its_call_s_connection(pki: Pki, env: dict[str, str]) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder, env=env) as server:
        peer = TlsPeer(server, pki.client())
        assert who(peer)
        descriptors = Path(f"/proc/{server.wait('certificates_loaded')['pid']}/fd")
        before = len(list(descriptors.iterdir()))
        peer.reset()
        server.eventually(lambda: len(list(descriptors.iterdir())) == before - 2, "both ends closed")


def test_what_is_no_message_is_refused_as_without_tls(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server, TlsPeer(server, pki.client()) as peer:
        peer.send(framed(b"\x80\x02garbage"))
        assert peer.sock.recv(1) == b""
        assert server.wait("bad_peer")["peer"] == peer.name


def test_a_crowd_of_silent_peers_keeps_nobody_out(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server, TlsPeer(server, pki.client()) as inside:
        crowd = [Peer(server) for _ in range(600)]
        for each in crowd:
            each.send(b"\x16\x03\x01\x02\x00\x01")
        with TlsPeer(server, pki.client()) as late:
            assert who(inside)
            assert who(late)
        assert server.wait("tls_refused")["kind"] == "slow"
        for each in crowd:
            each.sock.close()


# What is counted and said.


def test_connections_refusals_and_expiry_are_counted_and_shown(pki: Pki) -> None:
    pki.issue("server", "localhost", until=datetime.now(UTC) + timedelta(days=9.5))
    options = (*pki.mutual("optional"), "--control", "control", "--admin", "127.0.0.1:0")
    with Server(*ARGS, *options, cwd=pki.folder) as server:
        assert server.wait("certificate_expires")["days"] == 9
        pki.issue("stranger", "billing.example.com", by=trustme.CA())
        with TlsPeer(server, pki.client()) as peer:
            assert who(peer)
            refused(server, pki.client("stranger"))
            told = ask(str(pki.folder / "control"), command="status")["tls"]
            assert told == {"connections": 1, "handshakes": 0, "refused": 1, "expires_in_days": 9}
            with urlopen(f"http://{server.wait('admin_listening')['addresses'][0]}/metrics", timeout=PATIENCE) as page:
                metrics = page.read().decode()
            with urlopen(f"http://{server.wait('admin_listening')['addresses'][0]}/workers", timeout=PATIENCE) as page:
                assert json.load(page)["tls"] == told
        assert "thriftserver_tls_connections 1.0" in metrics
        assert 'thriftserver_tls_refused_total{kind="bad_certificate"} 1.0' in metrics
        assert "thriftserver_tls_handshakes_total 1.0" in metrics
        shown = run(pki.folder, "ctl", "--control", "control", "status").stdout
        assert "0 connections, 1 refused; the first certificate expires in 9 days" in shown


@pytest.mark.parametrize("tls", ["required", "auto"])
def test_peers_that_have_said_nothing_delay_no_stop(pki: Pki, tls: str) -> None:
    options = (*pki.options(), "--tls", tls, "--graceful-timeout", "1h")
    with Server(*ARGS, *options, cwd=pki.folder) as server, Peer(server) as silent, Peer(server) as slow:
        slow.send(b"\x16\x03\x01\x02\x00\x01")
        with TlsPeer(server, pki.client()) as peer:
            assert who(peer)  # both are with the keeper by now, which takes connections in their order
        assert server.stop() == 0
        assert silent.rest() == b""
