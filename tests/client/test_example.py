"""Examples of calls: whatever the IDL, they are what ``thriftserver call`` takes, and small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import ROOT
from thriftserver.admin.schema import describe
from thriftserver.client.example import example_arguments
from thriftserver.client.plain import read_arguments
from thriftserver.idl.loader import Loader

FILES = sorted([*(ROOT / "idl").glob("*.thrift"), *(ROOT / "tests/golden/idl/ok").glob("*.thrift")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_examples_fit_their_methods(path: Path) -> None:
    module = Loader().load(str(path), [str(path.parent), str(path.parent.parent / "inc")])
    for service in module.services.values():
        for function in service.methods():
            example = example_arguments(function)
            assert example is not None, function.name
            text = json.dumps(example)
            assert len(text) < 20_000
            read_arguments(function, text)
    json.dumps(describe([module], list(module.services.values())), allow_nan=False)


def example(text: str) -> object:
    module = Loader().load("s.thrift", (), {"s.thrift": text})
    return example_arguments(module.services["S"].functions[0])


def test_types_that_contain_themselves() -> None:
    tree = "struct Tree { 1: i32 value, 2: list<Tree> leaves, 3: Tree next } service S { void f(1: Tree tree) }"
    assert example(tree) == {"tree": {"value": 1, "leaves": [{}], "next": {}}}
    endless = "struct Bad { 1: required Bad again } service S { void f(1: Bad bad) }"
    assert example(endless) is None
    union = "union U { 1: Box box, 2: i32 n } struct Box { 1: required U u } service S { void f(1: U u) }"
    assert example(union) in ({"u": {"box": {"u": {"n": 1}}}}, {"u": {"box": {"u": {"box": {"u": {"n": 1}}}}}}, None)


def test_wide_types_stay_small() -> None:
    fields = ", ".join(f"{n}: list<map<string, A>> f{n}" for n in range(1, 200))
    text = f"struct A {{ {fields} }} service S {{ void f(1: A a) }}"
    assert len(json.dumps(example(text))) < 20_000
