"""The client's line over TLS, against a server of ours: calls, ends, and servers that are not trusted."""

from __future__ import annotations

import signal
import socket
import threading

import pytest

from tests.harness import PATIENCE, Server
from tests.server.raw import REPLY, add, field, i32, message, text
from tests.server.services import ARGS
from tests.tls.pki import Pki
from thriftserver.client.line import Line
from thriftserver.client.lines import plain_line
from thriftserver.client.tls import Trust, secured

REPLIED = message("add", field(8, 0, i32(42)) + b"\0", REPLY)


def meet(server: Server, trust: Trust, host: str = "localhost") -> Line:
    line = plain_line(socket.AF_INET)
    line.connect((server.host, server.port), PATIENCE)
    return secured(line, trust, host, PATIENCE)


def whole(line: Line, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = line.receive(65_536, PATIENCE)
        assert more, "the end of the stream"
        data += more
    return data


def trust(pki: Pki, **options: str) -> Trust:
    return Trust(ca=str(pki.folder / "ca.pem"), **options)


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


def test_a_client_shows_its_certificate(pki: Pki) -> None:
    pki.issue("client", "billing.example.com")
    own = {"cert": str(pki.folder / "client.pem"), "key": str(pki.folder / "client.key")}
    with Server(*ARGS, *pki.mutual(), cwd=pki.folder) as server:
        line = meet(server, trust(pki, **own))
        line.send(message("add", add(20, 22)), PATIENCE)
        assert whole(line, len(REPLIED)) == REPLIED
        line.close()


def test_a_server_that_is_not_trusted_or_is_another_one_is_refused(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server:
        with pytest.raises(ConnectionError, match="certificate is refused: unable to get local issuer"):
            meet(server, Trust())
        with pytest.raises(ConnectionError, match=r"certificate is refused: IP address mismatch"):
            meet(server, trust(pki), "127.0.0.1")
        for lenient in (Trust(insecure=True), trust(pki, server_name="localhost")):
            line = meet(server, lenient, "127.0.0.1")
            line.send(message("pid"), PATIENCE)
            assert line.receive(100, PATIENCE)
            line.close()


def test_a_server_without_tls_is_told(pki: Pki) -> None:
    with Server(*ARGS, cwd=pki.folder) as server, pytest.raises(ConnectionError, match="TLS"):
        meet(server, trust(pki))


def test_files_and_options_that_cannot_be_used_are_named(pki: Pki) -> None:
    with pytest.raises(ValueError, match=r"ca='nowhere.pem': No such file"):
        Trust(ca="nowhere.pem")
    with pytest.raises(ValueError, match="without cert="):
        Trust(key="server.key")
    with pytest.raises(ValueError, match="give one of them"):
        Trust(ca="ca.pem", insecure=True)
    pki.issue("other", "other.example.com")
    pair = {"cert": str(pki.folder / "server.pem"), "key": str(pki.folder / "other.key")}
    with pytest.raises(ValueError, match=r"server\.pem"):
        Trust(**pair)
