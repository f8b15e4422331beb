"""Several services behind one address: in reach of a client, of the command line and of what the page prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import thriftserver
from tests.harness import PATIENCE, Server, run
from thriftserver.admin.schema import describe
from thriftserver.errors import ApplicationError
from thriftserver.idl.loader import Loader
from thriftserver.wire import Application

IDL = """
service First { string name(), i32 one() }
service Second { string name(), i32 two(1: i32 n), string both() }
service Third { string name(), string both() }
service Base { i32 base() }
service Fourth extends Base { string fourth() }
"""
HANDLER = """
class First:
    def name(self): return "first"
    def one(self): return 1

class Second:
    def name(self): return "second"
    def two(self, n): return 2 * n
    def both(self): return "second"

class Third:
    def name(self): return "third"
    def both(self): return "third"

class Fourth:
    def base(self): return 4
    def fourth(self): return "fourth"
"""
SERVED = ("First", "Second", "Third", "Fourth")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("services")
    (folder / "four.thrift").write_text(IDL)
    (folder / "four.py").write_text(HANDLER)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    handlers = [part for name in SERVED for part in ("--handler", f"{name}=four:{name}")]
    with Server("--idl", "four.thrift", *handlers, cwd=folder) as server:
        yield server


def test_a_client_reaches_what_only_its_service_has(server: Server, folder: Path) -> None:
    api = thriftserver.load(folder / "four.thrift")
    with api.Second.Client(server.host, server.port, timeout=PATIENCE) as second:
        assert second.two(3) == 6
        assert second.name() == "first", "a name that several have is the first one's"
        with pytest.raises(ApplicationError, match="'both' could be any of Second:both, Third:both") as error:
            second.both()
        assert error.value.type == Application.UNKNOWN_METHOD
    with api.Fourth.Client(server.host, server.port, timeout=PATIENCE) as fourth:
        assert (fourth.base(), fourth.fourth()) == (4, "fourth")


@pytest.mark.parametrize("name", SERVED)
def test_a_client_that_says_its_service_reaches_all_of_it(server: Server, folder: Path, name: str) -> None:
    api = thriftserver.load(folder / "four.thrift")
    with getattr(api, name).Client(server.host, server.port, timeout=PATIENCE, service=name) as it:
        if name == "Fourth":
            assert it.base() == 4
        else:
            assert it.name() == name.lower()
    with (
        api.First.Client(server.host, server.port, timeout=PATIENCE, service="Nobody") as it,
        pytest.raises(ApplicationError, match="no service 'Nobody' here; there is First, Second, Third, Fourth"),
    ):
        it.one()


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("First.name", '"first"'),
        ("First:name", '"first"'),
        ("Second.name", '"second"'),
        ("Second:name", '"second"'),
        ("Second.two", "6"),
        ("two", "6"),
        ("Third.both", '"third"'),
        ("fourth", '"fourth"'),
        ("Fourth.base", "4"),
        ("Fourth:base", "4"),
    ],
)
def test_call_reaches_every_service(server: Server, folder: Path, said: str, printed: str) -> None:
    arguments = "[3]" if "two" in said else "{}"
    done = run(folder, "call", f"{server.host}:{server.port}", said, arguments, "--idl", "four.thrift")
    assert (done.returncode, done.stdout, done.stderr) == (0, printed + "\n", "")


def test_call_says_how_it_called_what_is_not_there(folder: Path) -> None:
    with Server("--idl", "four.thrift", "--handler", "First=four:First", cwd=folder) as server:
        address = f"{server.host}:{server.port}"
        done = run(folder, "call", address, "Second.name", "--idl", "four.thrift")
        assert done.returncode == 6
        assert "no service 'Second' here" in done.stderr
        assert done.stderr.endswith(" (called as Second:name; --bare calls name)\n")
        done = run(folder, "call", address, "Second.name", "--idl", "four.thrift", "--bare")
        assert (done.returncode, done.stdout) == (0, '"first"\n')
        done = run(folder, "call", address, "name", "--idl", "four.thrift")
        assert (done.returncode, "choose one" in done.stderr) == (4, True)


def test_call_has_a_largest_reply(server: Server, folder: Path) -> None:
    address, idl = f"{server.host}:{server.port}", ("--idl", "four.thrift")
    done = run(folder, "call", address, "First.one", *idl, "--max-frame", "10")
    assert (done.returncode, "more than this client's max_frame (10)" in done.stderr) == (7, True)
    assert run(folder, "call", address, "First.one", *idl, "--max-frame", "1k", "--timeout", "0").stdout == "1\n"
    for wrong in ("0", "9g", "much"):
        done = run(folder, "call", address, "First.one", *idl, "--max-frame", wrong)
        assert (done.returncode, "max" in done.stderr) == (2, True)


def test_the_page_prints_names_and_files_that_work(folder: Path) -> None:
    (folder / "other.thrift").write_text("service Other { void other() }")
    loader = Loader()
    modules = [loader.load(str(folder / name)) for name in ("four.thrift", "other.thrift")]
    four, other = (list(module.services.values()) for module in modules)
    told = {each["name"]: each for each in describe(modules, [four[0], four[1], other[0]])["services"]}
    assert [(told[name]["call"], told[name]["file"]) for name in ("First", "Second", "Other")] == [
        ("First.", 0),
        ("Second:", 0),
        ("Other:", 1),
    ]
    assert "call" not in told["Third"]
