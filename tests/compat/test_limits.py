"""What the interfaces of other libraries do beside what both projects use, and what they refuse."""

from __future__ import annotations

import importlib
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.client.peers import Peer, answer, reply, take
from tests.harness import PATIENCE, run
from tests.interop.counterparts import importable
from thriftserver.compat import apache
from thriftserver.compat.apache.protocol.TBinaryProtocol import TBinaryProtocol, TBinaryProtocolFactory
from thriftserver.compat.apache.protocol.TCompactProtocol import TCompactProtocol
from thriftserver.compat.apache.transport.THttpClient import THttpClient
from thriftserver.compat.apache.transport.TSocket import TSocket
from thriftserver.compat.apache.transport.TTransport import TFramedTransport, TTransportException
from thriftserver.compat.link import over_protocol
from thriftserver.compat.thriftpy2 import load, protocol, rpc, thrift, transport
from thriftserver.errors import EncodeError, TransportError

IDL = "enum E { ONE = 1, UNO = 1, TWO } service S { i32 ping(), i32 put(1: i32 n) }"
API: Any = thriftserver.load("/compat/s.thrift", files={"/compat/s.thrift": IDL})
MS = int(PATIENCE * 1000)


def client(peer: Peer, **options: Any) -> Any:
    framed = transport.TFramedTransportFactory()
    return rpc.make_client(API.S, "127.0.0.1", peer.port, trans_factory=framed, **{"timeout": MS} | options)


def test_a_connection_that_was_guessed_wrong_is_closed_before_the_right_one_is_made() -> None:
    """A server that takes one at a time answers, although the transport was open before there was a protocol."""
    ended: list[bytes] = []

    def first(sock: socket.socket) -> None:
        ended.append(sock.recv(1))

    def compact(sock: socket.socket) -> None:
        sock.recv(1 << 16)
        sock.sendall(b"\0\0\0\x0c\x82\x41\x01\x04ping\x05\x00\x0e\x00")

    with Peer(first, compact) as peer:
        trans = TFramedTransport(TSocket("127.0.0.1", peer.port))
        trans.open()

        service = over_protocol(API.S.__thrift__)(TCompactProtocol(trans))
        assert service.ping() == 7
        assert (peer.connections, ended) == (2, [b""])
        trans.close()


def test_a_client_calls_again_after_an_error_but_not_once_it_is_closed() -> None:
    def leaves(sock: socket.socket) -> None:
        take(sock)

    with Peer(leaves, answer) as peer:
        it = client(peer)
        with pytest.raises(TTransportException) as caught:
            it.ping()
        assert isinstance(caught.value, ConnectionError)
        assert isinstance(caught.value, TransportError)
        assert (caught.value.type, caught.value.executed) == (TTransportException.END_OF_FILE, True)
        assert caught.value.address == f"127.0.0.1:{peer.port}"
        assert it.ping() == 7
        it.close()
        with pytest.raises(TTransportException, match="not open") as caught:
            it.ping()
        assert not caught.value.executed


def test_a_timeout_is_the_whole_calls_and_may_change() -> None:
    def silent(sock: socket.socket) -> None:
        take(sock)
        sock.recv(1)

    def drips(sock: socket.socket) -> None:
        name, seqid = take(sock)
        sock.sendall(reply(name, seqid)[:10])
        sock.recv(1)

    with Peer(silent, drips, answer) as peer:
        it = client(peer, timeout=100)
        for _ in range(2):
            with pytest.raises(socket.timeout) as caught:
                it.ping()
            assert isinstance(caught.value, TransportError)
            assert not isinstance(caught.value, TTransportException)
            assert (caught.value.phase in ("waiting", "receiving"), caught.value.executed) == (True, True)
        it._iprot.trans.link.timeout = PATIENCE
        assert it.ping() == 7
        it.close()


def test_a_deadline_around_it_counts() -> None:
    def silent(sock: socket.socket) -> None:
        take(sock)
        sock.recv(1)

    with Peer(silent) as peer, thriftserver.deadline(0.1), pytest.raises(socket.timeout):
        client(peer).ping()


