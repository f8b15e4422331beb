"""What docs/migrating.md shows: handlers and clients of thriftpy2 and Apache as they are."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import thriftpy2
from thriftpy2.protocol import TBinaryProtocolFactory
from thriftpy2.rpc import make_client
from thriftpy2.transport import TBufferedTransportFactory, TFramedTransportFactory
from thriftpy2.utils import serialize as write_with_thriftpy2

import thriftserver
from tests.docs.pages import PAGES, Block, blocks
from tests.docs.reader import Reader
from tests.harness import PATIENCE, Server
from tests.interop.counterparts import compile_idl, importable
from tests.support import need
from thriftserver.config import OPTIONS
from thriftserver.errors import EncodeError

(PAGE,) = (page for page in PAGES if page.name == "migrating.md")
BLOCKS = list(blocks(PAGE))


def section(title: str) -> list[Block]:
    return [block for block in BLOCKS if block.section == title]


def test_an_unchanged_handler_of_thriftpy2(
    tmp_path: Path, elsewhere: Callable[[str], str], installed: dict[str, str]
) -> None:
    with Reader(tmp_path, installed, elsewhere) as reader:
        reader.follow(section("From thriftpy2"))
        reader.follow(section("Client code of thriftpy2"))
    assert reader.said == ["6 1\n", "6 1\n"]


def test_an_unchanged_handler_of_apache(
    tmp_path: Path, elsewhere: Callable[[str], str], installed: dict[str, str]
) -> None:
    need(shutil.which("thrift"), "Apache's compiler (apt install thrift-compiler)")
    with Reader(tmp_path, installed, elsewhere) as reader:
        reader.follow(block for block in BLOCKS if block.file == "shop.thrift")
        reader.follow(section("From Apache's generated code"))
        reader.follow(section("Client code of Apache's library"))
    assert reader.said == ["", "6 1\n", "shop: 4 written\n6 1\n"]


def write(folder: Path, *files: str) -> None:
    for block in BLOCKS:
        if block.file in files:
            (folder / block.file).write_text(block.text)


@pytest.mark.parametrize("transport", [TBufferedTransportFactory, TFramedTransportFactory], ids=["buffered", "framed"])
def test_a_client_of_either_transport_is_answered(tmp_path: Path, transport: Callable[[], Any]) -> None:
    write(tmp_path, "shop.thrift", "app.py", "client.py")
    with Server("--idl", "shop.thrift", "--handler", "app:Dispatcher", cwd=tmp_path) as server:
        shop = thriftpy2.load(str(tmp_path / "shop.thrift"), module_name=f"{transport.__name__}_thrift")
        client = make_client(shop.Shop, server.host, server.port, timeout=30_000, trans_factory=transport())
        assert client.price("pen") == 6
        client.close()


TYPES = [row.name for row in OPTIONS if row.name == "types"]


@pytest.mark.parametrize("option", TYPES)
@pytest.mark.parametrize("library", ["thriftpy2", "apache"])
def test_arguments_as_the_handler_s_own_classes(tmp_path: Path, option: str, library: str) -> None:
    write(tmp_path, "shop.thrift", "app.py", "server.py")
    if library == "thriftpy2":
        own, handler, args = "shop_thrift.Item", "app", (f"--{option}", "app:shop_thrift")
    else:
        compile_idl("py", tmp_path / "shop.thrift", tmp_path)
        own, handler, args = "Item", "server", (f"--{option}", "shop.ttypes")
    name = "Dispatcher" if library == "thriftpy2" else "Handler"
    with open(tmp_path / f"{handler}.py", "a") as file:
        file.write(f"\nclass Strict({name}):\n    def reserve(self, item):\n")
        file.write(f"        assert isinstance(item, {own}), type(item)\n        return item\n")
    arguments = ("--idl", "shop.thrift", "--handler", f"{handler}:Strict", *args)
    with Server(*arguments, cwd=tmp_path) as server:
        shop = thriftserver.load(tmp_path / "shop.thrift")
        with shop.Shop.Client(server.host, server.port, timeout=PATIENCE) as client:
            assert client.reserve(shop.Item("ink", 3)) == shop.Item("ink", 3)


VALUES_IDL = """
struct Strict { 1: required i32 x }
struct V {
  1: i32 i, 2: double d, 3: bool t, 4: string s, 5: binary b, 6: list<i32> n, 7: list<string> names, 8: Strict r
}
"""

#: Field, a value as the table has it, what the others make of it, and what to write instead.
LAX: list[tuple[str, Any, Any]] = [
    ("i", True, 1),
    ("i", 1.7, 1),
    ("d", True, 1.0),
    ("t", 2, True),
    ("t", "yes", True),
    ("t", [], False),
    ("s", b"raw", "raw"),
    ("b", "text", b"text"),
    ("n", {1, 2}, [1, 2]),
    ("n", {1: 2}, [1]),
    ("names", "abc", ["a", "b", "c"]),
]


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any, Any, Any]]:
    """The classes of ``VALUES_IDL``: ours, thriftpy2's, Apache's, and a writer for the latter."""
    folder = tmp_path_factory.mktemp("values")
    path = folder / "v.thrift"
    path.write_text(VALUES_IDL)
    compile_idl("py", path, folder)
    with importable(folder):
        from thrift.protocol.TBinaryProtocol import TBinaryProtocolAcceleratedFactory
        from thrift.TSerialization import serialize
        from v import ttypes  # type: ignore[import-not-found]

        theirs = thriftpy2.load(str(path), module_name="lax_values_thrift")
        yield (
            thriftserver.load(path),
            theirs,
            ttypes,
            lambda value: serialize(value, TBinaryProtocolAcceleratedFactory()),
        )


@pytest.mark.parametrize(("field", "value", "sent"), LAX)
def test_values_that_the_others_let_pass(values: tuple[Any, Any, Any, Any], field: str, value: Any, sent: Any) -> None:
    ours, theirs, apache, write_with_apache = values
    wanted = thriftserver.serialize(ours.V(**{field: sent}))
    assert write_with_thriftpy2(theirs.V(**{field: value}), TBinaryProtocolFactory()) == wanted
    if value != 1.7:
        assert write_with_apache(apache.V(**{field: value})) == wanted
    else:
        with pytest.raises(TypeError):
            write_with_apache(apache.V(**{field: value}))
    with pytest.raises(EncodeError, match=rf"^V\.{field}: expected"):
        thriftserver.serialize(ours.V(**{field: value}))


def test_required_fields_that_the_others_leave_out(values: tuple[Any, Any, Any, Any]) -> None:
    ours, theirs, apache, write_with_apache = values
    nothing = b"\x0c\x00\x08\x00\x00"
    assert write_with_thriftpy2(theirs.V(r=theirs.Strict()), TBinaryProtocolFactory()) == nothing
    assert write_with_apache(apache.V(r=apache.Strict())) == nothing
    with pytest.raises(EncodeError, match="required field is None"):
        thriftserver.serialize(ours.V(r=ours.Strict()))


STOCK_IDL = "service Stock { string price(1: string name) }\n"

STOCK = """
import time

