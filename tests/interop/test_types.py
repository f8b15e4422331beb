"""``--types``: unchanged handlers of other Thrift libraries get arguments of their own classes."""

from __future__ import annotations

import copy
import importlib
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import thriftserver
from tests.harness import PATIENCE, Server, run
from tests.interop.counterparts import compile_idl, importable
from tests.support import ROOT
from thriftserver.codec.foreign import Types
from thriftserver.codec.plan import method_plan
from thriftserver.codec.protocols import binary
from thriftserver.errors import HandlerError, WireError
from thriftserver.rpc.binding import Bound
from thriftserver.rpc.types import load_types

IDL = ROOT / "tests" / "interop" / "foreign" / "depot.thrift"
API: Any = thriftserver.load(IDL)
SPECS = {
    "thriftpy2": "tests.interop.foreign.depot_thriftpy2:depot",
    "apache": "depot.ttypes",
    "package": "depot",
    "slots": "depot.ttypes",
}
GENERATORS = {"apache": "py", "package": "py", "slots": "py:slots"}


class Library(SimpleNamespace):
    """One of the others: its classes, and the types that ``--types`` makes of them."""

    depot: Any
    goods: Any
    types: Types
    name: str


def _bound(api: Any = API, service: str = "Depot") -> Bound:
    return Bound(getattr(api, service).__thrift__, object(), "depot:Depot")


@pytest.fixture(params=list(SPECS))
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Library]:
    name = request.param
    for module in [each for each in sys.modules if each.split(".")[0] in ("depot", "goods")]:
        del sys.modules[module]
    if name in GENERATORS:
        compile_idl(GENERATORS[name], IDL, tmp_path)
    with importable(tmp_path):
        types = load_types([SPECS[name]], [_bound()])
        assert types is not None
        if name == "thriftpy2":
            depot = importlib.import_module("tests.interop.foreign.depot_thriftpy2").depot
            yield Library(depot=depot, goods=depot.goods, types=types, name=name)
        else:
            depot, goods = (importlib.import_module(f"{each}.ttypes") for each in ("depot", "goods"))
            yield Library(depot=depot, goods=goods, types=types, name=name)


def item(name: str, **fields: Any) -> Any:
    return API.goods.Item(name, **fields)


def full() -> Any:
    """A value with something of every kind of type in it."""
    return API.Load(
        items=[item("a", tags=["x"], kind=2), item("b", count=9)],
        once={item("s", tags=["t"]), item("u")},
        pairs={item("k"): [item("v", kind=1)]},
        deep={"one": {1: item("d")}},
        way=API.Way(road="A1"),
        complaint=API.Complaint("late", item("c")),
        tree=API.Tree(1, [API.Tree(2), API.Tree(3, [])]),
    )


def received(codec: ModuleType, library: Library, method: str, *args: Any) -> list[Any]:
    function = next(each for each in API.Depot.__thrift__.methods() if each.name == method)
    frame = codec.encode_call(method_plan(function), 1, list(args))[4:]
    return list(codec.decode_args(method_plan(function, library.types), frame, codec.read_header(frame).body))


def returned(codec: ModuleType, value: Any) -> Any:
    """What a client gets when a handler returns ``value`` from ``carry``."""
    plan = method_plan(next(each for each in API.Depot.__thrift__.methods() if each.name == "carry"))
    request = codec.encode_call(plan, 1, [API.Load()])[4:]
    frame = codec.encode_result(plan, codec.read_header(request), value)[4:]
    return codec.decode_reply(plan, frame, codec.read_header(frame))


