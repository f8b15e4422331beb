"""Values that are made up: they fit their types, come again with their seed, and end."""

from __future__ import annotations

import subprocess
import sys

import pytest
from thriftserver.codec.binary.message import decode_struct, encode_struct

from tests.support import ROOT
from thriftserver.codec.plain import from_plain, to_plain
from thriftserver.errors import ConfigError
from thriftserver.idl.loader import Loader
from thriftserver.samples.values import Sampler
from thriftserver.schema.classes import class_of
from thriftserver.schema.model import Function, Module, Struct

#: Every kind of type, in key position, too; types within themselves, with and without an end.
IDL = """
enum Colour { RED = 1, BLUE = 7 }
struct Point { 1: required i32 x, 2: required i32 y = 4 }
union Shape { 1: Point point, 2: Shapes shapes, 3: Shape inner }
struct Shapes { 1: required list<Shape> all, 2: required Shape first }
struct Tree { 1: optional Tree left, 2: Tree right, 3: list<Tree> others, 4: required i64 value }
struct Loop { 1: required Knot knot }
struct Knot { 1: required Loop loop }
struct Around { 1: optional Loop loop, 2: list<Knot> knots, 3: required string text }
exception Trouble { 1: string text, 2: Colour colour }
struct All {
  1: bool flag, 2: i8 tiny, 3: i16 small, 4: i32 medium, 5: i64 large, 6: double real, 7: string text, 8: binary bytes,
  9: uuid id, 10: Colour colour, 11: set<set<i32>> sets, 12: map<list<Colour>, Point> points,
  13: map<Point, set<double>> keys,
  14: Shape shape, 15: Tree tree, 16: list<map<string, binary>> deep, 17: required map<bool, Trouble> troubles
}
service Maker {
  All make(1: All all, 2: i32 count = 3, 3: list<Shape> shapes) throws (1: Trouble trouble),
  void tie(1: Loop loop),
  void none()
}
"""


def load(text: str = IDL) -> Module:
    return Loader().load("maker.thrift", [], {"maker.thrift": text})


def method(module: Module, name: str) -> Function:
    return next(each for each in module.services["Maker"].methods() if each.name == name)


@pytest.mark.parametrize("name", ["Point", "Shape", "Shapes", "Tree", "Around", "Trouble", "All"])
def test_values_are_valid(name: str) -> None:
    struct = load().structs[name]
    sampler = Sampler(name)
    seen = []
    for _ in range(100):
        value = sampler.value(struct)
        assert decode_struct(class_of(struct), encode_struct(value)) == value
        assert from_plain(struct, to_plain(struct, value)) == value
        seen.append(value)
    assert any(value != seen[0] for value in seen)


def test_every_member_of_an_enum_and_a_union_comes_up() -> None:
    module = load()
    sampler = Sampler()
    colours = {sampler.value(module.enums["Colour"]) for _ in range(100)}
    assert colours == {1, 7}
    fields = {next(iter(to_plain(module.structs["Shape"], sampler.value(module.structs["Shape"])))) for _ in range(100)}
    assert fields == {"point", "shapes", "inner"}


def test_defaults_come_up() -> None:
    module = load()
    sampler = Sampler()
    shown = [sampler.value(module.structs["Point"]).y for _ in range(100)]
    assert shown.count(4) > 20
    assert len(set(shown)) > 20


def test_arguments_and_results() -> None:
    module = load()
    sampler = Sampler(1)
    arguments = sampler.arguments(method(module, "make"))
    assert isinstance(arguments[0], class_of(module.structs["All"]))
    assert isinstance(arguments[1], int)
    assert isinstance(sampler.result(method(module, "make")), class_of(module.structs["All"]))
    assert sampler.arguments(method(module, "none")) == []
    assert sampler.result(method(module, "none")) is None


def test_a_seed_decides_in_every_process() -> None:
    def say(seed: int) -> str:
        code = (
            "from tests.samples.test_values import load, Sampler; from thriftserver.codec.plain import to_plain; "
            f"struct = load().structs['All']; print(to_plain(struct, Sampler({seed}).value(struct)))"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
        return done.stdout

    assert say(1) == say(1) != say(2)


def test_what_has_no_end_is_told() -> None:
    module = load()
    for name in ("Loop", "Knot"):
        with pytest.raises(ConfigError, match=rf"no value of maker.{name} can be made up.*maker.thrift:"):
            Sampler().value(module.structs[name])
    with pytest.raises(ConfigError, match="Loop"):
        Sampler().arguments(method(module, "tie"))


def test_what_is_deeper_than_messages_may_be_is_told() -> None:
    text = "struct S0 { 1: required i32 x }\n" + "\n".join(
        f"struct S{n} {{ 1: required S{n - 1} inner }}" for n in range(1, 300)
    )
    module = load(text)
    struct = module.structs["S40"]
    assert encode_struct(Sampler().value(struct))
    with pytest.raises(ConfigError, match="nests too deep"):
        Sampler().value(module.structs["S299"])


def test_samples_are_small() -> None:
    struct = load("struct Wide { 1: list<list<list<list<list<list<Wide>>>>>> all, 2: optional Wide more }").structs[
        "Wide"
    ]
    sampler = Sampler()
    assert max(len(encode_struct(sampler.value(struct))) for _ in range(50)) < 10_000


def test_the_sample_idls() -> None:
    for path in ("idl/calculator.thrift", "idl/directory.thrift", "bench/bench.thrift"):
        module = Loader().load(str(ROOT / path), [])
        for struct in (each for one in module.tree() for each in one.structs.values()):
            assert isinstance(struct, Struct)
            assert encode_struct(Sampler().value(struct))
