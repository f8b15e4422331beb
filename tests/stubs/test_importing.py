"""``import user_thrift``, as users of thriftpy2 write it."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import thriftserver
from tests.support import ROOT
from thriftserver.errors import IdlError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Names of its own for each test: what is imported stays."""
    monkeypatch.syspath_prepend(str(tmp_path))
    thriftserver.install_import_hook()
    before = set(sys.modules)
    yield tmp_path
    thriftserver.remove_import_hook()
    for name in set(sys.modules) - before:
        if name.endswith("_thrift"):
            del sys.modules[name]


def test_an_idl_is_a_module(folder: Path) -> None:
    (folder / "shared.thrift").write_text("struct Address { 1: string city }\n")
    (folder / "user.thrift").write_text(
        '/** Users. */\ninclude "shared.thrift"\nconst i32 None = 3\nstruct User { 1: shared.Address home }\n'
        "service Users { User get(1: i32 id) }\n"
    )
    module = importlib.import_module("user_thrift")
    api = thriftserver.load(folder / "user.thrift")
    assert module.User is api.User
    assert module.shared.Address is api.shared.Address
    assert (module.__name__, module.__file__, module.__doc__) == (
        "user_thrift",
        str(folder / "user.thrift"),
        "Users.",
    )
    assert module.None_ == 3
    assert module.Users.__thrift__ is api.Users.__thrift__
    assert importlib.reload(module).User is api.User


def test_within_a_package(folder: Path) -> None:
    for package in ("hooked", "hooked/inner"):
        (folder / package).mkdir()
        (folder / package / "__init__.py").touch()
    (folder / "hooked" / "inner" / "deep.thrift").write_text("struct D {}\n")
    (folder / "hooked" / "user.py").write_text("from .inner import deep_thrift\nD = deep_thrift.D\n")
    module = importlib.import_module("hooked.inner.deep_thrift")
    assert importlib.import_module("hooked.user").D is module.D
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("deep_thrift")


def test_the_first_place_on_the_path_wins_and_python_before_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (folder / name).mkdir()
        monkeypatch.syspath_prepend(str(folder / name))
        (folder / name / "first.thrift").write_text(f"struct {name.title()} {{}}\n")
    (folder / "both.thrift").write_text("struct B {}\n")
    (folder / "both_thrift.py").write_text("python = True\n")
    assert importlib.import_module("first_thrift").Two
    assert importlib.import_module("both_thrift").python


@pytest.mark.parametrize("name", ["nowhere_thrift", "nowhere", "_thrift", "folder_thrift", "hooked_too.nowhere_thrift"])
def test_what_is_not_there(folder: Path, name: str) -> None:
    (folder / "folder.thrift").mkdir()
    (folder / ".thrift").write_text("struct A {}\n")
    (folder / "hooked_too").mkdir()
    with pytest.raises(ModuleNotFoundError) as raised:
        importlib.import_module(name)
    assert raised.value.name == name


def test_an_idl_with_errors_says_what_is_wrong_each_time(folder: Path) -> None:
    (folder / "broken.thrift").write_text("struct A { 1: Nope n }\n")
    for _ in range(2):
        with pytest.raises(IdlError, match=r"broken\.thrift:1:15: error: unknown type `Nope`"):
            importlib.import_module("broken_thrift")
    assert "broken_thrift" not in sys.modules
    (folder / "broken.thrift").write_text("struct A { 1: i32 n }\n")
    assert importlib.import_module("broken_thrift").A(1).n == 1


def test_a_name_that_it_does_not_define(folder: Path) -> None:
    (folder / "little.thrift").write_text("struct A {}\n")
    with pytest.raises(ImportError, match="cannot import name 'B' from 'little_thrift'"):
        exec("from little_thrift import B")


def test_installing_twice_and_removing(folder: Path) -> None:
    before = list(sys.meta_path)
    thriftserver.install_import_hook()
    assert sys.meta_path == before
    (folder / "gone.thrift").write_text("struct A {}\n")
    thriftserver.remove_import_hook()
    thriftserver.remove_import_hook()
    assert len(sys.meta_path) == len(before) - 1
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("gone_thrift")


def test_many_threads_get_one_module(folder: Path) -> None:
    (folder / "busy.thrift").write_text("".join(f"struct S{n} {{ 1: i32 x }}\n" for n in range(300)))
    found = []
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait()
        thriftserver.install_import_hook()
        found.append(importlib.import_module("busy_thrift").S299)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_thriftpy2_s_own_hook_beside_it(folder: Path) -> None:
    code = (
        "import thriftpy2, thriftserver\n"
        "thriftserver.install_import_hook()\n"
        "thriftpy2.install_import_hook()\n"
        "import mine_thrift\n"
        "assert mine_thrift.A is thriftserver.load('mine.thrift').A\n"
    )
    (folder / "mine.thrift").write_text("struct A {}\n")
    command = [sys.executable, "-c", code]
    subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, check=True, timeout=60)