def test_every_struct_is_of_the_librarys_class(codec: ModuleType, library: Library) -> None:
    (load,) = received(codec, library, "carry", full())
    depot, goods = library.depot, library.goods
    assert type(load) is depot.Load
    assert [type(each) for each in load.items] == [goods.Item, goods.Item]
    assert [(each.name, each.count, each.tags) for each in load.items] == [("a", 1, ["x"]), ("b", 9, None)]
    assert isinstance(load.once, set)
    assert all(isinstance(each, goods.Item) for each in load.once)
    assert sorted(each.name for each in load.once) == ["s", "u"]
    ((key, (value,)),) = load.pairs.items()
    assert isinstance(key, goods.Item)
    assert type(value) is goods.Item
    assert type(load.deep["one"][1]) is goods.Item
    assert type(load.way) is depot.Way
    assert (load.way.road, load.way.rail, load.way.itself) == ("A1", None, None)
    assert type(load.complaint) is depot.Complaint
    assert issubclass(type(load.complaint), Exception)
    assert type(load.complaint.about) is goods.Item
    assert type(load.tree.branches[1]) is depot.Tree
    assert load.unset is None


def test_what_was_received_is_passed_on(codec: ModuleType, library: Library) -> None:
    (load,) = received(codec, library, "carry", full())
    assert returned(codec, load) == returned(codec, full())


def test_the_library_itself_writes_and_validates_it(codec: ModuleType, library: Library) -> None:
    (load,) = received(codec, library, "carry", full())
    if library.name == "thriftpy2":
        from thriftpy2 import utils

        assert utils.deserialize(library.depot.Way(), utils.serialize(load.way)).road == load.way.road
        assert utils.deserialize(library.depot.Tree(), utils.serialize(load.tree)) == load.tree
    else:
        TSerialization: Any = importlib.import_module("thrift.TSerialization")
        load.validate()
        assert len(TSerialization.serialize(load)) > 100
        assert TSerialization.deserialize(library.depot.Tree(), TSerialization.serialize(load.tree)) == load.tree


def test_defaults_are_of_these_classes_too(codec: ModuleType, library: Library) -> None:
    (load,) = received(codec, library, "carry", API.Load(spare=None, kind=None))
    assert type(load.spare) is library.goods.Item
    assert (load.spare.name, load.spare.count, load.spare.tags) == ("spare", 1, ["s"])
    assert load.kind == 2
    (other,) = received(codec, library, "carry", API.Load(spare=None))
    assert other.spare is not load.spare
    assert other.spare.tags is not load.spare.tags
    items, fallback = received(codec, library, "each", [item("i")], None)
    assert type(items[0]) is library.goods.Item
    assert (type(fallback), fallback.name) == (library.goods.Item, "fallback")


def test_an_enum_is_a_number_as_it_is_for_the_library(codec: ModuleType, library: Library) -> None:
    (load,) = received(codec, library, "carry", API.Load(items=[item("a", kind=1), item("b", kind=77)]))
    assert [(type(each.kind), each.kind) for each in load.items] == [(int, 1), (int, 77)]
    assert type(load.kind) is int


OWN = """
import dataclasses, enum, typing

class Kind(enum.IntEnum):
    LIGHT = 1

@dataclasses.dataclass
class Item:
    name: str
    count: int
    tags: typing.Any
    kind: typing.Any
"""


def test_any_class_with_the_names_will_do(codec: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "goods.thrift").write_text(
        (IDL.parent / "goods.thrift").read_text() + "service G { void g(1: set<Item> i) }"
    )
    (tmp_path / "own_goods.py").write_text(OWN)
    api: Any = thriftserver.load(tmp_path / "goods.thrift")
    function = next(api.G.__thrift__.methods())
    with importable(tmp_path):
        types = load_types(["own_goods"], [_bound(api, "G")])
        own = importlib.import_module("own_goods")
        frame = codec.encode_call(method_plan(function), 1, [[api.Item("a", kind=1), api.Item("b", kind=5)]])[4:]
        (got,) = codec.decode_args(method_plan(function, types), frame, codec.read_header(frame).body)
        a, b = sorted(got, key=lambda each: each.name)
        assert a == own.Item("a", 1, None, own.Kind.LIGHT)
        assert a.kind is own.Kind.LIGHT
        assert (b.name, b.kind, type(b.kind)) == ("b", 5, int)
        assert types is not None
        assert types.plans


