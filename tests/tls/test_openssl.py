"""Our clients and ``openssl s_server``: whom it refuses, and what else TLS may say in the middle of a call."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import trustme

import thriftserver
from tests.client.peers import reply
from tests.client.shells import BOTH, either
from tests.harness import PATIENCE
from tests.server.services import IDL
from tests.support import need
from tests.tls.pki import Pki
from thriftserver import Tls
from thriftserver.errors import TransportError

API: Any = either(thriftserver.load("/tls/demo.thrift", files={"/tls/demo.thrift": IDL}))
pytestmark = BOTH


class Told:
    """A running s_server, and what it has printed."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._printed = b""
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = 0

    def _read(self) -> None:
        assert self._process.stdout is not None
        while data := os.read(self._process.stdout.fileno(), 1 << 16):
            with self._news:
                self._printed += data
                self._news.notify_all()

    def until(self, pattern: bytes) -> re.Match[bytes]:
        """Wait for this, behind all that was waited for before."""
        with self._news:
            self._news.wait_for(lambda: re.search(pattern, self._printed), PATIENCE)
            found = re.search(pattern, self._printed)
            assert found is not None, self._printed
            self._printed = self._printed[found.end() :]
            return found

    def stop(self) -> None:
        self._process.kill()
        self._reader.join(PATIENCE)
        self._process.communicate()

    def type(self, data: bytes) -> None:
        """What begins with a letter may be a command, what does not is sent."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()


@contextmanager
def s_server(pki: Pki, *options: str) -> Iterator[Told]:
    need(shutil.which("openssl"), "openssl (apt install openssl)")
    command = [
        "stdbuf",
        "-o0",
        "openssl",
        "s_server",
        "-accept",
        "127.0.0.1:0",
        "-cert",
        "server.pem",
        "-key",
        "server.key",
        *options,
    ]
    process = subprocess.Popen(
        command, cwd=pki.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    told = Told(process)
    try:
        told.port = int(told.until(rb"ACCEPT .*:(\d+)\n")[1])
        yield told
    finally:
        told.stop()


def test_keys_are_changed_in_the_middle_of_a_call(pki: Pki) -> None:
    """And the server asks for new ones of the client's, which has to answer by itself."""
    with s_server(pki, "-tls1_3") as server, ThreadPoolExecutor(1) as thread:
        tls = Tls(ca=pki.folder / "ca.pem", server_name="localhost")
        with API.Demo.Client("127.0.0.1", server.port, tls=tls, timeout=PATIENCE) as it:
            server.until(b"CIPHER")
            for seqid in (1, 2, 3):
                called = thread.submit(it.pid)
                server.until(b"pid")
                server.type(b"K\n")
                server.until(b"SSL_do_handshake -> 1")
                server.type(reply("pid", seqid, seqid))
                assert called.result(PATIENCE) == seqid


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("stem", ["", "stranger"])
def test_a_client_without_a_certificate_that_it_knows_is_refused(pki: Pki, version: str, stem: str) -> None:
    pki.issue("stranger", "billing.example.com", by=trustme.CA())
    own = {"cert": pki.folder / "stranger.pem", "key": pki.folder / "stranger.key"} if stem else {}
    asking = ("-Verify", "1", "-CAfile", "ca.pem", "-verify_return_error")
    with s_server(pki, version, *asking) as server:
        tls = Tls(ca=pki.folder / "ca.pem", server_name="localhost", **own)

        def call() -> None:
            with API.Demo.Client("127.0.0.1", server.port, tls=tls, timeout=PATIENCE) as it:
                it.pid()

        with pytest.raises(TransportError, match="certificate") as caught:
            call()
        assert (caught.value.phase, caught.value.executed) == ("handshaking", False)


def test_a_server_that_speaks_only_old_versions_is_refused(pki: Pki) -> None:
    with s_server(pki, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0") as server:
        tls = Tls(ca=pki.folder / "ca.pem", server_name="localhost")
        with pytest.raises(TransportError, match="it speaks no version of TLS that this client does"):
            API.Demo.Client("127.0.0.1", server.port, tls=tls, timeout=PATIENCE)