def test_a_value_that_does_not_fit() -> None:
    with Peer(answer) as peer:
        it = client(peer)
        with pytest.raises(protocol.TProtocolException, match="expected i32") as caught:
            it.put("x")
        assert isinstance(caught.value, thrift.TException)
        assert isinstance(caught.value.__cause__, EncodeError)
        assert it.put(3) == 7
        it.close()


def test_what_cannot_be_had_is_refused() -> None:
    with pytest.raises(ValueError, match="decode_response=False: a string of an IDL is always str here"):
        protocol.TBinaryProtocolFactory(decode_response=False)
    with pytest.raises(TypeError, match="there is no option 'strct_read' here"):
        protocol.TCompactProtocolFactory(strct_read=True)
    assert protocol.TBinaryProtocolFactory(True, True, decode_response=True, max_depth=3)
    with pytest.raises(ValueError, match="there must be a host"):
        rpc.make_client(API.S, "", 1)
    with pytest.raises(ValueError, match="instead of sock="):
        transport.TSocket(sock=socket.socket)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="UTF-8, not latin-1"):
        load("x.thrift", encoding="latin-1")
    with pytest.raises(ValueError, match="only http:// and https:// can be called"):
        THttpClient("ftp://127.0.0.1/")
    sock = TSocket("127.0.0.1", 1)
    with pytest.raises(ValueError, match="one protocol"):
        thrift.TClient(API.S, TBinaryProtocol(sock), TBinaryProtocolFactory().getProtocol(TSocket("127.0.0.1", 2)))
    for name in ("thriftpy2.server", "thriftpy2.contrib", "apache.server"):
        with pytest.raises(ImportError, match=rf"thriftserver\.compat\.{name}"):
            importlib.import_module(f"thriftserver.compat.{name}")


def test_a_unix_socket_and_an_address_as_url(tmp_path: Path) -> None:
    with Peer(answer) as peer:
        framed = transport.TFramedTransportFactory()
        it = rpc.make_client(API.S, url=f"thrift://127.0.0.1:{peer.port}", trans_factory=framed, timeout=MS)
        assert it.ping() == 7
        it.close()
    with (
        pytest.raises(TTransportException, match="No such file") as caught,
        rpc.client_context(API.S, unix_socket=str(tmp_path / "none.sock")),
    ):
        pass
    assert caught.value.type == TTransportException.NOT_OPEN


def test_enums_know_their_names_as_the_others_do() -> None:
    assert API.E._VALUES_TO_NAMES == {1: "ONE", 2: "TWO"}
    assert API.E._NAMES_TO_VALUES == {"ONE": 1, "UNO": 1, "TWO": 2}


def test_packages_in_apaches_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = apache.__name__ + ".gen_py"
    (tmp_path / "stock.thrift").write_text("const i32 MOST = 9 struct Box { 1: i32 n } service Stock { Box get() }")
    (tmp_path / "deep").mkdir()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "__init__.py").write_text("__all__ = ['ttypes', 'constants', 'Stock']\n")
    assert run(tmp_path, "generate", "stock.thrift", "-o", "deep").returncode == 0
    with importable(tmp_path):
        module = importlib.import_module(f"{here}.deep.stock.Stock")
        true = importlib.import_module("deep.stock")
        assert importlib.import_module(f"{here}.deep.stock.ttypes").Box is true.Box
        assert importlib.import_module(f"{here}.deep.stock.constants").MOST == 9
        assert importlib.import_module(f"{here}.deep.stock").Stock is module
        assert true.Stock.Client is not module.Client
        with pytest.raises(ImportError, match="theirs is not from `thriftserver generate`"):
            importlib.import_module(f"{here}.theirs.ttypes")
        for name in ("nobody", "deep.stock.Shop"):
            with pytest.raises(ModuleNotFoundError, match=rf"no package {name}; `thriftserver generate` writes it"):
                importlib.import_module(f"{here}.{name}")
    for name in [name for name in sys.modules if name.startswith(here + ".")]:
        monkeypatch.delitem(sys.modules, name)
