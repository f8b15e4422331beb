"""Ratios, bars and the report: what turns samples into a verdict."""

from __future__ import annotations

import pytest

from bench import bars, clients, report, servers
from bench.measuring import Sample, in_turns, ratio, ratios
from bench.overload_bench import refused_within_ms
from bench.run_server_bench import COUNTS


def test_a_ratio_is_the_median_of_the_rounds_and_that_of_the_minima() -> None:
    found = ratio([2.0, 30.0, 3.0], [4.0, 40.0, 2.0])
    assert found.median == 0.75  # of 0.5, 0.75 and 1.5: the slow round counts as the others
    assert found.minimum == 1.0


def test_ratios_are_to_everybody_else() -> None:
    found = ratios({"ours": [1.0], "b": [2.0], "c": [4.0]}, "ours")
    assert {name: each.median for name, each in found.items()} == {"b": 0.5, "c": 0.25}


def test_nobody_is_always_first() -> None:
    order: list[str] = []

    def take(name: str) -> int:
        order.append(name)
        return len(order)

    taken = in_turns(["a", "b", "c"], 3, take)
    assert "".join(order) == "abcbcacab"
    assert taken == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}


@pytest.mark.parametrize(
    ("values", "limits", "expected"),
    [
        ((1.0, 1.1), {"at_most": 1.1}, "met"),
        ((1.0, 1.11), {"at_most": 1.1}, "not met"),
        ((1.5, 1.6), {"at_least": 1.5}, "met"),
        ((1.49, 1.6), {"at_least": 1.5}, "not met"),
        ((7.0,), {}, ""),
    ],
)
def test_a_bar_is_met_by_every_value_or_not_at_all(
    values: tuple[float, ...], limits: dict[str, float], expected: str
) -> None:
    assert bars.verdict(*values, **limits) == expected


def test_a_server_that_refuses_nobody_does_not_refuse_in_time() -> None:
    shed, late = ({"count": 1, "latency_us": {"p99": us}} for us in (30_000.0, 60_000.0))
    assert refused_within_ms({"11": shed}) == 30.0
    assert refused_within_ms({"11": shed, "12": late}) == 60.0
    assert bars.verdict(refused_within_ms({}), at_most=bars.REFUSED_MS) == "not met"


def test_bars_are_of_servers_that_exist() -> None:
    assert set(bars.SERVER) <= set(servers.COMMANDS)
    assert {method for each in bars.SERVER.values() for method in each} <= set(COUNTS)


def test_bars_are_of_clients_that_exist() -> None:
    assert {name for _, *both in bars.CLIENT for name in both} <= set(clients.CLIENTS)
    assert {method for method, *_ in bars.CLIENT} | set(bars.POOL_US) <= set(clients.METHODS)


def test_several_clients_have_their_latency_in_common() -> None:
    clients = [{"latency_us": {"p50": us}} for us in (10.0, 30.0, 500.0)]
    assert Sample(1.0, clients).latency("p50") == 30.0


def test_only_what_is_between_the_markers_is_replaced() -> None:
    text = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb <!-- y: begin --><!-- y: end -->"
    new = report.replaced(text, "x", "new")
    assert new == "a\n<!-- x: begin -->\n\nnew\n\n<!-- x: end -->\nb <!-- y: begin --><!-- y: end -->"
    assert report.replaced(new, "x", "new") == new
    with pytest.raises(SystemExit):
        report.replaced(text, "z", "new")
