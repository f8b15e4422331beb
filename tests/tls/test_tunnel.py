"""A tunnel between a client over TLS and a worker's stream, compiled and pure: bytes, key updates, ends."""

from __future__ import annotations

import hashlib
import os
import random
import select
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.harness import PATIENCE, Server
from tests.server.raw import add, field, i32, message
from tests.server.services import ARGS
from tests.support import ROOT, need
from tests.tls.locked import Locked
from tests.tls.pki import Pki, TlsPeer
from tests.tls.test_openssl import Told
from thriftserver.compiled import NATIVE, variant
from thriftserver.tls import tunnel

FORMS = pytest.mark.parametrize("native", [True, False], ids=["native", "pure"])
VERSIONS = pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
SIZES = (1, 2, 100, 16_383, 16_384, 16_385, 65_536, 131_072, 200_001)


class Hall:
    """As much of a keeper as one tunnel needs, in a thread: ``caller`` is the client's end, ``worker`` the worker's."""

    def __init__(self, pki: Pki, native: bool, newest: ssl.TLSVersion, buffers: int) -> None:
        self.ends: Any = variant("tls.ends", native)
        assert self.ends.reach() == ""
        self.tunnels: Any = variant("tls.tunnel", native)
        self.limited, self.over = threading.Event(), threading.Event()
        self.parted: list[socket.socket] = []
        self.errors: list[Exception] = []
        self.loads: list[bool] = []
        client, theirs = self._shake_hands(pki, newest, buffers)
        self.caller = Locked(client)
        ours, self.worker = socket.socketpair()
        for sock in (theirs, ours):
            sock.setblocking(False)
        for sock in (ours, self.worker):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
        self.worker.settimeout(PATIENCE)
        self._watch = self.tunnels.Watch(select.epoll(), self)
        self.tunnel = self.tunnels.Tunnel(self.ends.Client(theirs), self.ends.Worker(ours), self._watch, self)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _shake_hands(self, pki: Pki, newest: ssl.TLSVersion, buffers: int) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
        context.load_cert_chain(pki.folder / "server.pem", pki.folder / "server.key")
        trust = pki.client()
        trust.maximum_version = newest
        with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as thread:
            below = socket.create_connection(listener.getsockname(), PATIENCE)
            accepted, _ = listener.accept()
            for sock in (below, accepted):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
            shaken = thread.submit(trust.wrap_socket, below, server_hostname="localhost")
            theirs = context.wrap_socket(accepted, server_side=True, suppress_ragged_eofs=False)
            return shaken.result(PATIENCE), theirs

    def _run(self) -> None:
        while not self.over.is_set():
            self._watch.turn(0.05)

    def limit(self, _tunnel: Any) -> None:
        self.limited.set()

    def part(self, sock: socket.socket) -> None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        self.parted.append(sock)

    def ended(self, _tunnel: Any) -> None:
        self.over.set()

    def busy(self, busy: bool) -> None:
        self.loads.append(busy)

    def failed(self, tunnel: Any, error: Exception) -> None:
        self.errors.append(error)
        tunnel.close()

    def close(self) -> None:
        for sock in (self.caller, self.worker):
            with suppress(OSError):
                sock.close()
        ended = self.over.wait(PATIENCE)
        self.over.set()
        self._thread.join(PATIENCE)
        for each in self.parted:
            each.close()
        assert not self.errors, self.errors
        assert ended


@contextmanager
def hall(pki: Pki, native: bool, newest: ssl.TLSVersion, buffers: int = 1 << 20) -> Iterator[Hall]:
    need(NATIVE or not native, "the compiled code (python setup.py build_ext --inplace)")
    made = Hall(pki, native, newest, buffers)
    try:
        yield made
    finally:
        made.close()


def say(chance: random.Random, sock: Any, data: bytes) -> None:
    at = 0
    while at < len(data):
        size = chance.choice(SIZES) if chance.random() < 0.5 else chance.randint(1, 40_000)
        sock.sendall(data[at : at + size])
        at += size


