"""Generated packages at run time: what is in them, that it is what ``thriftserver.load`` has, their handlers."""

from __future__ import annotations

import importlib
import inspect
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import thriftserver
from tests.harness import PATIENCE, Server, run
from tests.stubs.attributes import differences
from tests.stubs.checkers import generate
from tests.support import ROOT
from thriftserver.client.aio.client import AsyncClient
from thriftserver.client.aio.pool import AsyncPool
from thriftserver.client.pool import Pool
from thriftserver.client.sync import Client
from thriftserver.stubs.callers import PARAMETERS, POOL_PARAMETERS

NAMES = ROOT / "tests" / "stubs" / "idl" / "names.thrift"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("packages")
    generate(folder, ROOT / "idl" / "directory.thrift", ROOT / "idl" / "calculator.thrift", NAMES)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    for name in [each for each in sys.modules if each.partition(".")[0] in ("directory", "calculator", "names")]:
        del sys.modules[name]


@pytest.fixture
def directory(folder: Path) -> ModuleType:
    return importlib.import_module("directory")


def test_what_is_in_a_package(directory: ModuleType) -> None:
    user = directory.User(1, 2, 3, profile=directory.Profile("ann", "Ann"))
    assert user.profile.role is directory.Role.MEMBER
    assert directory.MAX_LIMIT == 500
    assert directory.__doc__ == "A directory of users, kept in a database that all workers of the server share."


def test_its_classes_are_those_of_load(directory: ModuleType, folder: Path) -> None:
    api = thriftserver.load(folder / "directory" / "directory.thrift")
    assert directory.User is api.User
    assert directory.RESERVED is api.RESERVED
    assert directory.Directory is api.Directory
    assert directory.shared.InvalidInput is api.shared.InvalidInput
    assert directory.shared is importlib.import_module("directory.shared")
    assert api.shared is thriftserver.load(folder / "directory" / "shared.thrift")


def test_reloading_changes_nothing(directory: ModuleType) -> None:
    before = directory.User
    assert importlib.reload(directory) is directory
    assert directory.User is before


def test_values_can_be_pickled(directory: ModuleType, folder: Path) -> None:
    for value in (directory.Phone("1"), directory.Role.OWNER, directory.NotFound(3), directory.Contact("a@b.c")):
        assert pickle.loads(pickle.dumps(value)) == value
    code = f"import pickle; print(pickle.loads({pickle.dumps(directory.Phone('1'))!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "Phone(number='1')\n"


def test_names_that_are_python_s_own(folder: Path) -> None:
    names = importlib.import_module("names")
    assert names.shared == 3, "what the file defines goes before what it includes"
    assert importlib.import_module("names.shared").Address is names.Address is names.Twice
    assert (names.None_, names.class_.a) == (3, 0)
    assert names.types.T2 is not names.types_.T
    assert names.my_file_v2.V(1).x == 1
    assert names.self_(self="me", from_=1, class_=2).class_ == 2


@pytest.mark.parametrize("package", ["directory", "calculator", "names"])
def test_stubs_have_what_modules_have(folder: Path, package: str) -> None:
    assert not list(differences(folder, package))


def test_the_stubs_that_come_with_mypy_say_so_too(folder: Path, tmp_path: Path) -> None:
    """What stubtest may find: constructors in C have no signature, a service is an object, and positions in patterns
    are not for structs whose fields have to be named."""
    allowed = tmp_path / "allowed"
    others = [r".*\.__signature__", "directory.(User|Address).__match_args__"]
    services = ["directory.Directory", "directory.shared.Base", "calculator.Calculator"]
    allowed.write_text("\n".join([r".*\.__init__", *others, *services]))
    command = [sys.executable, "-m", "mypy.stubtest", "directory", "calculator", "--allowlist", str(allowed)]
    done = subprocess.run(
        [*command, "--ignore-unused-allowlist"],
        cwd=folder,
        env={"PYTHONPATH": f"{ROOT}:{folder}", "MYPYPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


HANDLER = """
from calculator import Calculator, DivisionByZero, Work

class Impl(Calculator.Handler):
    def add(self, a: int, b: int) -> int:
        return a + b
    def subtract(self, a: int, b: int) -> int:
        return a - b
    def multiply(self, a: int, b: int) -> int:
        return a * b
    def divide(self, a: int, b: int) -> float:
        if b == 0:
            raise DivisionByZero(a)
        return a / b
    def calculate(self, work: Work) -> float:
        assert isinstance(work, Work), type(work)
        return work.left + work.right
    def note(self, text: str) -> None: ...
"""


def test_a_handler_and_a_client_of_a_package(folder: Path) -> None:
    (folder / "impl.py").write_text(HANDLER)
    calculator = importlib.import_module("calculator")
    args = ("--idl", "calculator/calculator.thrift", "--handler", "impl:Impl")
    with (
        Server(*args, cwd=folder) as server,
        calculator.Calculator.Client(host=server.host, port=server.port, timeout=PATIENCE) as client,
    ):
        assert client.add(1, 2) == 3
        assert client.calculate(calculator.Work(1.0, 2.0)) == 3.0
        with pytest.raises(calculator.DivisionByZero):
            client.divide(1, 0)


def test_what_a_handler_does_not_write_is_missing(folder: Path) -> None:
    (folder / "lazy.py").write_text(HANDLER.replace("def add(", "def ad("))
    done = run(folder, "check", "--idl", "calculator/calculator.thrift", "--handler", "lazy:Impl")
    assert done.returncode == 1
    assert "Calculator.add is missing in lazy:Impl" in done.stdout


def test_handlers_extend_those_of_the_services_that_theirs_extend(directory: ModuleType) -> None:
    assert issubclass(directory.Directory.Handler, directory.shared.Base.Handler)
    assert directory.Directory.Handler is directory.Directory.Handler
    assert [name for name in vars(directory.Directory.Handler) if not name.startswith("__")] == []


def test_stubs_tell_what_clients_take() -> None:
    clients, pools = (Client, AsyncClient), (Pool, AsyncPool)
    for caller, parameters in [(each, PARAMETERS) for each in clients] + [(each, POOL_PARAMETERS) for each in pools]:
        told = [each.partition(":")[0] for each in parameters if each != "*"]
        assert told == list(inspect.signature(caller.__init__).parameters)
