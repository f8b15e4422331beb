"""Our client calls every kind of method of servers that others have made, in each dialect that those speak."""

from __future__ import annotations

import contextlib
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.client.foreign import answers
from tests.client.shells import either
from tests.harness import PATIENCE
from tests.interop.conftest import thrifttest_idl, without_uuid  # noqa: F401 - fixtures
from tests.interop.counterparts import compile_cpp, compile_idl
from tests.interop.scenarios import UNICODE
from tests.interop.thrifttest_scenario import NOT_FINITE, base_types, containers, insanity, structs
from tests.support import ROOT
from tests.tls.pki import Pki
from thriftserver import Tls
from thriftserver.errors import ApplicationError, TransportError
from thriftserver.wire import Application

pytestmark = pytest.mark.parametrize("shell", ["Client", "AsyncClient"], indirect=True)

HERE = Path(answers.__file__).parent
FRAMED = ("framed-binary", "framed-compact", "framed-json")
UNFRAMED = ("unframed-binary", "unframed-compact", "unframed-json")
HEADER = ("header-binary", "header-compact")
HTTP = ("http-binary", "http-compact", "http-json")

#: Program, kind of server, dialect of the client.
PYTHON = [
    *(("apache_server.py", "threaded", dialect) for dialect in (*FRAMED, *UNFRAMED, *HEADER, *HTTP)),
    *(("apache_server.py", "nonblocking", dialect) for dialect in FRAMED),
    # Not in JSON: it forgets no request that has no arguments, and takes the next one for it.
    *(("apache_server.py", "tls", dialect) for dialect in (FRAMED[0], UNFRAMED[1], HEADER[0], HTTP[0])),
    *(("thriftpy2_server.py", "threaded", dialect) for dialect in (*FRAMED[:2], *UNFRAMED[:2], *HTTP[:2])),
    *(("thriftpy2_server.py", "tls", dialect) for dialect in (FRAMED[0], UNFRAMED[1])),
]
CPP = [
    *(("threaded", dialect) for dialect in (*FRAMED, *UNFRAMED, *HEADER, *HTTP)),
    *(("nonblocking", dialect) for dialect in FRAMED),
]


class Foreign:
    """A server in a process of its own; ``restart`` ends it and starts another one on its port."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self._command, self._folder = command, folder
        self.port = self._start(0)

    def _start(self, port: int) -> int:
        path = os.pathsep.join((str(ROOT), str(self._folder)))
        self._process = subprocess.Popen(
            [*self._command, str(port)],
            cwd=self._folder,
            env=os.environ | {"PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what it thinks of clients that leave
            text=True,
        )
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    def restart(self) -> None:
        self.stop()
        assert self._start(self.port) == self.port


@contextlib.contextmanager
def running(command: list[str], folder: Path) -> Iterator[Foreign]:
    server = Foreign(command, folder)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def api(thrifttest_idl: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: F811
    """One release ahead of all these servers: it has a method that they have not."""
    text = thrifttest_idl.read_text("utf-8")
    assert text.count("service ThriftTest\n{") == 1
    path = tmp_path_factory.mktemp("newer") / "ThriftTest.thrift"
    path.write_text(text.replace("service ThriftTest\n{", "service ThriftTest\n{\n  i32 newer(1: i32 n),"), "utf-8")
    return either(thriftserver.load(path))


@pytest.fixture(scope="module")
def folder(without_uuid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """What the servers in Python need beside them: Apache's generated code, an IDL that thriftpy2 can read, and a pair
    for TLS, also in one file.
    """
    made = tmp_path_factory.mktemp("python")
    compile_idl("py", without_uuid, made)
    text = re.sub(r' *\(python\.immutable *= ""\)|^namespace xsd .*$', "", without_uuid.read_text("utf-8"), flags=re.M)
    (made / "ThriftTest.thrift").write_text(text, "utf-8")
    Pki(made)
    (made / "both.pem").write_bytes(b"".join((made / f"server.{part}").read_bytes() for part in ("pem", "key")))
    return made


@pytest.fixture(scope="module")
def program(without_uuid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """The server in C++, compiled."""
    libraries = ("-lthriftnb", "-lthriftz", "-lthrift", "-levent", "-lz", "-lpthread")
    return compile_cpp(HERE / "server.cpp", without_uuid, tmp_path_factory.mktemp("cpp"), libraries)


@pytest.mark.parametrize(("file", "kind", "dialect"), PYTHON)
@pytest.mark.usefixtures("shell")
def test_servers_in_python(api: Any, folder: Path, file: str, kind: str, dialect: str) -> None:
    spoken = dialect.partition("-")[0] if "header" in dialect else dialect
    with running([sys.executable, str(HERE / file), kind, spoken], folder) as server:
        tls = Tls(ca=folder / "ca.pem", server_name="localhost") if kind == "tls" else None
        everything(api, server, dialect, cpp=False, apache="apache" in file, tls=tls)


@pytest.mark.slow
@pytest.mark.usefixtures("shell")
def test_servers_in_cpp(api: Any, program: Path) -> None:
    """One test for all of them: it is compiling that takes long, and each of pytest's processes would do it."""
    for kind, dialect in CPP:
        spoken = dialect.partition("-")[0] if "header" in dialect else dialect
        with running([str(program), kind, spoken], program.parent) as server:
            everything(api, server, dialect, cpp=True, apache=True)


