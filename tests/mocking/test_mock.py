"""Mocks in a test's own process: valid answers that a seed decides, delays and failures by rule, in every dialect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.mocking.shop import write_shop
from thriftserver.dialect.caller import SPEAKABLE
from thriftserver.errors import ApplicationError, ConfigError, HandlerError, TransportError
from thriftserver.testing import Mock, serve


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_shop(tmp_path) / "shop.thrift"


def answers(shop: Path, seed: int | str) -> list[Any]:
    with serve(shop, Mock(seed)) as server:
        client = server.client
        return [
            client.get(1, True),
            client.get(2, True),
            client.get(1, False),
            client.find({"a", "b", "c"}, {"x": 1, "y": 2}),
            client.touch(1),
            client.count(1),
            client.note("unanswered"),
        ]


def test_one_seed_answers_alike_and_the_same_call_too(shop: Path) -> None:
    first, second = answers(shop, 1), answers(shop, 1)
    assert repr(first) == repr(second)
    assert repr(first) != repr(answers(shop, 2))
    assert first[0] != first[1]
    assert first[0] != first[2]
    assert first[4] is first[6] is None
    with serve(shop, Mock(1)) as server:
        same = [
            server.client.find(tags, limits)
            for tags, limits in (
                ({"c", "b", "a"}, {"x": 1, "y": 2}),
                ({"b", "a", "c"}, {"y": 2, "x": 1}),
            )
        ]
        assert repr(same[0]) == repr(same[1]) == repr(first[3])


def test_every_dialect(shop: Path) -> None:
    with serve(shop, Mock(fail=["count=100%:DROP", "touch=100%:Gone"]), options={"http": True}) as server:
        expected = server.client.get(1, True)
        for dialect in SPEAKABLE:
            client = server.connect(dialect=dialect)
            assert client.get(1, True) == expected
            with pytest.raises(thriftserver.load(shop).Gone):
                client.touch(1)
            with pytest.raises(TransportError):
                client.count(1)
            assert client.get(1, True) == expected  # on a connection of its own


def test_examples_delays_and_failures(shop: Path) -> None:
    mock = Mock(
        examples={
            "count": [{"args": {"id": 1}, "result": 11}],
            "Shop.get": {"exception": "Busy", "value": {"seconds": 3}},
        },
        delay=["count=20ms..30ms"],
        fail=["find=100%:TIMEOUT", "*=100%:Gone"],
    )
    with serve(shop, mock, timeout=60) as server:
        api, client = thriftserver.load(shop), server.client
        assert client.count(1) == 11
        assert client.count(2) != 11
        with pytest.raises(api.Gone):  # failures come before examples
            client.get(1, True)
        with pytest.raises(ApplicationError, match="TIMEOUT"):
            client.find({"a"}, {})
        with pytest.raises(api.Gone):
            client.touch(1)
        client.note("is not failed")
        with thriftserver.deadline(0.01), pytest.raises(TransportError):
            client.count(1)


def test_shares_are_kept_and_repeat_themselves(shop: Path) -> None:
    def outcomes() -> str:
        with serve(shop, Mock("s", fail=["touch=30%:Gone", "touch=20%:TIMEOUT"])) as server:
            found = ""
            for _ in range(400):
                try:
                    found += str(server.client.touch(1))[:1]
                except ApplicationError:
                    found += "T"
                except thriftserver.load(shop).Gone:
                    found += "G"
            return found

    first = outcomes()
    assert first == outcomes()
    assert 80 < first.count("G") < 160
    assert 50 < first.count("T") < 110
    assert first.count("N") + first.count("G") + first.count("T") == 400


def test_beside_real_handlers(shop: Path) -> None:
    class Till:
        def total(self) -> int:
            return 7

    paths = [shop, shop.with_name("till.thrift")]
    with serve(paths, {"Shop": Mock(), "Till": Till()}) as server:
        assert isinstance(server.client.count(1), int)
        assert server.connect("Till").total() == 7
    both = Mock(examples={"total": [{"result": 9}], "count": [{"result": 8}]})
    with serve(paths, {"Shop": both, "Till": both}) as server:
        assert (server.client.count(1), server.connect("Till").total()) == (8, 9)


def test_what_does_not_fit_is_told_at_the_start(shop: Path) -> None:
    for wrong in ({"delay": ["gte=1s"]}, {"fail": ["get=1%:Nothing"]}, {"examples": {"count": [{"result": "x"}]}}):
        with pytest.raises(ConfigError):
            serve(shop, Mock(**wrong))
    with pytest.raises(ConfigError, match="delay: 'soon' is no rule"):
        Mock(delay=["soon"])
    with pytest.raises(HandlerError, match="a mock answers in the test's process"):
        serve(shop, Mock(), workers=1)


def test_fb303_answers_for_itself_unless_it_is_told_of(tmp_path: Path) -> None:
    idl = tmp_path / "fb.thrift"
    idl.write_text('include "fb303.thrift"\nservice Fb extends fb303.FacebookService { i32 more() }\n')
    with serve(idl, Mock(fail=["*=100%:TIMEOUT"])) as server:
        assert server.client.getName() == "Fb"
        with pytest.raises(ApplicationError, match="TIMEOUT"):
            server.client.more()
    with serve(idl, Mock(examples={"Fb.getName": {"result": "mine"}}, fail=["getVersion=100%:DROP"])) as server:
        assert server.client.getName() == "mine"
        with pytest.raises(TransportError):
            server.client.getVersion()


def test_what_has_no_value_fails_as_a_handler_would(tmp_path: Path) -> None:
    (tmp_path / "endless.thrift").write_text(
        "struct Endless { 1: required Endless again }\nservice S { Endless get(), i32 fine() }\n"
    )
    with serve(tmp_path / "endless.thrift", Mock()) as server:
        with server.fails(ConfigError):
            server.client.get()
        server.client.fine()
