"""Pickled values come back in another process, which loads the IDL when it meets the first one; copies read no file."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.support import ROOT
from thriftserver.errors import IdlError
from thriftserver.schema.pickles import revive

IDL = """
enum Role { GUEST = 0, OWNER = 9 }
struct Point { 1: i32 x, 2: i32 y = 5 }
union Shape { 1: list<Point> corners, 2: double radius = 1.5 }
exception NotFound { 1: string what }
"""

_OTHER = """
import pickle, sys
values = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(pickle.dumps((values, [type(value).__name__ for value in values])))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "pickled.thrift"
    path.write_text(IDL)
    return path


def test_values_travel_between_processes(path: Path) -> None:
    api = thriftserver.load(path)
    values = [api.Point(1, 2), api.Shape(corners=[api.Point(3)]), api.NotFound("gone"), api.Role.OWNER]
    answer = subprocess.run(
        [sys.executable, "-c", _OTHER], input=pickle.dumps(values), stdout=subprocess.PIPE, cwd=ROOT, check=True
    ).stdout
    back, names = pickle.loads(answer)
    assert back == values
    assert names == ["Point", "Shape", "NotFound", "Role"]


def test_fields_come_and_go_between_versions(path: Path) -> None:
    point = thriftserver.load(path).Point
    assert revive(str(path), "pickled", "Point", {"x": 1, "gone": 2}) == point(1)


def test_a_class_that_is_no_more(path: Path) -> None:
    with pytest.raises(LookupError, match=r"no class pickled\.Circle: .* does not define it any more"):
        revive(str(path), "pickled", "Circle", {})
    with pytest.raises(IdlError, match="cannot read this file"):
        revive("/nowhere", "nowhere", "Point", {})


def in_another_process(values: Any, cwd: Path) -> tuple[Any, list[str]]:
    answer = subprocess.run(
        [sys.executable, "-c", _OTHER],
        input=pickle.dumps(values),
        stdout=subprocess.PIPE,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    ).stdout
    back, names = pickle.loads(answer)
    return back, names


def several(api: Any) -> list[Any]:
    return [api.Point(1, 2), api.Shape(corners=[api.Point(3)]), api.Shape(), api.NotFound("gone"), api.Role.OWNER]


def test_an_idl_that_was_loaded_by_a_relative_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    values = several(thriftserver.load(path.name))
    back, _ = in_another_process(values, ROOT)
    assert back == values


def test_includes_that_need_their_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/base.thrift").write_text("struct Base { 1: i32 x } struct Deep { 1: Base b }")
    (tmp_path / "needs.thrift").write_text('include "base.thrift"\nstruct Child { 1: base.Base b }')
    monkeypatch.chdir(tmp_path)
    api = thriftserver.load("needs.thrift", include_dirs=["shared"])
    values = [api.Child(api.base.Base(1)), api.base.Deep(api.base.Base(2))]
    for value in values:
        back, _ = in_another_process([value], ROOT)
        assert back == [value]


Copy = Callable[[Any], Any]
COPIES: list[Copy] = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]


@pytest.mark.parametrize("make", COPIES)
def test_the_same_process_reads_no_file_again(path: Path, make: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    api = thriftserver.load(path.name)
    values = several(api)
    monkeypatch.chdir(ROOT)
    shutil.rmtree(path.parent)
    for value in values:
        back = make(value)
        assert back == value
        assert type(back) is type(value)


@pytest.mark.parametrize("make", COPIES)
def test_the_current_directory_may_be_gone(path: Path, make: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = path.parent / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    values = several(thriftserver.load(path, include_dirs=["inc"]))
    gone.rmdir()
    assert [make(value) for value in values] == values
    with pytest.raises(IdlError, match="cannot read this file"):
        thriftserver.load("here.thrift")


def test_a_value_of_a_release_that_was_removed(tmp_path: Path) -> None:
    for release in ("1", "2"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "moved.thrift").write_text("struct Moved { 1: i32 x }")
    old = pickle.dumps(thriftserver.load(tmp_path / "1/moved.thrift").Moved(5))
    shutil.rmtree(tmp_path / "1")
    code = "import pickle, sys, thriftserver; api = thriftserver.load(sys.argv[1])\n"
    code += "print(pickle.load(sys.stdin.buffer) == api.Moved(5))"
    command = [sys.executable, "-c", code, str(tmp_path / "2/moved.thrift")]
    assert subprocess.run(command, input=old, capture_output=True, cwd=ROOT, check=True).stdout == b"True\n"


SHAPES = thriftserver.load("derived.thrift", files={"derived.thrift": IDL})


class Place(SHAPES.Point):  # type: ignore[misc]
    def total(self) -> int:
        return self.x + self.y  # type: ignore[no-any-return]


class Marked(SHAPES.Point, dict=True):  # type: ignore[misc,call-arg]
    pass


class Figure(SHAPES.Shape):  # type: ignore[misc]
    pass


class Gone(SHAPES.NotFound):  # type: ignore[misc]
    def __init__(self, number: int) -> None:
        super().__init__(what=f"no {number}")
        self.number = number
        self._seen = [number]


@pytest.mark.parametrize("make", COPIES)
def test_derived_classes(make: Copy) -> None:
    place = make(Place(1, 2))
    assert (type(place), place.total()) == (Place, 3)
    marked = Marked(1)
    marked.by = ["me"]
    back = make(marked)
    assert (type(back), back.x, back.by) == (Marked, 1, ["me"])
    figure = Figure(radius=2.5)
    figure.by = ["me"]
    back = make(figure)
    assert (type(back), back.radius, back.by) == (Figure, 2.5, ["me"])
    error = Gone(7)
    error.add_note("seen")
    back = make(error)
    assert (type(back), back.what, back.number, back._seen) == (Gone, "no 7", 7, [7])
    assert back.__notes__ == ["seen"]


def test_only_derived_classes_have_attributes_of_their_own() -> None:
    with pytest.raises(AttributeError, match="has no field 'number'"):
        SHAPES.NotFound("x").number = 1
    with pytest.raises(AttributeError):
        Place(1).number = 1


def test_deep_copies_share_nothing_and_keep_their_loops() -> None:
    api = thriftserver.load("loop.thrift", files={"loop.thrift": "struct Node { 1: list<Node> next }"})
    node = api.Node([])
    node.next.append(node)
    back = copy.deepcopy(node)
    assert back.next[0] is back is not node
    marked = Marked([1])
    marked.by = ["me"]
    deep, flat = copy.deepcopy(marked), copy.copy(marked)
    assert deep.by is not marked.by
    assert deep.x is not marked.x
    assert flat.by is marked.by
    assert flat.x is marked.x


@pytest.mark.parametrize("make", COPIES)
def test_an_emptied_union_stays_empty(path: Path, make: Copy) -> None:
    shape = thriftserver.load(path).Shape()
    assert shape.radius == 1.5
    shape.radius = None
    assert thriftserver.which(make(shape)) is None