class Stock:
    def price(self, name):
        time.sleep(0.002 * (len(name) % 3))
        return name
"""

SHARED = """
import thriftpy2
from thriftpy2.rpc import make_client

stock_thrift = thriftpy2.load("stock.thrift", module_name="stock_thrift")

class Dispatcher:
    def setup(self):
        self.stock = make_client(stock_thrift.Stock, "127.0.0.1", 6003)

    def price(self, name):
        return self.stock.price(name)
"""


@pytest.fixture
def stock(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder with the handlers of the page, and where the service is that they ask."""
    (tmp_path / "stock.thrift").write_text(STOCK_IDL)
    (tmp_path / "stock.py").write_text(STOCK)
    (tmp_path / "shared.py").write_text(SHARED)
    write(tmp_path, "per_call.py", "pooled.py")
    with Server("--idl", "stock.thrift", "--handler", "stock:Stock", cwd=tmp_path) as server:
        for name in ("shared.py", "per_call.py", "pooled.py"):
            file = tmp_path / name
            text = file.read_text()
            assert text.count("6003") == 1
            file.write_text(text.replace("6003", str(server.port)))
        yield tmp_path, str(server.port)


def wrong_answers(folder: Path, module: str, *options: str) -> int:
    """Of many calls at once, each with a name of its own, how many get something else."""
    arguments = ("--idl", "stock.thrift", "--handler", f"{module}:Dispatcher", *options)
    with Server(*arguments, cwd=folder) as server, ThreadPoolExecutor(16) as callers:
        api = thriftserver.load(folder / "stock.thrift")
        together = threading.Barrier(16)

        def calls(caller: int) -> int:
            wrong = 0
            with api.Stock.Client(server.host, server.port, timeout=PATIENCE) as client:
                together.wait(PATIENCE)
                for number in range(10):
                    name = f"{caller}-" + "x" * number
                    try:
                        wrong += client.price(name) != name
                    except thriftserver.ApplicationError:
                        wrong += 1
            return wrong

        return sum(callers.map(calls, range(16)))


@pytest.mark.parametrize(
    ("module", "options"), [("shared", ("--max-inflight", "1")), ("per_call", ()), ("pooled", ())], ids=str
)
def test_clients_in_a_handler_that_are_not_shared(
    stock: tuple[Path, str], module: str, options: tuple[str, ...]
) -> None:
    assert wrong_answers(stock[0], module, *options) == 0


def test_a_client_that_concurrent_calls_share_mixes_answers(stock: tuple[Path, str]) -> None:
    assert wrong_answers(stock[0], "shared", "--queue-timeout", "60s", "--request-timeout", "5s") > 0


def test_what_a_handler_logs_needs_no_configuration(tmp_path: Path) -> None:
    write(tmp_path, "shop.thrift", "app.py")
    (block,) = (block for block in section("Logging") if block.language == "python")
    with open(tmp_path / "app.py", "a") as file:
        file.write(f"\n{block.text}logging.basicConfig(level='DEBUG', format='%(message)s')\n")
        file.write("\nclass Talking(Dispatcher):\n    def price(self, name):\n")
        file.write("        log.warning('asked for %s', name)\n        return 1\n")
    with Server("--idl", "shop.thrift", "--handler", "app:Talking", cwd=tmp_path) as server:
        shop = thriftserver.load(tmp_path / "shop.thrift")
        with shop.Shop.Client(server.host, server.port, timeout=PATIENCE) as client:
            assert client.price("pen") == 1
        line = server.wait("log", message="asked for pen")
        assert (line["logger"], line["service"], line["method"]) == ("app", "Shop", "price")
    assert not [line for line in server.other if "asked for" in line]
