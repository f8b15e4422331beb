"""A real HAProxy in front: its headers in both versions, what it knows of TLS, and its health checks."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness import PATIENCE, Server
from tests.load import Load, Newcomers
from tests.proxied.conftest import LOCAL, who
from tests.server.raw import Peer
from tests.server.services import ARGS
from tests.support import need
from tests.tls.pki import Pki

CONFIGURATION = """
global
    stats socket {folder}/stats level admin
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
listen front
    bind fd@{listener} {bind}
    server behind 127.0.0.1:{behind} {how} check inter 50ms {check}
"""


class Front:
    """Where HAProxy listens, and what it thinks of the server behind."""

    def __init__(self, listener: socket.socket, folder: Path) -> None:
        self.host, self.port = listener.getsockname()
        self._stats = str(folder / "stats")

    def status(self) -> dict[str, str]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(self._stats)
            sock.sendall(b"show stat\n")
            data = b""
            while chunk := sock.recv(65536):
                data += chunk
        head, *lines = data.decode().splitlines()
        rows = [dict(zip(head.lstrip("# ").split(","), line.split(","), strict=False)) for line in lines]
        return next(row for row in rows if row.get("svname") == "behind")


@contextmanager
def haproxy(folder: Path, behind: int, how: str, bind: str = "", check: str = "") -> Iterator[Front]:
    need(shutil.which("haproxy"), "haproxy (apt install haproxy)")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        facts = {"folder": folder, "listener": listener.fileno(), "behind": behind, "how": how, "bind": bind}
        (folder / "haproxy.cfg").write_text(CONFIGURATION.format(**facts, check=check))
        log = (folder / "haproxy.log").open("wb")
        process = subprocess.Popen(
            ["haproxy", "-db", "-f", "haproxy.cfg"],
            cwd=folder,
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=log,
        )
        try:
            yield Front(listener, folder)
        finally:
            process.kill()
            process.wait()
            log.close()


COMPLAINTS = ("proxy_refused", "tls_refused", "bad_peer", "connection_failed", "tls_connection_failed")


def complaints(server: Server) -> list[str]:
    return [each["event"] for each in server.events if each["event"] in COMPLAINTS]


@pytest.mark.parametrize("how", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_the_client_in_front_is_the_peer(pki: Pki, how: str, secure: bool) -> None:
    """TLS passes through HAProxy as it is, to the keeper."""
    tls = pki.options() if secure else ()
    with Server(*ARGS, *tls, *LOCAL, cwd=pki.folder) as server, haproxy(pki.folder, server.port, how) as front:
        with Peer(front) as peer:
            if secure:
                peer.sock = pki.client().wrap_socket(peer.sock, server_hostname="localhost")
            told = who(peer)
            assert told["peer"] == peer.name
            assert told["proxy"][0] != peer.name
        assert complaints(server) == []


def test_what_haproxy_knows_of_tls_reaches_handlers(pki: Pki) -> None:
    pki.authority.issue_cert(common_name="billing").private_key_and_cert_chain_pem.write_to_path(pki.folder / "own.pem")
    own = pki.client()
    own.load_cert_chain(pki.folder / "own.pem")
    both = (pki.folder / "server.pem").read_bytes() + (pki.folder / "server.key").read_bytes()
    (pki.folder / "both.pem").write_bytes(both)
    bind = f"ssl crt {pki.folder}/both.pem ca-file {pki.folder}/ca.pem verify optional"
    how = "send-proxy-v2-ssl-cn proxy-v2-options authority"
    with Server(*ARGS, *LOCAL, cwd=pki.folder) as server, haproxy(pki.folder, server.port, how, bind) as front:
        for context, name in ((own, "billing"), (pki.client(), "")):
            with Peer(front) as peer:
                peer.sock = context.wrap_socket(peer.sock, server_hostname="localhost")
                told = who(peer)
                assert told["peer"] == peer.name
                assert told["proxy"][1:] == ["localhost", name, "TLSv1.3"]
        assert complaints(server) == []


@pytest.mark.parametrize("how", ["send-proxy", "send-proxy-v2"])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_health_checks_find_a_server_well_and_leave_no_line(pki: Pki, how: str, secure: bool) -> None:
    tls = pki.options() if secure else ()
    with Server(*ARGS, *tls, *LOCAL, cwd=pki.folder) as server:
        with haproxy(pki.folder, server.port, how, check="check-send-proxy") as front:
            with Peer(front) as peer:
                if secure:
                    peer.sock = pki.client().wrap_socket(peer.sock, server_hostname="localhost")
                assert who(peer)["peer"] == peer.name
            server.eventually(lambda: int(front.status()["lastchg"]) > 1, "many checks")  # in seconds; one takes 50 ms
            now = front.status()
            assert (now["status"], now["chkfail"], now["check_status"]) == ("UP", "0", "L4OK")
        assert complaints(server) == []


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_reloads_and_upgrades_behind_haproxy_lose_nothing(pki: Pki, secure: bool) -> None:
    tls, context = (pki.options(), pki.client()) if secure else ((), None)
    with Server(*ARGS, *tls, *LOCAL, "-w", "2", cwd=pki.folder) as server:
        with haproxy(pki.folder, server.port, "send-proxy-v2") as front:
            with Load(front, 8, tls=context) as load, Newcomers(front, context) as newcomers:
                for number in range(1, 4):
                    server.signal(signal.SIGHUP)
                    server.wait("reloaded", number)
                server.upgrade()
            assert load.clean(), load
            assert load.calls > 100
            assert newcomers.served
            assert newcomers.failures == []
        assert complaints(server) == []
