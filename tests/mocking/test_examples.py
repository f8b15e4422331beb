"""Answers that are written down: files of them, what is wrong in them, and which one answers a call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.mocking.shop import write_shop
from thriftserver.errors import ApplicationError, ConfigError
from thriftserver.mocking.examples import Examples, examples_for, read_file, require_methods
from thriftserver.wire import Application


@pytest.fixture
def api(tmp_path: Path) -> Any:
    return thriftserver.load(write_shop(tmp_path) / "shop.thrift")


def examples(api: Any, name: str, *given: Any) -> Examples:
    service = api.Shop.__thrift__
    return examples_for({name: list(given)}, service, next(each for each in service.methods() if each.name == name))


def answers(found: Examples, *args: Any) -> Any:
    answer = found.find(args)
    assert answer is not None
    return answer()


def test_what_says_most_about_the_arguments_wins(api: Any) -> None:
    found = examples(
        api,
        "count",
        {"result": 0},
        {"args": {"id": 1}, "result": 1},
        {"args": [2], "result": 2},
    )
    assert [answers(found, each) for each in (1, 2, 3, 1)] == [1, 2, 0, 1]
    found = examples(
        api,
        "get",
        {"args": {"id": 1}, "exception": "Gone", "value": {"id": 1}},
        {"args": [1, True], "error": "TIMEOUT"},
    )
    with pytest.raises(ApplicationError, match="TIMEOUT"):
        answers(found, 1, True)
    with pytest.raises(api.Gone):
        answers(found, 1, False)
    assert found.find([2, True]) is None


def test_several_take_turns(api: Any) -> None:
    found = examples(api, "count", {"result": 1}, {"result": 2}, {"args": {"id": 7}, "result": 7})
    assert [answers(found, each) for each in (0, 7, 0, 0, 7)] == [1, 7, 2, 1, 7]


def test_values_are_those_of_the_idl(api: Any) -> None:
    found = examples(
        api,
        "find",
        {
            "args": {"tags": ["b", "a"], "limits": {"x": 1}},
            "result": [{"id": 1, "name": "pen", "place": {"shelf": 2}, "tags": ["a"]}],
        },
    )
    item = api.Item(1, "pen", api.stock.Place(2), {"a"})
    assert answers(found, {"a", "b"}, {"x": 1}) == [item]
    assert found.find([{"a"}, {"x": 1}]) is None


def test_exceptions_are_new_ones_each_time(api: Any) -> None:
    found = examples(api, "touch", {"exception": "Gone", "value": {"id": 5, "why": "sold"}})
    raised = []
    for _ in range(2):
        with pytest.raises(api.Gone) as caught:
            answers(found, 5)
        raised.append(caught.value)
    assert raised[0] == raised[1] == api.Gone(5, "sold")
    assert raised[0] is not raised[1]


def test_errors_and_void(api: Any) -> None:
    found = examples(api, "touch", {"error": "loadshedding: come back later"}, {}, {"result": None})
    with pytest.raises(ApplicationError) as caught:
        answers(found, 5)
    assert (caught.value.type, caught.value.message) == (Application.LOADSHEDDING, "come back later")
    assert answers(found, 5) is None
    assert answers(found, 5) is None


@pytest.mark.parametrize(
    ("name", "example", "why"),
    [
        ("count", 3, r"count\[0\]: an example is an object"),
        ("count", {"reslut": 3}, r"count\[0\] has 'reslut'; did you mean 'result'\?"),
        ("count", {"args": {}}, r"must have one of result, exception, error"),
        ("count", {"result": 1, "error": "TIMEOUT"}, r"must have one of"),
        ("count", {"result": "x"}, r"count\[0\]: result: expected i32"),
        ("count", {"args": {"idd": 1}, "result": 1}, r"no argument 'idd'; did you mean 'id'\?"),
        ("count", {"args": 1, "result": 1}, r"args are an object by name"),
        ("count", {"args": [1, 2], "result": 1}, r"2 arguments are too many"),
        ("count", {"args": {"id": "x"}, "result": 1}, r"args.id: expected i64"),
        ("count", {"exception": "Gone"}, r"declares no exception 'Gone'; it has none"),
        ("touch", {"exception": "Busy"}, r"declares no exception 'Busy'; it has shop.Gone"),
        ("touch", {"exception": ["Gone"]}, r"declares no exception"),
        ("touch", {"exception": "Gone", "value": {"id": "x"}}, r"value.id: expected i64"),
        ("touch", {"result": 1}, r"the method is void"),
        ("touch", {"error": "OOPS"}, r"'OOPS' is no error"),
        ("touch", {"error": 7}, r"7 is no error"),
    ],
)
def test_what_does_not_fit_is_told(api: Any, name: str, example: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        examples(api, name, example)


def test_methods_that_are_not_there(api: Any) -> None:
    require_methods({"get": [], "Shop.count": []}, [api.Shop.__thrift__])
    with pytest.raises(ConfigError, match=r"examples: there is no method 'gte'; did you mean 'get'\?"):
        require_methods({"gte": []}, [api.Shop.__thrift__])


@pytest.mark.parametrize(
    "text",
    [
        '{"count": [{"result": 1}, {"args": [2], "result": 2}]}',
        '{"method": "count", "result": 1}\n\n{"method": "count", "args": [2], "result": 2}\n',
    ],
    ids=["object", "lines"],
)
def test_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    assert read_file(str(tmp_path / "file")) == {"count": [{"result": 1}, {"args": [2], "result": 2}]}


def test_a_file_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(json.dumps({"method": "count", "result": 1}))
    assert read_file(str(tmp_path / "file")) == {"count": [{"result": 1}]}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[1]", "write an object of examples by method, or a line"),
        (b'{"method": "a", "result": 1}\n{', r"file:2: not JSON"),
        (b'{"method": "a"}\n[]', r"file:2: an example is an object with its \"method\""),
        (b'{"method": 1}\n{}', r"file:1: an example is an object with its \"method\""),
        (b"[" * 100_000, r"file:1: not JSON"),
        (b"\xff", "is not UTF-8"),
        (None, "cannot read the examples in .*file: No such file"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: bytes | None, why: str) -> None:
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    with pytest.raises(ConfigError, match=why):
        read_file(str(tmp_path / "file"))