def hear(chance: random.Random, sock: Any, size: int) -> bytes:
    heard = bytearray()
    while len(heard) < size:
        piece = sock.recv(chance.choice(SIZES))
        assert piece, f"the end after {len(heard)} of {size} bytes"
        heard += piece
    return bytes(heard)


@FORMS
@VERSIONS
@pytest.mark.parametrize("seed", range(6))
def test_both_directions_at_once_in_pieces_of_chance(pki: Pki, native: bool, newest: ssl.TLSVersion, seed: int) -> None:
    """Neither waits for the other, so each stands in front of full buffers now and then."""
    chance = random.Random(seed)
    asked, answered = chance.randbytes(chance.randint(1, 2_000_000)), chance.randbytes(chance.randint(1, 2_000_000))
    with hall(pki, native, newest, chance.choice((4096, 100_000, 1 << 20))) as it, ThreadPoolExecutor(4) as threads:
        chances = [random.Random(f"{seed} {each}") for each in range(4)]
        to_say = zip(chances, (it.caller, it.worker), (asked, answered), strict=False)
        saying = [threads.submit(say, *each) for each in to_say]
        to_worker = threads.submit(hear, chances[2], it.worker, len(asked))
        to_caller = threads.submit(hear, chances[3], it.caller, len(answered))
        assert digest(to_worker.result(PATIENCE)) == digest(asked)
        assert digest(to_caller.result(PATIENCE)) == digest(answered)
        for each in saying:
            each.result(PATIENCE)
        it.caller.shutdown(socket.SHUT_WR)
        assert it.worker.recv(1) == b""
        it.worker.sendall(b"last words")
        it.worker.close()
        assert hear(chances[3], it.caller, 10) == b"last words"
        assert it.caller.recv(1) == b""  # by TLS's own good-bye: anything else would be an error


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@FORMS
@VERSIONS
def test_what_a_worker_says_last_reaches_a_client_that_reads_late(
    pki: Pki, native: bool, newest: ssl.TLSVersion
) -> None:
    with hall(pki, native, newest, 4096) as it, ThreadPoolExecutor(1) as thread:
        data = random.Random(1).randbytes(8_000_000)

        def say_and_go() -> None:
            it.worker.sendall(data)
            it.worker.close()

        said = thread.submit(say_and_go)
        assert digest(hear(random.Random(2), it.caller, len(data))) == digest(data)
        said.result(PATIENCE)
        assert it.caller.recv(1) == b""


@FORMS
def test_a_worker_that_dies_while_the_client_reads_nothing_limits_the_rest(pki: Pki, native: bool) -> None:
    with hall(pki, native, ssl.TLSVersion.TLSv1_3, 4096) as it:
        it.worker.setblocking(False)
        blocked = False
        while not (blocked and it.tunnel.client.full):
            try:
                it.worker.send(b"x" * 65_536)
            except BlockingIOError:
                blocked = True
        it.worker.close()
        assert it.limited.wait(PATIENCE)


@FORMS
@VERSIONS
def test_what_a_client_has_sent_before_it_was_reset_reaches_the_worker(
    pki: Pki, native: bool, newest: ssl.TLSVersion
) -> None:
    with hall(pki, native, newest) as it:
        it.caller.sendall(b"request")
        assert it.worker.recv(100) == b"request"
        it.caller.reset()
        assert it.worker.recv(100) == b""


@FORMS
@VERSIONS
def test_bytes_that_are_no_record_end_both_sides(pki: Pki, native: bool, newest: ssl.TLSVersion) -> None:
    with hall(pki, native, newest) as it:
        it.caller.sendall(b"request")
        assert it.worker.recv(100) == b"request"
        with socket.socket(fileno=os.dup(it.caller._sock.fileno())) as below:
            below.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        assert it.worker.recv(100) == b""
        with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):  # OpenSSL's last word on it
            it.caller.recv(100)


# Whole servers.


