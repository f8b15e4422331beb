"""``thriftserver doctor``: what it says of servers that are well, of those that are not, and of what is none."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.client.foreign import answers
from tests.client.peers import Peer
from tests.client.test_foreign_servers import running
from tests.harness import Server
from tests.interop.conftest import thrifttest_idl, without_uuid  # noqa: F401 - fixtures
from tests.interop.counterparts import compile_idl
from tests.reflection.bank import ONE
from tests.support import ROOT, need
from tests.tls.pki import Pki
from tests.tools.conftest import Command
from thriftserver.client.tls import Tls
from thriftserver.discovery.addresses import Address
from thriftserver.doctor.examination import DIALECTS, Facts, Handshake, examine
from thriftserver.doctor.findings import BAD, NOTE, OK, Finding, exit_code, findings
from thriftserver.doctor.limits import Limit
from thriftserver.doctor.probe import CLOSED, OTHER, THRIFT, UNREACHABLE, Answer
from thriftserver.doctor.strangers import read_http, recognise

NOW = 1_800_000_000.0


def examined(
    port: int,
    host: str = "127.0.0.1",
    timeout: float = 5.0,
    idle: float = 0.05,
    path: str = "/",
    tls: Tls | None = None,
) -> Facts:
    """A step that answers is as fast as it is; ``timeout`` is for those that say nothing."""
    return examine(Address(host, port), path, timeout, idle, tls, lambda _step: None)


def said(facts: Facts) -> list[str]:
    """Level and text of each finding."""
    return [f"{each.level}: {each.text}" for each in findings(facts, NOW)]


def has(facts: Facts, start: str) -> bool:
    return any(each.startswith(start) for each in said(facts))


def spoken(answers: tuple[Answer, ...]) -> list[str]:
    return [each.dialect for each in answers if each.kind == THRIFT]


def test_a_server_that_is_well(command: Command, address: str) -> None:
    done = command("doctor", address, "--idle", "50ms")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "note", "bad "))]
    assert [line[:4].strip() for line in lines] == ["ok"] * 5, done.stdout
    assert lines[0] == (
        "ok    without TLS it speaks framed binary, compact, json; unframed binary, compact, json; "
        "header binary, compact, json; http binary, compact, json"
    )
    assert lines[2] == "ok    it takes messages of 15.4 MiB, and refuses those of 15.8 MiB"
    assert lines[4].endswith(" serves Bank, Mint, and tells its IDL")


def test_json(command: Command, address: str) -> None:
    told = json.loads(command("doctor", address, "--idle", "0", "--json").stdout)
    assert told["address"] == address
    assert [each["dialect"] for each in told["answers"]] == list(DIALECTS)
    assert {each["answer"] for each in told["answers"]} == {THRIFT}
    assert all(each.keys() <= {"level", "text", "advice"} for each in told["findings"])
    assert not [each for each in told["findings"] if "idle" in each["text"]]


def test_limits_of_ours_are_found(folder: Path) -> None:
    options = ("--max-frame", "64k", "--idle-timeout", "200ms", "--dialect", "framed-binary", "--reflection", "off")
    with Server(*ONE[:-1], *options, cwd=folder) as server:
        facts = examined(server.port, idle=10.0)
    assert spoken(facts.plain) == ["framed-binary"]
    assert facts.limit is not None
    assert facts.limit.taken <= 65_536 < facts.limit.refused <= facts.limit.taken * 1.03 + 1
    assert facts.idle is not None
    assert has(facts, "bad: it takes messages of 6")
    assert has(facts, "note: it closes a connection that is idle for ")
    assert has(facts, "note: without TLS it refuses framed compact")
    assert has(facts, "note: it does not tell its IDL")
    assert exit_code(facts, findings(facts, NOW)) == 1


def test_over_a_unix_socket(folder: Path) -> None:
    with Server(*ONE, "--bind", "unix:doctor.sock", cwd=folder):
        facts = examined(0, f"unix:{folder / 'doctor.sock'}")
    assert spoken(facts.plain) == list(DIALECTS)
    assert facts.tls is None
    assert facts.told is not None


def test_tls_only(folder: Path) -> None:
    pki = Pki(folder)
    with Server(*ONE, *pki.options(), cwd=folder) as server:
        facts = examined(server.port)
    assert spoken(facts.plain) == []
    assert spoken(facts.secure) == list(DIALECTS)
    assert facts.told is not None
    assert has(facts, "note: it speaks TLS only")
    assert has(facts, "note: it speaks TLSv1.3, and is not trusted: ")
    assert exit_code(facts, findings(facts, NOW)) == 0


def test_a_certificate_that_is_trusted_is_told(folder: Path) -> None:
    pki = Pki(folder)
    with Server(*ONE, *pki.options(), cwd=folder) as server:
        facts = examined(server.port, host="localhost", tls=Tls(ca=folder / "ca.pem"))
    assert facts.tls is not None
    assert (facts.tls.problem, facts.tls.names) == ("", ("DNS:localhost",))
    assert any("with a certificate of " in each and "for DNS:localhost, until " in each for each in said(facts))


def test_a_client_certificate_is_asked_for(folder: Path) -> None:
    pki = Pki(folder)
    pki.issue("orders", "orders.internal")
    with Server(*ONE, *pki.mutual(), cwd=folder) as server:
        facts = examined(server.port)
        shown = Tls(ca=folder / "ca.pem", cert=folder / "orders.pem", key=folder / "orders.key")
        let_in = examined(server.port, host="localhost", tls=shown)
    assert has(facts, "bad: it asks clients for a certificate"), said(facts)
    assert spoken(let_in.secure) == list(DIALECTS)


@pytest.mark.parametrize(
    ("kind", "dialect", "expected"),
    [
        ("threaded", "framed-binary", ["framed-binary"]),
        ("threaded", "unframed-compact", ["unframed-compact"]),
        ("threaded", "unframed-json", ["unframed-json"]),
        ("threaded", "http-binary", ["http-binary"]),
        ("nonblocking", "framed-compact", ["framed-compact"]),
    ],
)
def test_servers_of_others(generated: Path, kind: str, dialect: str, expected: list[str]) -> None:
    program = Path(answers.__file__).parent / "apache_server.py"
    with running([sys.executable, str(program), kind, dialect], generated) as server:
        facts = examined(server.port, timeout=0.5)
    assert spoken(facts.plain) == expected
    assert has(facts, "note: it does not tell its IDL")
    assert has(facts, "note: it does not speak framed-binary") is (dialect != "framed-binary")


@pytest.fixture(scope="module")
def generated(without_uuid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    made = tmp_path_factory.mktemp("python")
    compile_idl("py", without_uuid, made)
    return made


Says = Callable[[bytes], bytes]


def speaker(reply: Says) -> Callable[[socket.socket], None]:
    """A server that answers the first bytes with these, and hangs up."""

    def serve(sock: socket.socket) -> None:
        sock.sendall(reply(sock.recv(4096)))
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(4096):
            pass

    return serve


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (lambda _: b"SSH-2.0-OpenSSH_9.6\r\n", "bad: it speaks SSH, and no Thrift"),
        (lambda _: b"-ERR unknown command\r\n", "bad: it speaks Redis"),
        (lambda _: b"J\0\0\0\x0a8.0.36\0", "bad: it speaks MySQL"),
        (lambda _: b"220 mail ready\r\n", "bad: it speaks SMTP or FTP"),
        (lambda _: b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80", "bad: it speaks HTTP/2"),
        (lambda _: b"\x15\x03\x03\0\x02\x02\x46", "bad: it speaks TLS"),
        (lambda asked: b"\x05\0\0\0\0" if asked[:1] == b"\x01" else b"", "bad: it speaks SASL"),
        (lambda _: b"\x7fELF\x02\x01", "bad: its answers are no Thrift; they begin with 7f 45 4c 46 02 01"),
        (lambda _: b"", "bad: it takes connections, and closes them without an answer in any dialect"),
    ],
)
def test_what_is_no_thrift(reply: Says, told: str) -> None:
    with Peer(speaker(reply)) as peer:
        facts = examined(peer.port, timeout=2.0)
    assert has(facts, told), said(facts)
    assert exit_code(facts, findings(facts, NOW)) == 1


def test_a_server_that_says_nothing() -> None:
    with Peer(lambda sock: while_open(sock)) as peer:
        facts = examined(peer.port, timeout=0.05)
    assert has(facts, "bad: it takes connections, and answers nothing in any dialect")


def while_open(sock: socket.socket) -> None:
    while sock.recv(4096):
        pass


def test_an_http_server() -> None:
    class Nothing(BaseHTTPRequestHandler):
        server_version, sys_version = "Example/1.0", ""

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Nothing) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        facts = examined(server.server_port, timeout=0.3)  # it waits for lines, whatever comes
        server.shutdown()
        thread.join()
    assert has(facts, "bad: it is an HTTP server, and answers a call with 404 Not Found"), said(facts)
    assert has(facts, "note: over HTTP Example/1.0 answers")


@contextlib.contextmanager
def haproxy(folder: Path, port: int, bind: str = "") -> Iterator[int]:
    """A proxy before a server; the port that it listens at."""
    need(shutil.which("haproxy"), "haproxy (apt install haproxy)")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        (folder / "haproxy.cfg").write_text(
            "defaults\n mode tcp\n retries 0\n timeout connect 2s\n timeout client 300ms\n timeout server 300ms\n"
            f"listen all\n bind fd@{listener.fileno()} {bind}\n server one 127.0.0.1:{port}\n"
        )
        process = subprocess.Popen(
            ["haproxy", "-f", "haproxy.cfg", "-q", "-db"], cwd=folder, pass_fds=[listener.fileno()]
        )
        try:
            yield listener.getsockname()[1]
        finally:
            process.kill()
            process.wait()


def test_a_proxy_in_between(folder: Path, server: Server) -> None:
    with haproxy(folder, server.port) as port:
        facts = examined(port, idle=10.0)
    assert spoken(facts.plain) == list(DIALECTS)
    assert facts.idle is not None
    assert has(facts, "note: it closes a connection that is idle for ")


def test_a_proxy_whose_server_is_away(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        away = nobody.getsockname()[1]
    with haproxy(folder, away) as port:
        facts = examined(port)
    assert has(facts, "bad: it takes connections, and closes them without an answer in any dialect"), said(facts)


def test_a_server_that_expects_the_proxy_protocol(folder: Path, server: Server) -> None:
    with haproxy(folder, server.port, "accept-proxy") as port:
        facts = examined(port, timeout=2.0)
    assert has(facts, "bad: it expects the PROXY protocol before each connection"), said(facts)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("cannot connect to a:1: Connection refused", "nobody listens there"),
        ("cannot connect to a:1: timed out after 2 s while connecting", "a firewall"),
        ("cannot connect to unix:/x: No such file or directory", "there is no such socket"),
        ("cannot connect to unix:/x: Permission denied", "see --unix-mode"),
        ("cannot connect to a:1: Name or service not known", "is it the right address?"),
    ],
)
def test_who_cannot_be_reached(text: str, advice: str) -> None:
    facts = Facts("a:1", (Answer("framed-binary", False, UNREACHABLE, text),))
    (finding,) = findings(facts, NOW)
    assert (finding.level, finding.text) == (BAD, text)
    assert finding.advice.startswith(advice)
    assert exit_code(facts, [finding]) == 7


def test_certificates_that_end_soon_or_are_wrong() -> None:
    secure = (Answer("framed-binary", True, THRIFT),)
    plain = (Answer("framed-binary", False, CLOSED),)

    def of(tls: Handshake) -> Finding:
        return findings(Facts("a:1", plain, secure, tls), NOW)[1]

    fine = of(Handshake("TLSv1.3", "CN=a", ("DNS:a",), NOW + 100 * 86400))
    assert (fine.level, "for DNS:a, until 2027-04-25 (100 days)" in fine.text) == (OK, True)
    soon = of(Handshake("TLSv1.3", "CN=a", (), NOW + 3 * 86400))
    assert (soon.level, soon.advice) == (BAD, "renew it, and reload the server")
    expired = of(Handshake("TLSv1.3", problem="certificate has expired"))
    assert (expired.level, expired.advice) == (BAD, "renew it, and reload the server")
    unseen = of(Handshake("TLSv1.3"))
    assert (unseen.level, unseen.text) == (NOTE, "it speaks TLSv1.3, and its certificate was not looked at")
    named = of(Handshake("TLSv1.3", problem="Hostname mismatch, certificate is not valid for 'a'."))
    assert named.advice == "connect by a name that stands in it"


def test_slow_calls_and_no_limit() -> None:
    plain = (Answer("framed-binary", False, THRIFT, connecting=0.001),)
    facts = Facts("a:1", plain, latency=(0.4, 0.6, 2.0), limit=Limit(1 << 30, 0))
    assert said(facts)[1:] == [
        "bad: a call takes 600 ms (from 400 ms to 2.0 s), a connection 1 ms",
        "note: it takes messages of 1 GiB and more",
    ]


def test_heads_of_http() -> None:
    head = read_http(b"HTTP/1.1 502 Bad Gateway\r\nServer: nginx/1.2\r\nVia: 1.1 edge\r\n\r\nServer: no")
    assert head == ("502 Bad Gateway", "nginx/1.2", "1.1 edge")
    assert read_http(b"HTTP/2 200") is None
    assert recognise(b"HTTP/1.1 200 OK") is None
    facts = Facts("a:1", (Answer("http-binary", False, OTHER, start=b"HTTP/1.1 502 Bad Gateway\r\nVia: 1.1 edge\r\n"),))
    assert has(facts, "note: over HTTP there is a proxy in between: 1.1 edge")


@pytest.mark.parametrize(
    "words",
    [["nonsense"], ["127.0.0.1:1", "--timeout", "0"], ["127.0.0.1:1", "--idle", "x"], ["127.0.0.1:1", "--path", "x"]],
)
def test_what_makes_no_sense(command: Command, words: list[str]) -> None:
    done = command("doctor", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_nobody_there(command: Command) -> None:
    done = command("doctor", "127.0.0.1:1")
    assert done.returncode == 7
    assert done.stdout.startswith("bad   cannot connect to 127.0.0.1:1: Connection refused\n      nobody listens there")


def test_on_a_terminal_it_says_what_it_tries(folder: Path, address: str) -> None:
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "thriftserver", "doctor", address, "--idle", "0"]
    with subprocess.Popen(
        words, cwd=folder, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=theirs, text=True
    ) as done:
        os.close(theirs)
        shown = ""
        with contextlib.suppress(OSError):  # the end of a terminal
            while data := os.read(ours, 4096):
                shown += data.decode()
        os.close(ours)
        assert done.stdout is not None
        assert done.stdout.read().startswith("ok    without TLS it speaks framed binary")
    assert "trying framed-compact" in shown
    assert shown.endswith("\r\x1b[K")
