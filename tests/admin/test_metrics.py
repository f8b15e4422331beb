"""The metrics: exact sums of what workers wrote, living and dead, in formats that Prometheus' own tools accept."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.admin.conftest import ADD, CALCULATE, DIVIDE, METHODS, MS, PEER, Script
from tests.support import need
from thriftserver.admin import metrics
from thriftserver.admin.reading import Reading
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board, percentile
from thriftserver.scoreboard.slot import Slot

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def scrape(board: Board, accept: str = "") -> str:
    return metrics.exposition(Reading.of(board), accept)[0].decode()


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample by name and labels."""
    return {
        (sample.name.removeprefix("thriftserver_"), frozenset(sample.labels.items())): sample.value
        for family in parse_text(text)
        for sample in family.samples
    }


class Scrape(dict[Any, float]):
    def of(self, name: str, **labels: str) -> float:
        return self[name, frozenset(labels.items())]


def test_what_was_written_is_what_is_scraped(script: Script) -> None:
    one, two = script.pens.values()
    for pen in (one, two):
        pen.finish(ADD, layout.SUCCESS, -1, 3 * MS, 1 * MS, 100, 200)
        pen.finish(DIVIDE, layout.DECLARED, 0, 5 * MS, 2 * MS, 10, 20)
    one.finish(CALCULATE, layout.DECLARED, 1, 7 * MS, 0, 1, 2)
    one.finish(ADD, layout.TIMEOUT, -1, 900 * MS, 0, 1, 0)
    one.put(layout.CONNECTIONS, 17)
    one.add(layout.COUNTER["bytes_in"], 1234)
    two.add(layout.COUNTER["bad_message"], 3)
    two.begin(ADD, 1, 10, 1, 1, PEER)
    found = Scrape(samples(scrape(script.board)))
    add = {"service": "Calculator", "method": "add"}
    assert found.of("calls_total", **add, outcome="success") == 2
    assert found.of("calls_total", **add, outcome="timeout") == 1
    assert found.of("calls_total", **add, outcome="shed") == 0, "a series is there before it is needed"
    assert found.of("declared_exceptions_total", service="Calculator", method="divide", exception="DivisionByZero") == 2
    calculate = {"service": "Calculator", "method": "calculate"}
    assert found.of("declared_exceptions_total", **calculate, exception="InvalidOperation") == 1
    assert found.of("call_duration_seconds_count", **add) == 3
    assert found.of("call_duration_seconds_sum", **add) == 0.906
    assert found.of("queue_seconds_sum") == 0.006
    assert found.of("queue_seconds_count") == 6
    assert found.of("request_bytes_total", **add) == 201
    assert found.of("reply_bytes_total", **add) == 400
    assert found.of("received_bytes_total") == 1234
    assert found.of("oddities_total", kind="bad_message") == 3
    assert found.of("connections", worker="1") == 17
    assert found.of("calls_in_flight", worker="2") == 1
    assert found.of("workers", state="serving") == 2
    assert found.of("generation") == 2
    assert found.of("worker_starts_total") == 2
    assert found.of("worker_exits_total") == 0
    assert abs(found.of("start_time_seconds") - time.time()) < 60
    assert 0 <= found.of("uptime_seconds") < 60


def test_counters_never_go_back_when_workers_die(script: Script) -> None:
    rng = random.Random(3)
    before: dict[Any, float] = {}
    calls = 0
    for _ in range(30):
        number = rng.choice(list(script.pens))
        for _ in range(rng.randrange(20)):
            method = rng.choice((ADD, DIVIDE, CALCULATE))
            script.pens[number].finish(method, rng.randrange(9), 0, rng.randrange(10 * MS), 0, 1, 1)
            calls += 1
        if rng.random() < 0.5:
            script.board.fold(number)
            if rng.random() < 0.5:
                script.pens[number] = script.pen(number, 3, METHODS[: rng.randrange(5, 7)])
            else:
                script.pens[number] = script.pen(number, 3)
        after = samples(scrape(script.board))
        counters = {key: value for key, value in after.items() if key[0].endswith(("_total", "_count", "_bucket"))}
        for key, value in before.items():
            assert after.get(key, -1) >= value, key
        assert sum(value for (name, _), value in after.items() if name == "calls_total") == calls
        before = counters


def test_buckets_are_exact_and_percentiles_within_five_percent(script: Script) -> None:
    rng = random.Random(4)
    durations = sorted(int(rng.lognormvariate(15, 2)) for _ in range(5000))
    for duration in durations:
        script.pens[1].finish(ADD, layout.SUCCESS, -1, duration, 0, 1, 1)
    found = samples(scrape(script.board))
    for (name, labels), value in found.items():
        facts = dict(labels)
        if name == "call_duration_seconds_bucket" and facts["method"] == "add":
            assert value == sum(duration < float(facts["le"]) * 1e9 for duration in durations)
    stats = Reading.of(script.board).methods["Calculator", "add"]
    for part in (0.5, 0.9, 0.99):
        exact = durations[int(part * len(durations))] / 1e9
        assert abs(percentile(stats.histogram, part) / exact - 1) < 0.05


def test_openmetrics_parses_and_the_client_chooses(script: Script) -> None:
    text = scrape(script.board, OPENMETRICS)
    names = {family.name for family in parse_openmetrics(text)}
    assert names == {f"thriftserver_{metric.name}" for metric in metrics.METRICS}
    assert text.endswith("# EOF\n")
    assert "# EOF" not in scrape(script.board, "text/plain; version=0.0.4")
    reading = Reading.of(script.board)
    for accept, expected in ((OPENMETRICS, "application/openmetrics-text"), ("", "text/plain"), ("*/*", "text/plain")):
        assert metrics.exposition(reading, accept)[1].startswith(expected)


def test_promtool_finds_nothing_to_say(script: Script) -> None:
    need(shutil.which("promtool"), "promtool (apt install prometheus)")
    script.pens[1].finish(ADD, layout.SUCCESS, -1, MS, MS, 1, 1)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=scrape(script.board), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_names_of_an_idl_cannot_break_the_format() -> None:
    board = Board.create(1, 4)
    pen = Slot(board.slot_words(1), board.plan)
    pen.open(1, 1, [('S"\n', 'm\\"} 1\n', ["E\u2028"])], 0)
    for accept, parse in (("", parse_text), (OPENMETRICS, parse_openmetrics)):
        families = {family.name: family for family in parse(scrape(board, accept))}
        assert families["thriftserver_calls"].samples[0].labels["method"] == 'm\\"} 1\n'


def test_a_thousand_methods_cost_a_scrape_no_more_than_their_share() -> None:
    def board(count: int) -> Board:
        made = Board.create(4, 1100)
        for number in (1, 2, 3, 4):
            pen = Slot(made.slot_words(number), made.plan)
            pen.open(1, 1, [("S", f"m{n}", []) for n in range(count)], 0)
            for method in range(count):
                pen.finish(method, layout.SUCCESS, -1, MS, MS, 1, 1)
        return made

    def seconds(board: Board) -> float:
        begun = time.process_time()
        scrape(board)
        return time.process_time() - begun

    few, many = board(50), board(1000)
    times = [(seconds(few), seconds(many)) for _ in range(5)]  # in turns: a busy machine slows both
    least = [min(taken) for taken in zip(*times, strict=True)]
    assert least[1] < 40 * least[0], "twenty times the methods, not much more than twenty times the time"