@pytest.mark.parametrize("pure", ["", "1"], ids=["native", "pure"])
def test_a_client_changes_keys_between_calls_and_asks_for_new_ones(pki: Pki, pure: str) -> None:
    need(shutil.which("openssl"), "openssl (apt install openssl)")
    with Server(*ARGS, *pki.options(), cwd=pki.folder, env={"THRIFTSERVER_PURE": pure}) as server:
        command = ["openssl", "s_client", "-connect", f"{server.host}:{server.port}", "-CAfile", "ca.pem", "-tls1_3"]
        told = Told(
            subprocess.Popen(
                ["stdbuf", "-o0", *command],
                cwd=pki.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        )
        try:
            told.until(b"Verify return code: 0")
            for letter in b"KkKKk":
                told.type(bytes([letter, 10]))
                told.until(b"KEYUPDATE")
                told.type(message("add", add(20, 22)))
                told.until(b"add.{4}" + field(8, 0, i32(42)))
        finally:
            told.stop()


def without_openssl(folder: Path) -> dict[str, str]:
    """An environment in which Python cannot say where its ssl module lies, as where it is built in."""
    (folder / "sitecustomize.py").write_text("import _ssl\ndel _ssl.__file__\n")
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def test_a_python_whose_openssl_cannot_be_reached_serves_without(pki: Pki, tmp_path: Path) -> None:
    need(NATIVE, "the compiled code (python setup.py build_ext --inplace)")
    env = without_openssl(tmp_path)
    with Server(*ARGS, *pki.options(), cwd=pki.folder, env=env) as server, TlsPeer(server, pki.client()) as peer:
        assert server.wait("openssl_not_reached")["reason"] == "_ssl is a part of this Python"
        assert peer.ask(message("add", add(20, 22)))


def test_what_is_not_python_s_openssl_is_not_used() -> None:
    need(NATIVE, "the compiled code (python setup.py build_ext --inplace)")
    code = (
        "import _json, _ssl, socket, ssl\n"
        "early = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())\n"
        "from thriftserver.tls import _ends\n"
        "right, _ssl.__file__ = _ssl.__file__, '/nowhere.so'\n"
        "print(_ends.reach())\n"
        "_ssl.__file__ = _json.__file__\n"
        "print(_ends.reach())\n"
        "_ssl.__file__ = right\n"
        "print(repr(_ends.reach()))\n"
        "late = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())\n"
        "_ends.Client(late, -1)\n"
        "for each in (early, late, object()):\n"
        "    try:\n"
        "        _ends.Client(each, -1)\n"
        "    except LookupError as error:\n"
        "        print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    unknown = "OpenSSL has told of no connection for the one that Python has made"
    assert told.splitlines() == ["/nowhere.so is not there", "SSL_read is not there", "''", *[unknown] * 3]


@FORMS
def test_many_calls_are_told_of_when_they_begin_and_when_they_end(native: bool) -> None:
    need(NATIVE or not native, "the compiled code (python setup.py build_ext --inplace)")
    tunnels: Any = variant("tls.tunnel", native)
    loads: list[bool] = []
    with select.epoll() as epoll:
        watch = tunnels.Watch(epoll, SimpleNamespace(busy=loads.append))
        for found in (0, tunnel.BUSY + 1, tunnel.BUSY + 1, tunnel.BUSY - 1, 0):
            watch.found = found
            watch.weigh(watch.weighed + 1.0)
    assert loads == [True, False]


@pytest.mark.parametrize("policy", ["OTHER", "BATCH", "IDLE"])
def test_who_is_busy_interrupts_nobody_and_a_policy_that_was_chosen_stays(policy: str) -> None:
    code = (
        "import os\n"
        "from thriftserver.tls.courtesy import Courtesy\n"
        f"os.sched_setscheduler(0, os.SCHED_{policy}, os.sched_param(0))\n"
        "courtesy, seen = Courtesy(), []\n"
        "for busy in (False, True, True, False, False):\n"
        "    courtesy.defer(busy)\n"
        "    seen.append(os.sched_getscheduler(0))\n"
        "print(*seen)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    chosen = getattr(os, f"SCHED_{policy}")
    busy = os.SCHED_BATCH if policy == "OTHER" else chosen
    assert [int(each) for each in told.split()] == [chosen, busy, busy, chosen, chosen]
