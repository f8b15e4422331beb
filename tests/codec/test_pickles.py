"""Pickled values come back in another process, which loads the IDL when it meets the first of them."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import thriftserver
from tests.support import ROOT
from thriftserver.errors import IdlError
from thriftserver.schema.pickles import revive

IDL = """
enum Role { GUEST = 0, OWNER = 9 }
struct Point { 1: i32 x, 2: i32 y = 5 }
union Shape { 1: list<Point> corners, 2: double radius }
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
