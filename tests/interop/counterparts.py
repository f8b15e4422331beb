"""Other people's Thrift libraries behind one small interface, each with clients made from the same IDL files.

A client here is one release ahead of the server: its IDL has a method, an enum member, a union member and a field more,
so that every test is also one of version skew.
"""

from __future__ import annotations

import contextlib
import importlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import thriftserver
from tests.interop import dialects
from tests.support import ROOT, need
from thriftserver.wire import Application

#: What the next release adds to each file, and the line in front of it.
NEWS = {
    "calculator.thrift": [
        ("  DIVIDE\n", "  MODULO = 77\n"),
        ("service Calculator {\n", "  i64 modulo(1: i32 a, 2: i32 b),\n"),
    ],
    "directory.thrift": [
        ("  3: Address address\n", "  4: string fax\n"),
        ("  8: optional binary picture\n", "  9: optional map<string, list<Address>> homes\n"),
        ("service Directory extends shared.Base {\n", "  void rename(1: UserId id, 2: string name),\n"),
    ],
    "shared.thrift": [],
}


def write_newer_idl(directory: Path) -> Path:
    """The samples' IDL files as their next release has them."""
    for name, news in NEWS.items():
        text = (ROOT / "idl" / name).read_text(encoding="utf-8")
        for anchor, line in news:
            assert text.count(anchor) == 1, f"{name} has not exactly one {anchor!r}"
            text = text.replace(anchor, anchor + line)
        (directory / name).write_text(text, encoding="utf-8")
    return directory


def compile_idl(generator: str, idl: Path, out: Path) -> None:
    """Run Apache's compiler; whatever it generates stays in ``out``."""
    compiler = shutil.which("thrift")
    need(compiler, "Apache's compiler (apt install thrift-compiler)")
    assert compiler is not None
    done = subprocess.run(
        [compiler, "-r", "--gen", generator, "-out", str(out), str(idl)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def compile_cpp(source: Path, idl: Path, folder: Path, libraries: Sequence[str]) -> Path:
    """A program of this source and of what Apache's compiler makes of an IDL for C++, in ``folder``."""
    need(shutil.which("g++"), "a C++ compiler (apt install g++)")
    need(
        Path("/usr/include/thrift/TProcessor.h").exists(),
        "Apache's C++ library (apt install libthrift-dev libboost-dev)",
    )
    compile_idl("cpp", idl, folder)
    shutil.copy(source, folder)
    compiler = [*(["ccache"] if shutil.which("ccache") else []), "g++", "-std=c++17", "-O0", "-I."]

    def run(*args: str) -> None:
        done = subprocess.run([*compiler, *args], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    sources = [path.name for path in folder.glob("*.cpp") if not path.name.endswith(".skeleton.cpp")]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda name: run("-c", name, "-o", f"{name}.o"), sources))
    program = folder / source.stem
    run("-o", program.name, *(f"{name}.o" for name in sources), *libraries)
    return program


@contextlib.contextmanager
def importable(directory: Path) -> Iterator[None]:
    """Generated packages can be imported, in the place of others of their names, and are forgotten afterwards."""
    names = {each.name for each in directory.iterdir()}
    others = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in names}
    for name in others:
        del sys.modules[name]
    before = set(sys.modules)
    sys.path.insert(0, str(directory))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(directory))
        for name in set(sys.modules) - before:
            if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(directory)):
                del sys.modules[name]
        sys.modules.update(others)


class Recorder:
    """A client that remembers which of its methods were asked for."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.called.add(name)
        return getattr(self._client, name)


class Apache:
    """PyPI's thrift, with code from Apache's compiler."""

    def __init__(self, idl: Path, name: str, generated: Path) -> None:
        generated.mkdir()
        compile_idl("py", idl / f"{name}.thrift", generated)
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(importable(generated))
        from thrift.Thrift import TApplicationException

        self.types = SimpleNamespace(ApplicationError=TApplicationException)
        for module in ("shared", name):
            with contextlib.suppress(ModuleNotFoundError):
                vars(self.types).update(vars(importlib.import_module(f"{module}.ttypes")))
        self._service = importlib.import_module(f"{name}.{name.capitalize()}")

    def close(self) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def client(self, host: str, port: int) -> Iterator[Recorder]:
        with apache_protocol(host, port) as protocol:
            yield Recorder(self._service.Client(protocol))


@contextlib.contextmanager
def apache_protocol(host: str, port: int, dialect: str = "framed-binary") -> Iterator[Any]:
    """A connection of Apache's library in one of ``dialects.APACHE``."""
    protocol = dialects.APACHE[dialect](host, port)
    protocol.trans.open()
    try:
        yield protocol
    finally:
        protocol.trans.close()


