"""Registries that answer nonsense: the server goes on, its clients are told, and nobody sees a traceback."""

from __future__ import annotations

import socket
from contextlib import ExitStack
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
#: Consul's agent says of a registration no more than 200.
BELIEVED = [("consul", "no object"), ("consul", "no values")]


def strange(answer: bytes) -> Peer:
    def say(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(answer)

    return Peer(say)


def test_registries_that_answer_nonsense(folder: Path) -> None:
    api = thriftserver.load(folder / "demo.thrift")
    kinds = [(scheme, name) for scheme in ("zk", "etcd", "consul") for name in ANSWERS]
    with ExitStack() as stack:
        peers = [stack.enter_context(strange(ANSWERS[name])) for _, name in kinds]
        urls = [f"{scheme}://127.0.0.1:{peer.port}/x" for (scheme, _), peer in zip(kinds, peers, strict=True)]
        options = [word for url in urls for word in ("--register", url)]
        server = stack.enter_context(Server("--idl", "demo.thrift", "--handler", "demo:Impl", *options, cwd=folder))
        for kind, url in zip(kinds, urls, strict=True):
            server.wait("registered" if kind in BELIEVED else "registry_unreachable", registry=url)
        with api.Demo.Client(server.host, server.port) as client:
            assert client.add(1, 2) == 3
        for event in ("registrar_failed", "registry_failed", "auxiliary_exit"):
            assert server.found(event) == []
        for (scheme, name), url in zip(kinds, urls, strict=True):
            if scheme == "zk" and name != "noise":
                continue  # all of them are as if nobody was there
            with pytest.raises(TransportError) as caught, api.Demo.Client(url, timeout=10.0):
                pass
            assert str(caught.value).startswith((f"cannot resolve {url}: ", "there is no server"))
