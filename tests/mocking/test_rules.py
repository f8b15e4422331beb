"""Rules for delays and failures: what is read, what makes no sense, and which ones count for a method."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.mocking.shop import write_shop
from thriftserver.errors import ConfigError
from thriftserver.mocking.rules import Delay, Failure, read_delay, read_failure, require_sense, rules_for
from thriftserver.schema.model import Function, Service


@pytest.fixture
def shop(tmp_path: Path) -> Service:
    service: Service = thriftserver.load(write_shop(tmp_path) / "shop.thrift").Shop.__thrift__
    return service


def method(service: Service, name: str) -> Function:
    return next(each for each in service.methods() if each.name == name)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("get=10ms", Delay("get", 0.01, 0.01)),
        ("Shop.get = 10ms..1s", Delay("Shop.get", 0.01, 1.0)),
        ("*=0", Delay("*", 0.0, 0.0)),
    ],
)
def test_delays(text: str, rule: Delay) -> None:
    assert read_delay(text) == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("get=1%:TIMEOUT", Failure("get", 0.01, "TIMEOUT")),
        ("Shop.get=0.5:shop.Gone", Failure("Shop.get", 0.5, "shop.Gone")),
        ("*=100%: DROP", Failure("*", 1.0, "DROP")),
    ],
)
def test_failures(text: str, rule: Failure) -> None:
    assert read_failure(text) == rule


@pytest.mark.parametrize(
    ("read", "text", "why"),
    [
        (read_delay, "10ms", "is no rule"),
        (read_delay, "=10ms", "is no rule"),
        (read_delay, "get=soon", "not a duration"),
        (read_delay, "get=1s..10ms", "shorter time comes first"),
        (read_delay, "get=1s..", "not a duration"),
        (read_failure, "get", "is no rule"),
        (read_failure, "get=1%", "how to fail"),
        (read_failure, "get=1%:", "how to fail"),
        (read_failure, "get=101%:DROP", "not a share"),
        (read_failure, "get=DROP:1%", "not a share"),
    ],
)
def test_what_is_no_rule(read: Callable[[str], Any], text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(text)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (Delay("gte", 0, 0), "there is no method 'gte'; did you mean 'get'?"),
        (Delay("Stock.get", 0, 0), "there is no method 'Stock.get'"),
        (Failure("get", 1, "Gnoe"), "get cannot fail with 'Gnoe'; did you mean 'Gone'?"),
        (Failure("touch", 1, "Busy"), "touch cannot fail with 'Busy'; there is Gone, DROP, UNKNOWN"),
        (Failure("*", 1, "Nothing"), "cannot fail with 'Nothing'"),
        (Failure("note", 1, "DROP"), "note is oneway"),
    ],
)
def test_what_makes_no_sense(shop: Service, rule: Delay | Failure, why: str) -> None:
    with pytest.raises(ConfigError, match=why.replace("?", r"\?")):
        require_sense([rule], [shop])


def test_more_failures_than_calls(shop: Service) -> None:
    with pytest.raises(ConfigError, match="get cannot fail 110% of the time"):
        require_sense([Failure("get", 0.6, "DROP"), Failure("get", 0.5, "TIMEOUT")], [shop])
    require_sense([Failure("get", 0.1, "DROP")] * 10, [shop])


def test_what_makes_sense(shop: Service) -> None:
    rules = [
        Delay("note", 0, 1),
        Delay("Shop.count", 0, 1),  # inherited
        *(Failure("get", 0.1, kind) for kind in ("Gone", "shop.Busy", "timeout", "DROP")),
        Failure("*", 0.1, "Busy"),
    ]
    require_sense(rules, [shop])


def test_the_most_precise_rules_count(shop: Service) -> None:
    every, by_name, exact, other = (Delay(name, 0, 1) for name in ("*", "get", "Shop.get", "Shop.get"))
    rules = [every, by_name, exact, other]
    assert rules_for(rules, shop, method(shop, "get")) == [exact, other]
    assert rules_for(rules[:2], shop, method(shop, "get")) == [by_name]
    assert rules_for(rules, shop, method(shop, "count")) == [every]
    assert rules_for(rules[1:], shop, method(shop, "count")) == []