class Thriftpy2:
    """PyPI's thriftpy2, which loads the IDL at run time, too."""

    def __init__(self, idl: Path, name: str, generated: Path) -> None:
        import thriftpy2
        from thriftpy2.thrift import TApplicationException

        loaded = thriftpy2.load(str(idl / f"{name}.thrift"), module_name=f"{name}_thrift")
        shared = vars(getattr(loaded, "shared", SimpleNamespace()))
        self.types = SimpleNamespace(**shared | vars(loaded) | {"ApplicationError": TApplicationException})
        self._service = getattr(loaded, name.capitalize())

    def close(self) -> None:
        """Nothing is left behind."""

    @contextlib.contextmanager
    def client(self, host: str, port: int) -> Iterator[Recorder]:
        from thriftpy2.protocol import TBinaryProtocolFactory
        from thriftpy2.rpc import client_context
        from thriftpy2.transport import TFramedTransportFactory

        with client_context(
            self._service,
            host,
            port,
            proto_factory=TBinaryProtocolFactory(),
            trans_factory=TFramedTransportFactory(),
            socket_timeout=30_000,
        ) as client:
            yield SetMender(client)


class SetMender(Recorder):
    """thriftpy2 reads every set as a list; here they become sets again, so that results can be compared."""

    def __getattr__(self, name: str) -> Any:
        method = super().__getattr__(name)

        def call(*args: Any) -> Any:
            from thriftpy2.thrift import TType

            try:
                result = self._mend(method(*args))
            except Exception as error:
                self._mend(error)
                raise
            wire_type, *_ = getattr(self._client._service, f"{name}_result").thrift_spec.get(0, (None,))
            return set(result) if wire_type == TType.SET else result

        return call

    def _mend(self, value: Any) -> Any:
        from thriftpy2.thrift import TType

        if isinstance(value, list):
            value[:] = map(self._mend, value)
        elif isinstance(value, dict):
            value.update({key: self._mend(item) for key, item in value.items()})
        for wire_type, name, *_ in getattr(value, "thrift_spec", {}).values():
            item = self._mend(getattr(value, name))
            setattr(value, name, set(item) if wire_type == TType.SET and item is not None else item)
        return value


class Own:
    """This project's client, which has to do what the others can."""

    def __init__(self, idl: Path, name: str, generated: Path) -> None:
        api = thriftserver.load(idl / f"{name}.thrift")
        shared = vars(getattr(api, "shared", SimpleNamespace()))
        self.types = SimpleNamespace(**shared | vars(api) | {"ApplicationError": thriftserver.ApplicationError})
        self._service = getattr(api, name.capitalize())

    def close(self) -> None:
        """Nothing is left behind."""

    @contextlib.contextmanager
    def client(self, host: str, port: int) -> Iterator[Recorder]:
        with self._service.Client(host, port, timeout=30) as client:
            yield Recorder(client)


LIBRARIES = {"apache": Apache, "thriftpy2": Thriftpy2, "own": Own}


@contextlib.contextmanager
def refused(types: Any, kind: Application, *parts: str) -> Iterator[None]:
    """What is called inside must be answered by a TApplicationException of this kind, with these parts in its text."""
    with pytest.raises(types.ApplicationError) as caught:
        yield
    assert caught.value.type == kind, caught.value
    for part in parts:
        assert part in caught.value.message


def methods_of(path: Path, service: str) -> set[str]:
    """The names of a service's methods, as the server knows them."""
    definition = getattr(thriftserver.load(path), service).__thrift__
    return {function.name for function in definition.methods()}
