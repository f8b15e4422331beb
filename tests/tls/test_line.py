"""The client's line over TLS, against a server of ours: calls and ends; and what ``Tls`` cannot use."""

from __future__ import annotations

import signal
import ssl
import threading

import pytest

from tests.harness import PATIENCE, Server
from tests.server.raw import REPLY, add, field, i32, message, text
from tests.server.services import ARGS
from tests.tls.pki import Pki
from tests.tls.test_terms import encrypt
from thriftserver.client.chosen import Deadline
from thriftserver.client.connecting import connect
from thriftserver.client.line import Line
from thriftserver.client.tls import Tls
from thriftserver.discovery.resolvers import resolver_of

REPLIED = message("add", field(8, 0, i32(42)) + b"\0", REPLY)


def meet(server: Server, tls: Tls) -> Line:
    _, line = connect(resolver_of("localhost", server.port), Deadline(PATIENCE), 0.0, tls)
    return line


def whole(line: Line, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = line.receive(65_536, PATIENCE)
        assert more, "the end of the stream"
        data += more
    return data


def trust(pki: Pki) -> Tls:
    return Tls(ca=pki.folder / "ca.pem")


def test_calls_are_answered_and_between_them_the_line_is_quiet(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server:
        line = meet(server, trust(pki))
        for _ in range(3):
            assert line.usable()
            assert line.quiet()
            line.send(message("add", add(20, 22)), PATIENCE)
            assert whole(line, len(REPLIED)) == REPLIED
        large = message("echo", field(12, 1, field(11, 2, text("x" * 3_000_000)) + b"\0") + b"\0")
        line.send(large, PATIENCE)
        assert len(whole(line, 3_000_000)) >= 3_000_000
        line.close()


def test_what_is_there_already_is_seen_and_stays_there(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server:
        line = meet(server, trust(pki))
        line.send(message("add", add(20, 22)), PATIENCE)
        server.eventually(line.said, "the reply")
        assert not line.quiet()
        assert whole(line, len(REPLIED)) == REPLIED
        line.close()


def test_a_server_that_stops_is_an_end_and_a_line_that_is_not_quiet(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server:
        line, idle = meet(server, trust(pki)), meet(server, trust(pki))
        for each in (line, idle):
            each.send(message("pid"), PATIENCE)
            assert each.receive(100, PATIENCE)
        server.signal(signal.SIGTERM)
        assert line.receive(1, PATIENCE) == b""
        server.eventually(lambda: not idle.quiet(), "the end")
        assert not idle.said()
        line.close()
        idle.close()


def test_a_timeout_is_one_for_all_of_a_message(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server:
        line = meet(server, trust(pki))
        line.send(message("nap", field(4, 1, b"\xbf\xf0" + bytes(6)) + b"\0"), PATIENCE)
        with pytest.raises(TimeoutError):
            line.receive(1, 0.05)
        with pytest.raises(TimeoutError):
            line.send(bytes(50_000_000), 0.05)
        (pki.folder / "wake").touch()
        line.close()


def test_whoever_waits_in_another_thread_goes_on_when_the_line_is_aborted(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server:
        line = meet(server, trust(pki))
        ends: list[object] = []

        def wait() -> None:
            try:
                ends.append(line.receive(1, PATIENCE))
            except OSError as error:
                ends.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        line.abort()
        waiting.join(PATIENCE)
        assert ends
        line.close()


def test_files_and_options_that_cannot_be_used_are_named(pki: Pki) -> None:
    folder = pki.folder
    pki.issue("other", "other.example.com")
    for problem, options in {
        "ca='nowhere.pem': No such file": {"ca": "nowhere.pem"},
        "no certificates in PEM in it": {"ca": folder / "server.key"},
        "without cert=": {"key": "server.key"},
        "give one of them": {"ca": "ca.pem", "insecure": True},
        r"cert='nowhere.pem', key='no.key': No such file": {"cert": "nowhere.pem", "key": "no.key"},
        r"server\.pem.*other\.key.*the key does not belong": {
            "cert": folder / "server.pem",
            "key": folder / "other.key",
        },
        r"server\.pem.*no certificate, or no key": {"cert": folder / "server.pem"},
        "ciphers='ROT13': OpenSSL knows no such cipher": {"ciphers": "ROT13"},
        "a mind of its own": {"context": ssl.create_default_context(), "ca": "ca.pem"},
        "one for servers": {"context": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)},
    }.items():
        with pytest.raises(ValueError, match=problem):
            Tls(**options)  # type: ignore[arg-type]


def test_nobody_is_asked_for_a_passphrase(pki: Pki) -> None:
    encrypt(pki, b"open sesame")
    with pytest.raises(ValueError, match="the key is encrypted; load it into"):
        Tls(cert=pki.folder / "server.pem", key=pki.folder / "server.key")
