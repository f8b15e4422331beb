"""TLS as clients of the other libraries ask for it, with what these know: against a server of ours."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import PATIENCE, Server
from tests.server.services import ARGS, IDL, write_demo
from tests.tls.pki import Pki
from thriftserver.compat.apache.protocol.TCompactProtocol import TCompactProtocol
from thriftserver.compat.apache.transport.THttpClient import THttpClient
from thriftserver.compat.apache.transport.TSSLSocket import TSSLSocket
from thriftserver.compat.apache.transport.TTransport import TFramedTransport, TTransportException
from thriftserver.compat.thriftpy2 import http, rpc, thrift, transport
from thriftserver.compat.thriftpy2.protocol import TBinaryProtocol

API: Any = thriftserver.load("/compat/demo.thrift", files={"/compat/demo.thrift": IDL})
MS = int(PATIENCE * 1000)


class Setting:
    """A server that asks for certificates, and the files that its clients need."""

    def __init__(self, folder: Path) -> None:
        pki = Pki(folder)
        pki.issue("client", "billing.example.com")
        self.ca, self.cert, self.key = (str(folder / name) for name in ("ca.pem", "client.pem", "client.key"))
        self.server = Server(*ARGS, *pki.mutual(), "--http", "-w", "1", cwd=folder)
        self.port = self.server.port
        self.url = f"https://localhost:{self.port}/"

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.cert, self.key)
        return context


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    given = Setting(write_demo(tmp_path_factory.mktemp("compat")))
    with given.server:
        yield given


def over(sock: Any) -> Any:
    """A client over a socket of either library."""
    sock.setTimeout(MS)
    framed = TFramedTransport(sock)
    framed.open()
    return thrift.TClient(API.Demo, TCompactProtocol(framed))


APACHE: dict[str, Callable[[Setting], Any]] = {
    "files": lambda it: TSSLSocket("localhost", it.port, ca_certs=it.ca, certfile=it.cert, keyfile=it.key),
    "in order": lambda it: TSSLSocket("localhost", it.port, True, it.ca, it.key, it.cert),
    "context": lambda it: TSSLSocket("localhost", it.port, ssl_context=it.context()),
    "name": lambda it: TSSLSocket("127.0.0.1", it.port, ssl_context=it.context(), server_hostname="localhost"),
    "unverified": lambda it: TSSLSocket(
        *("127.0.0.1", it.port), cert_reqs=ssl.CERT_NONE, certfile=it.cert, keyfile=it.key, ssl_version=5
    ),
    "http": lambda it: THttpClient(it.url, cafile=it.ca, cert_file=it.cert, key_file=it.key),
    "http and a context": lambda it: THttpClient(it.url, ssl_context=it.context()),
}


@pytest.mark.parametrize("how", APACHE)
def test_apache_s(given: Setting, how: str) -> None:
    sock = APACHE[how](given)
    if "http" in how:
        sock.open()
        client = thrift.TClient(API.Demo, TBinaryProtocol(sock))
    else:
        client = over(sock)
    assert client.add(20, 22) == 42
    assert client.echo(API.Point(label="x" * 100_000)).label == "x" * 100_000
    client.close()


THRIFTPY2: dict[str, Callable[[Setting], Any]] = {
    "files": lambda it: rpc.make_client(
        *(API.Demo, "localhost", it.port), timeout=MS, cafile=it.ca, certfile=it.cert, keyfile=it.key
    ),
    "context": lambda it: rpc.make_client(API.Demo, "localhost", it.port, timeout=MS, ssl_context=it.context()),
    "socket": lambda it: over(
        transport.TSSLSocket("localhost", it.port, cafile=it.ca, certfile=it.cert, keyfile=it.key)
    ),
    "unverified": lambda it: over(
        transport.TSSLSocket("127.0.0.1", it.port, validate=False, cafile=it.ca, certfile=it.cert, keyfile=it.key)
    ),
    "http": lambda it: http.make_client(
        *(API.Demo, "localhost", it.port), scheme="https", ssl_context_factory=it.context, timeout=MS
    ),
}


@pytest.mark.parametrize("how", THRIFTPY2)
def test_thriftpy2_s(given: Setting, how: str) -> None:
    client = THRIFTPY2[how](given)
    assert client.add(20, 22) == 42
    assert client.echo(API.Point(label="x" * 100_000)).label == "x" * 100_000
    client.close()
    if how == "files":
        with rpc.client_context(
            *(API.Demo, "localhost", given.port), cafile=given.ca, certfile=given.cert, keyfile=given.key
        ) as client:
            assert client.add(20, 22) == 42


def test_a_server_that_is_not_trusted_is_not_open(given: Setting) -> None:
    for make in (
        lambda: TSSLSocket("127.0.0.1", given.port, ca_certs=given.ca).open(),
        lambda: transport.TSSLSocket("127.0.0.1", given.port, cafile=given.ca).open(),
        lambda: THttpClient(given.url).open(),
        lambda: http.make_client(API.Demo, "localhost", given.port, scheme="https"),
    ):
        with pytest.raises(TTransportException, match="the server's certificate is refused") as caught:
            make()  # type: ignore[no-untyped-call]
        assert caught.value.type == TTransportException.NOT_OPEN


def test_a_client_that_the_server_refuses_is_told_so_as_one_that_is_not_open(given: Setting) -> None:
    with pytest.raises(TTransportException, match="it asks for a certificate") as caught:
        over(TSSLSocket("localhost", given.port, ca_certs=given.ca)).add(20, 22)
    assert caught.value.type == TTransportException.NOT_OPEN


def test_what_cannot_be_had_is_refused(given: Setting) -> None:
    for error, problem, options in (
        (ValueError, "validate_callback is not called", {"validate_callback": print}),
        (
            ValueError,
            "Incompatible arguments: ssl_context and ca_certs",
            {"ssl_context": given.context(), "ca_certs": "x"},
        ),
        (ValueError, "Unknown keyword arguments: ca_cert", {"ca_cert": given.ca}),
        (ValueError, "ca='nowhere.pem': No such file", {"ca_certs": "nowhere.pem"}),
        (ValueError, "ciphers='ROT13': OpenSSL knows no such cipher", {"ciphers": "ROT13"}),
    ):
        with pytest.raises(error, match=problem):
            TSSLSocket("localhost", given.port, **options)
    with pytest.raises(TypeError, match="once each"):
        TSSLSocket("localhost", given.port, True, "a", validate=True)
    with pytest.raises(ValueError, match="not both"):
        transport.TSSLSocket("localhost", given.port, cafile="a", capath="b")
