"""Registries that answer nonsense: the server goes on, its clients are told, and nobody sees a traceback."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

import thriftserver
from tests.client.peers import Peer
from tests.harness import Server
from thriftserver.errors import TransportError

HTTP = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s"
ANSWERS = {
    "nothing": b"",
    "noise": b"\x00\xff" * 600,
    "no JSON": HTTP % (b"200 OK", 3, b"{[}"),
    "no object": HTTP % (b"200 OK", 4, b"[42]"),
    "an error": HTTP % (b"403 Forbidden", 9, b"not yours"),
    "no values": HTTP % (b"200 OK", 2, b"{}"),
    "half of it": HTTP % (b"200 OK", 900, b"{}"),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("scheme", ["zk", "etcd", "consul"])
def test_a_registry_that_answers_nonsense(scheme: str, answer: str, folder: Path) -> None:
    def say(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(ANSWERS[answer])

    with Peer(say) as peer:
        url = f"{scheme}://127.0.0.1:{peer.port}/strange"
        api = thriftserver.load(folder / "demo.thrift")
        with Server("--idl", "demo.thrift", "--handler", "demo:Impl", "--register", url, cwd=folder) as server:
            # Consul's agent says of a registration no more than 200.
            believed = scheme == "consul" and answer in ("no object", "no values")
            server.wait("registered" if believed else "registry_unreachable", registry=url)
            with api.Demo.Client(server.host, server.port) as client:
                assert client.add(1, 2) == 3
        assert server.found("registrar_failed") == server.found("auxiliary_exit") == []
        assert server.found("registry_failed") == []
        with pytest.raises(TransportError) as caught, api.Demo.Client(url, timeout=10.0):
            pass
        assert str(caught.value).startswith((f"cannot resolve {url}: ", "there is no server"))