def test_members_of_a_set_are_hashed_compared_copied_and_pickled(codec: ModuleType, library: Library) -> None:
    load, again = (received(codec, library, "carry", full())[0] for _ in range(2))
    one = next(each for each in load.once if each.name == "s")
    other = next(each for each in again.once if each.name == "s")
    assert one == other
    assert (one != other) is False
    assert copy.copy(one) == one
    assert copy.deepcopy(one).tags == ("t",)
    if library.name == "thriftpy2":
        return  # a hash by identity, as that library has it, and a module that no pickle finds
    assert hash(one) == hash(other)
    assert load.once == again.once
    plain = library.goods.Item(name="s", count=1, tags=("t",), kind=None)
    assert one == plain
    assert plain == one
    assert type(pickle.loads(pickle.dumps(one))) is library.goods.Item


def test_what_cannot_be_made_is_refused_with_its_place(codec: ModuleType) -> None:
    class Item:
        def __init__(self, name: str, count: int, tags: Any, kind: Any) -> None:
            if name == "bad":
                raise SystemExit("secret")

    goods = API.goods.Item.__thrift__
    types = Types({goods: Item}, {})
    function = next(each for each in API.Depot.__thrift__.methods() if each.name == "each")
    plan = method_plan(function, types)
    frame = codec.encode_call(method_plan(function), 1, [[item("good"), item("bad")], None])[4:]
    with pytest.raises(WireError) as error:
        codec.decode_args(plan, frame, codec.read_header(frame).body)
    assert str(error.value) == "args.items[1]: Item cannot be made of these fields (SystemExit)"


MISFITS = """
class Order:
    def __init__(self, id=None): ...
def Extra(): ...
"""


def test_what_is_missing_is_named_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "s.thrift").write_text(
        "struct Order { 1: i32 id, 2: Extra extra }\nstruct Extra {}\nstruct Result {}\n"
        "service S { Result put(1: list<Order> orders) }\n"
    )
    (tmp_path / "impl.py").write_text("class Impl:\n    def put(self, orders): ...\n")
    (tmp_path / "own.py").write_text(MISFITS)
    for command in ("check", "run"):
        args = ("--idl", "s.thrift", "--handler", "impl:Impl", *(("--bind", "127.0.0.1:0") if command == "run" else ()))
        done = run(tmp_path, command, *args, "--types", "own")
        assert done.returncode == 4
        assert "s.thrift:2: no class Extra in own" in done.stderr
        assert (
            "s.thrift:1: own.Order cannot be made of the fields of Order: got an unexpected keyword argument 'extra'"
            in (done.stderr)
        )
        assert "Result" not in done.stderr, "results are taken of any class"
        done = run(tmp_path, command, *args, "--types", "nowhere")
        assert (done.returncode, "types nowhere: there is no module 'nowhere'" in done.stderr) == (4, True)
        done = run(tmp_path, command, *args, "--types", "1x")
        assert (done.returncode, "write pkg.mod or pkg.mod:name" in done.stderr) == (4, True)


def test_no_types_are_none() -> None:
    assert load_types([], [_bound()]) is None
    with pytest.raises(HandlerError, match="types '1'"):
        load_types(["1"], [_bound()])


@pytest.mark.parametrize("name", ["thriftpy2", "apache"])
@pytest.mark.parametrize("pure", ["", "1"], ids=["native", "pure"])
def test_an_unchanged_handler_tests_validates_and_passes_on(name: str, pure: str, tmp_path: Path) -> None:
    if name == "apache":
        compile_idl("py", IDL, tmp_path)
    handler = f"tests.interop.foreign.depot_{name}:Depot"
    env = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path))), "THRIFTSERVER_PURE": pure}
    args = ("--idl", str(IDL), "--handler", handler, "--types", SPECS[name])
    with (
        Server(*args, env=env) as server,
        API.Depot.Client(server.host, server.port, timeout=PATIENCE) as client,
    ):
        assert client.carry(full()) == binary.decode_struct(API.Load, binary.encode_struct(full()))
        assert client.look(full(), item("i"), API.Way(rail=5), API.Complaint("slow")) == "None 5 i slow"
        assert client.each([item("a")]) == [item("a")]
        with pytest.raises(API.Complaint) as error:
            client.each([])
        assert error.value == API.Complaint("nothing", item("fallback"))