def everything(api: Any, server: Foreign, dialect: str, cpp: bool, apache: bool, tls: Tls | None = None) -> None:
    """C++ has no way to leave a field unset, and in JSON none to send a NUL.

    Apache's servers have both services, thriftpy2's the first.
    """

    def client(of: Any = api.ThriftTest, **options: Any) -> Any:
        return of.Client("127.0.0.1", server.port, timeout=PATIENCE, dialect=dialect, tls=tls, **options)

    nul = not (cpp and "json" in dialect)
    with client() as it:
        base_types(it, 10_000, nul)
        for number in (0.0, -0.0, 0.1, 5e-324, 1.7976931348623157e308, *(() if "json" in dialect else NOT_FINITE)):
            assert struct.pack(">d", it.testDouble(number)) == struct.pack(">d", number)
        if cpp:
            filled_structs(it, api)
        else:
            structs(it, api)
            insanity(it, api)
        containers(it, api, nul)
        declared_exceptions(it, api, cpp)
        for _ in range(3):
            it.testOneway(0)
        assert it.testI32(1) == 1
        undeclared(it, closes=not apache)
        with pytest.raises(ApplicationError) as error:
            it.newer(1)
        assert error.value.type == Application.UNKNOWN_METHOD
        assert it.testString(UNICODE) == UNICODE
        server.restart()  # between two calls: its connections are closed
        assert it.testString("again") == "again"
    if apache:
        with client(service="ThriftTest") as it, client(api.SecondService, service="SecondService") as second:
            assert it.testString(UNICODE) == UNICODE
            assert second.secondtestString("x") == 'testString("x")'
    with client(max_frame=2_000) as it:
        with pytest.raises(TransportError, match=r"max.frame") as large:
            it.testString("x" * 5_000)
        assert large.value.executed
        assert it.testString("small") == "small"


def filled_structs(client: Any, api: Any) -> None:
    full = api.Xtruct(string_thing=UNICODE, byte_thing=-128, i32_thing=-(2**31), i64_thing=-(2**63))
    assert client.testStruct(full) == full
    nest = api.Xtruct2(byte_thing=1, struct_thing=full, i32_thing=5)
    assert client.testNest(nest) == nest
    result = client.testMulti(-128, 2**31 - 1, -(2**63), {-(2**15): "abc"}, api.Numberz.SIX, 7)
    assert result == api.Xtruct(string_thing="Hello2", byte_thing=-128, i32_thing=2**31 - 1, i64_thing=-(2**63))
    mad = api.Insanity(userMap={api.Numberz.FIVE: 5, api.Numberz.EIGHT: 2**40, 1000: -1}, xtructs=[full, full])
    empty = api.Insanity(userMap={}, xtructs=[])
    two, three, six = api.Numberz.TWO, api.Numberz.THREE, api.Numberz.SIX
    assert client.testInsanity(mad) == {1: {two: mad, three: mad}, 2: {six: empty}}


def declared_exceptions(client: Any, api: Any, cpp: bool) -> None:
    with pytest.raises(api.Xception) as one:
        client.testException("Xception")
    assert (one.value.errorCode, one.value.message) == (1001, "Xception")
    assert client.testException("success") is None
    with pytest.raises(api.Xception) as one:
        client.testMultiException("Xception", "ignored")
    assert (one.value.errorCode, one.value.message) == (1001, "This is an Xception")
    with pytest.raises(api.Xception2) as two:
        client.testMultiException("Xception2", "ignored")
    assert (two.value.errorCode, two.value.struct_thing.string_thing) == (2002, "This is an Xception2")
    zeros = {"byte_thing": 0, "i32_thing": 0, "i64_thing": 0} if cpp else {}
    assert client.testMultiException("success", UNICODE) == api.Xtruct(string_thing=UNICODE, **zeros)


def undeclared(client: Any, closes: bool) -> None:
    """An exception that the IDL does not declare is an answer without a result, or the end of the connection."""
    if closes:
        with pytest.raises(TransportError, match="the server closed the connection") as broken:
            client.testException("TException")
        assert broken.value.executed
    else:
        with pytest.raises(ApplicationError) as error:
            client.testException("TException")
        assert error.value.type in (Application.INTERNAL_ERROR, Application.UNKNOWN)
    assert client.testString("afterwards") == "afterwards"
