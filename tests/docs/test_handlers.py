"""What docs/handlers.md shows, as it stands."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import pytest

from tests.docs.pages import blocks
from tests.harness import PATIENCE, Server, run
from tests.support import ROOT
from thriftserver import load
from thriftserver.errors import ApplicationError


class Banner:
    """A server that says this to everybody who connects, and stays."""

    def __init__(self, line: bytes) -> None:
        self._line = line
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self._server.getsockname())
        self._served: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        for each in (self._server, *self._served):
            each.close()

    def _serve(self) -> None:
        with suppress(OSError):  # shut down
            while True:
                served, _ = self._server.accept()
                served.sendall(self._line)
                self._served.append(served)


def test_a_handler_of_coroutines(tmp_path: Path) -> None:
    for block in blocks(ROOT / "docs" / "handlers.md"):
        if block.section == "`async def`":
            (tmp_path / block.file).write_text(block.text)
    api: Any = load(tmp_path / "banners.thrift")
    args = ("--idl", "banners.thrift", "--handler", "banners:Banners")
    with Server(*args, cwd=tmp_path) as server, Banner(b"hello\n") as one, Banner(b"welcome\n") as other:
        with api.Banners.Client(server.host, server.port, timeout=PATIENCE) as client:
            assert client.banners([one.address, other.address]) == ["hello", "welcome"]
            assert client.digest(b"data") == sha256(b"data").hexdigest()
            assert client.asked() == 2
            with Banner(b"") as mute, pytest.raises(ApplicationError, match="took longer than its 2 s"):
                client.banners([mute.address])
        assert server.wait("log", method="banners")["message"].startswith("asked 127.0.0.1:")
    assert not server.found("tasks_left")
    assert run(tmp_path, "check", *args).stdout.endswith("(3, 2 of them async)\n")
