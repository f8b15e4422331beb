"""Other people's TLS clients, with and without certificates of their own."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import thriftpy2
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.transport.TSSLSocket import TSSLSocket
from thrift.transport.TTransport import TBufferedTransport, TFramedTransport, TTransportException
from thriftpy2.protocol import TBinaryProtocolFactory, TCompactProtocolFactory
from thriftpy2.rpc import make_client
from thriftpy2.transport import TBufferedTransportFactory, TFramedTransportFactory

from tests.harness import PATIENCE, Server
from tests.interop.counterparts import compile_idl
from tests.server.raw import REPLY, add, field, i32, message
from tests.server.services import ARGS
from tests.support import need
from tests.tls.pki import Pki

SIZES = (0, 100, 100_000, 3_000_000)


@pytest.fixture(params=["without", "with"])
def certificate(request: pytest.FixtureRequest, pki: Pki) -> dict[str, str]:
    """Of the client, if it has one; the servers of these tests ask for it then."""
    pki.issue("client", "billing.example.com")
    pair = {"certfile": str(pki.folder / "client.pem"), "keyfile": str(pki.folder / "client.key")}
    return pair if request.param == "with" else {}


@pytest.fixture
def server(pki: Pki, certificate: dict[str, str]) -> Iterator[Server]:
    with Server(*ARGS, *(pki.mutual() if certificate else pki.options()), cwd=pki.folder) as server:
        yield server


@pytest.fixture
def demo(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Apache's classes for the demo service."""
    generated = folder / "apache"  # the handler is a module of the same name
    generated.mkdir()
    compile_idl("py", folder / "demo.thrift", generated)
    monkeypatch.syspath_prepend(generated)
    from demo import Demo  # type: ignore[import-not-found]

    yield Demo
    for name in [name for name in sys.modules if name.split(".")[0] == "demo"]:
        del sys.modules[name]


def apache(server: Server, pki: Pki, demo: Any, framed: bool, **options: Any) -> tuple[Any, Any]:
    ca = str(pki.folder / "ca.pem")
    sock = TSSLSocket("localhost", server.port, cert_reqs=ssl.CERT_REQUIRED, ca_certs=ca, **options)
    sock.setTimeout(PATIENCE * 1000)
    transport = TFramedTransport(sock) if framed else TBufferedTransport(sock)
    protocol = TBinaryProtocol(transport) if framed else TCompactProtocol(transport)
    transport.open()
    return transport, demo.Client(protocol)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("framed", [True, False], ids=["framed-binary", "unframed-compact"])
def test_apache_s(server: Server, pki: Pki, certificate: dict[str, str], demo: Any, framed: bool) -> None:
    from demo.ttypes import Point  # type: ignore[import-not-found]

    transport, client = apache(server, pki, demo, framed, **certificate)
    assert client.add(20, 22) == 42
    for size in SIZES:
        assert client.echo(Point(label="x" * size)).label == "x" * size
    client.note("over")
    transport.close()
    assert not server.found("tls_refused")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_apache_s_without_a_certificate_where_one_is_required(pki: Pki, demo: Any) -> None:
    with Server(*ARGS, *pki.mutual(), cwd=pki.folder) as server:
        transport, client = apache(server, pki, demo, True)
        with pytest.raises((TTransportException, OSError, EOFError)):
            client.add(20, 22)
        transport.close()
        assert server.wait("tls_refused")["kind"] == "no_certificate"


@pytest.mark.parametrize("framed", [True, False], ids=["framed-binary", "unframed-compact"])
def test_thriftpy2_s(server: Server, pki: Pki, certificate: dict[str, str], framed: bool) -> None:
    demo = thriftpy2.load(str(pki.folder / "demo.thrift"), module_name=f"demo_{framed}_thrift")
    client = make_client(
        demo.Demo,
        "localhost",
        server.port,
        proto_factory=TBinaryProtocolFactory() if framed else TCompactProtocolFactory(),
        trans_factory=TFramedTransportFactory() if framed else TBufferedTransportFactory(),
        timeout=int(PATIENCE * 1000),
        cafile=str(pki.folder / "ca.pem"),
        **certificate,
    )
    assert client.add(20, 22) == 42
    for size in SIZES:
        assert client.echo(demo.Point(label="x" * size)).label == "x" * size
    client.close()


def test_openssl_s_own(server: Server, pki: Pki, certificate: dict[str, str]) -> None:
    need(shutil.which("openssl"), "openssl (apt install openssl)")
    own = ["-cert", certificate["certfile"], "-key", certificate["keyfile"]] if certificate else []
    command = ["openssl", "s_client", "-connect", f"localhost:{server.port}", "-CAfile", "ca.pem", "-quiet"]
    command += ["-verify_return_error", "-verify_hostname", "localhost", "-no_ign_eof", *own]
    reply = message("add", field(8, 0, i32(42)) + b"\0", REPLY)
    with subprocess.Popen(
        command, cwd=pki.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        for _ in range(3):
            client.stdin.write(message("add", add(20, 22)))
            client.stdin.flush()
            assert client.stdout.read(len(reply)) == reply
        client.stdin.close()
        assert client.stdout.read() == b""
    assert client.returncode == 0
