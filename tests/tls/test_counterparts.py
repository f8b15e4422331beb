"""Apache's test services over TLS, called by its Node and C++ libraries, with certificates and without."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import PATIENCE, Server
from tests.interop import dialects, test_node
from tests.interop.conftest import thrifttest_idl, without_uuid  # noqa: F401 - fixtures
from tests.interop.counterparts import compile_cpp, methods_of
from tests.interop.test_cpp import SOURCE
from tests.support import need
from tests.tls.pki import Pki


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the server, its certificates and its clients."""
    return tmp_path


@pytest.fixture(params=["without", "with"])
def certificate(request: pytest.FixtureRequest, pki: Pki) -> bool:
    """Does the client show one? The server asks for it then."""
    pki.issue("client", "billing.example.com")
    return bool(request.param == "with")


@pytest.fixture
def server(pki: Pki, certificate: bool, thrifttest_idl: Path) -> Iterator[Server]:  # noqa: F811
    here = "tests.interop.thrifttest_handler"
    handlers = ("--handler", f"ThriftTest={here}:ThriftTest", "--handler", f"SecondService={here}:Second")
    options = pki.mutual() if certificate else pki.options()
    with Server("--idl", str(thrifttest_idl), *handlers, "-w", "1", "--http", *options, cwd=pki.folder) as server:
        yield server


def files(pki: Pki, certificate: bool) -> dict[str, str]:
    own = {"cert": "client.pem", "key": "client.key"} if certificate else {}
    return {key: str(pki.folder / name) for key, name in ({"ca": "ca.pem"} | own).items()}


def test_node_s(
    server: Server,
    pki: Pki,
    certificate: bool,
    without_uuid: Path,  # noqa: F811
    thrifttest_idl: Path,  # noqa: F811
) -> None:
    need(shutil.which("node"), "Node (apt install nodejs npm)")
    need(
        (test_node.NODE / "node_modules" / "thrift").is_dir(), "npm's thrift (npm install --prefix tests/interop/node)"
    )
    expected = methods_of(thrifttest_idl, "ThriftTest") - {"testUuid"}
    for dialect in {each.partition("-")[0]: each for each in dialects.NODE}.values():  # one of each transport
        tls = files(pki, certificate)
        result = test_node.run("thrifttest.js", server, without_uuid, "bare", dialect=dialect, tls=tls)
        assert {*result["called"]} >= expected, dialect
    assert not server.found("tls_refused")


@pytest.fixture(scope="module")
def program(without_uuid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """The client in C++, compiled."""
    need(Path("/usr/include/openssl/ssl.h").exists(), "OpenSSL's headers (apt install libssl-dev)")
    return compile_cpp(SOURCE, without_uuid, tmp_path_factory.mktemp("cpp"), ("-lthriftz", "-lthrift", "-lz"))


@pytest.mark.slow
def test_cpp_s(
    server: Server,
    pki: Pki,
    certificate: bool,
    program: Path,
    thrifttest_idl: Path,  # noqa: F811
) -> None:
    expected = methods_of(thrifttest_idl, "ThriftTest") - {"testUuid"} | methods_of(thrifttest_idl, "SecondService")
    shown = ["certificate"] if certificate else []
    wrong = []
    for dialect in dialects.CPP:
        done = subprocess.run(
            [str(program), "localhost", str(server.port), *dialect.split("-"), "tls", *shown],
            cwd=pki.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        if done.returncode != 0 or {*done.stdout.split()} != expected:
            wrong.append(f"{dialect}: exit {done.returncode}, {done.stderr or done.stdout}")
    assert not wrong, "\n".join(wrong)
    assert not server.found("tls_refused")
