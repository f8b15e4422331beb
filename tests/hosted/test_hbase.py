"""happybase's own API, as it would talk to HBase, against handlers/hbase.py."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import happybase
import pytest
from happybase import Connection, Table
from Hbase_thrift import AlreadyExists, IllegalArgument, IOError

from handlers.cells import Cell, Wrong
from handlers.filters import parse
from tests.harness import Server


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Server]:
    args = ("--idl", "idl/hbase.thrift", "--handler", "handlers.hbase:Hbase", "--workers", "2")
    with Server(*args, env={"HBASE_DB": str(tmp_path / "hbase.db")}) as server:
        yield server


def connected(*args: object, **options: object) -> closing[Connection]:
    return closing(Connection(*args, **options))


@pytest.fixture
def connection(gateway: Server) -> Iterator[Connection]:
    with connected(gateway.host, gateway.port) as connection:
        yield connection


@pytest.fixture
def table(connection: Connection) -> Table:
    connection.create_table("books", {"cf": {"max_versions": 3}, "meta": {}, "one": {"max_versions": 1}})
    return connection.table("books")


def filled(table: Table, count: int = 10) -> list[bytes]:
    with table.batch() as batch:
        for number in range(count):
            batch.put(b"row-%03d" % number, {b"cf:a": b"a%d" % number, b"cf:b": b"b", b"meta:m": b"m"})
    return [b"row-%03d" % number for number in range(count)]


@pytest.mark.parametrize("protocol", ["binary", "compact"])
@pytest.mark.parametrize("transport", ["buffered", "framed"])
def test_whatever_happybase_is_told_to_speak(gateway: Server, transport: str, protocol: str) -> None:
    with connected(gateway.host, gateway.port, transport=transport, protocol=protocol) as connection:
        connection.create_table("books", {"cf": {}})
        connection.table("books").put(b"\0\xff", {b"cf:\xfe": bytes(100_000)})
        assert connection.table("books").row(b"\0\xff") == {b"cf:\xfe": bytes(100_000)}


def test_tables_come_and_go(connection: Connection) -> None:
    connection.create_table(
        "books", {"cf": {"max_versions": 7, "time_to_live": 60, "compression": "GZ"}, "meta:": None}
    )
    assert connection.tables() == [b"books"]
    families = connection.table("books").families()
    assert set(families) == {b"cf", b"meta"}
    assert families[b"cf"] | {"max_versions": 7, "time_to_live": 60, "compression": b"GZ"} == families[b"cf"]
    (region,) = connection.table("books").regions()
    assert (region["start_key"], region["end_key"]) == (b"", b"")
    connection.compact_table("books")
    connection.compact_table("books", major=True)
    with pytest.raises(IOError, match="disable it first"):
        connection.delete_table("books")
    connection.disable_table("books")
    assert not connection.is_table_enabled("books")
    with pytest.raises(IOError, match="table books is disabled"):
        connection.table("books").row(b"a")
    connection.enable_table("books")
    connection.delete_table("books", disable=True)
    assert connection.tables() == []


def test_a_prefix_of_tables(gateway: Server, connection: Connection) -> None:
    connection.create_table("others", {"cf": {}})
    with connected(gateway.host, gateway.port, table_prefix="shop") as shop:
        shop.create_table("books", {"cf": {}})
        assert shop.tables() == [b"books"]
    assert connection.tables() == [b"others", b"shop_books"]


def test_what_makes_no_sense_is_said(connection: Connection, table: Table) -> None:
    with pytest.raises(AlreadyExists, match="books"):
        connection.create_table("books", {"cf": {}})
    for name, family in (("a b", "cf"), ("", "cf"), ("new", "c f"), ("n" * 256, "cf")):
        with pytest.raises(IllegalArgument, match="name"):
            connection.create_table(name, {family: {}})
    with pytest.raises(IllegalArgument, match="maxVersions"):
        connection.create_table("new", {"cf": {"max_versions": 0}})
    with pytest.raises(IOError, match="there is no table nobody"):
        connection.table("nobody").row(b"a")
    with pytest.raises(IOError, match="no column family none; it has cf, meta, one"):
        table.put(b"a", {b"none:x": b"1"})
    with pytest.raises(IOError, match="no column family none"):
        table.row(b"a", [b"none"])
    with pytest.raises(IllegalArgument, match="1 to 32767 bytes"):
        table.put(b"", {b"cf:x": b"1"})
    with pytest.raises(IllegalArgument, match="there is no scanner 7"):
        connection.client.scannerGetList(7, 1)
    with pytest.raises(IOError, match="PrefixFilter"):
        list(table.scan(filter="NoFilter()"))


def test_rows_and_their_columns(table: Table) -> None:
    filled(table)
    assert table.row(b"row-001") == {b"cf:a": b"a1", b"cf:b": b"b", b"meta:m": b"m"}
    assert table.row(b"row-001", [b"cf:a", b"meta"]) == {b"cf:a": b"a1", b"meta:m": b"m"}
    assert table.row(b"nobody") == {}
    assert table.rows([b"row-003", b"nobody", b"row-001"], [b"cf:a"]) == [
        (b"row-003", {b"cf:a": b"a3"}),
        (b"row-001", {b"cf:a": b"a1"}),
    ]


def test_versions_and_time(table: Table) -> None:
    for stamp in (10, 20, 30, 40):
        table.put(b"r", {b"cf:x": b"at %d" % stamp, b"one:x": b"at %d" % stamp}, timestamp=stamp)
    assert table.cells(b"r", b"cf:x", include_timestamp=True) == [(b"at 40", 40), (b"at 30", 30), (b"at 20", 20)]
    assert table.cells(b"r", b"cf:x", versions=1) == [b"at 40"]
    assert table.cells(b"r", b"cf:x", timestamp=40) == [b"at 30", b"at 20"]
    assert table.cells(b"r", b"one:x") == [b"at 40"]
    assert table.row(b"r", timestamp=31, include_timestamp=True) == {b"cf:x": (b"at 30", 30)}
    assert table.rows([b"r"], [b"cf"], timestamp=21) == [(b"r", {b"cf:x": b"at 20"})]
    assert [row for row, _ in table.scan(timestamp=20)] == []
    table.delete(b"r", [b"cf:x"], timestamp=30)
    assert table.cells(b"r", b"cf:x") == [b"at 40"]


def test_what_is_too_old_is_not_seen(connection: Connection) -> None:
    connection.create_table("news", {"cf": {"time_to_live": 3600}})
    table = connection.table("news")
    table.put(b"r", {b"cf:old": b"1"}, timestamp=1)
    table.put(b"r", {b"cf:new": b"1"})
    assert table.row(b"r") == {b"cf:new": b"1"}
    connection.compact_table("news")
    assert table.row(b"r") == {b"cf:new": b"1"}


def test_deleting(table: Table) -> None:
    filled(table, 2)
    table.delete(b"row-000", [b"cf:a"])
    assert set(table.row(b"row-000")) == {b"cf:b", b"meta:m"}
    table.delete(b"row-000", [b"cf"])
    assert set(table.row(b"row-000")) == {b"meta:m"}
    table.delete(b"row-000")
    assert [row for row, _ in table.scan()] == [b"row-001"]


def test_a_batch_is_all_or_nothing(table: Table) -> None:
    batch = table.batch()
    batch.put(b"a", {b"cf:x": b"1"})
    batch.put(b"b", {b"none:x": b"1"})
    with pytest.raises(IOError, match="no column family none"):
        batch.send()
    assert list(table.scan()) == []


def test_counters(table: Table) -> None:
    assert table.counter_get(b"r", b"cf:n") == 0
    assert table.counter_inc(b"r", b"cf:n", 5) == 5
    assert table.counter_dec(b"r", b"cf:n", 7) == -2
    table.counter_set(b"r", b"cf:n", (1 << 63) - 1)
    assert table.counter_inc(b"r", b"cf:n") == -(1 << 63)
    table.put(b"r", {b"cf:n": b"text"})
    with pytest.raises(IOError, match="cf:n of row r is no counter"):
        table.counter_inc(b"r", b"cf:n")


def test_counters_of_many_clients_lose_nothing(gateway: Server, table: Table) -> None:
    pool = happybase.ConnectionPool(4, host=gateway.host, port=gateway.port)

    def count(_: int) -> None:
        with pool.connection() as connection:
            connection.table("books").counter_inc(b"r", b"cf:n")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count, range(50)))
    assert table.counter_get(b"r", b"cf:n") == 50


def test_scans(table: Table) -> None:
    rows = filled(table)

    def scan(**options: object) -> list[bytes]:
        return [row for row, _ in table.scan(**options)]

    for batch in (1, 3, 10, 1000):
        assert scan(batch_size=batch) == rows
        assert scan(batch_size=batch, reverse=True) == rows[::-1]
    assert scan(row_start=b"row-003", row_stop=b"row-006") == rows[3:6]
    assert scan(row_start=b"row-006", row_stop=b"row-003", reverse=True, batch_size=2) == rows[6:3:-1]
    assert scan(row_prefix=b"row-00", limit=4, batch_size=3) == rows[:4]
    assert scan(columns=[b"one"]) == []
    assert next(table.scan(columns=[b"cf:a"]))[1] == {b"cf:a": b"a0"}
    ((_, columns),) = table.scan(limit=1, sorted_columns=True)
    assert list(columns.items()) == [(b"cf:a", b"a0"), (b"cf:b", b"b"), (b"meta:m", b"m")]
    for batch in (1, 5):
        parts = [
            (row, len(columns)) for row, columns in table.scan(scan_batching=2, row_stop=rows[2], batch_size=batch)
        ]
        assert parts == [(rows[0], 2), (rows[0], 1), (rows[1], 2), (rows[1], 1)]


def test_filters(table: Table) -> None:
    rows = filled(table)
    assert [row for row, _ in table.scan(filter="PrefixFilter('row-00')", limit=3)] == rows[:3]
    both = "RowFilter(>=, 'binary:row-008') AND ValueFilter(=, 'binaryprefix:a') AND KeyOnlyFilter()"
    assert list(table.scan(filter=both)) == [(row, {b"cf:a": b""}) for row in rows[8:]]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b"ColumnPrefixFilter('na')", [b"name"]),
        (b"FirstKeyOnlyFilter()", [b"it''s"]),
        (b"QualifierFilter(=, 'binary:it''''s')", [b"it''s"]),
        (b"QualifierFilter(!=, 'substring:A') AND ValueFilter(<, 'binary:b')", [b"it''s"]),
        (b"RowFilter(=, 'binary:q')", []),
    ],
)
def test_what_filters_keep(text: bytes, kept: list[bytes]) -> None:
    cells = [Cell(b"cf:it''s", 1, b"a"), Cell(b"cf:name", 1, b"b")]
    assert [cell.column[3:] for cell in parse(text)(b"r", cells)] == kept


@pytest.mark.parametrize(
    "text",
    [
        b" ",
        b"PrefixFilter",
        b"PrefixFilter('a'",
        b"PrefixFilter('a') OR PrefixFilter('b')",
        b"ValueFilter(~, 'binary:a')",
        b"PrefixFilter('a') AND",
        b"ValueFilter(=, 'regexstring:a')",
        b"PageFilter(10)",
        b"F(" + b"'" * 9999,
    ],
)
def test_filters_that_are_not_known(text: bytes) -> None:
    with pytest.raises(Wrong, match="filter: "):
        parse(text)


def test_a_scan_goes_on_over_a_reload(gateway: Server, table: Table) -> None:
    rows = filled(table)
    scan = table.scan(batch_size=2)
    seen = [next(scan)[0]]
    old = gateway.workers()
    gateway.signal(signal.SIGHUP)
    gateway.wait("reloaded")
    for pid in old:
        gateway.wait("worker_exit", pid=pid)
    assert seen + [row for row, _ in scan] == rows


def test_a_large_scan_comes_in_several_answers(connection: Connection, table: Table) -> None:
    for number in range(12):
        table.put(b"%02d" % number, {b"cf:x": bytes(1_000_000)})
    id = connection.client.scannerOpen(b"books", b"", [], {})
    assert 1 < len(connection.client.scannerGetList(id, 1000)) < 12
    assert [row for row, _ in table.scan()] == [b"%02d" % number for number in range(12)]


def test_clients_of_the_oldest_hbase(gateway: Server, table: Table) -> None:
    rows = filled(table)
    with connected(gateway.host, gateway.port, compat="0.90") as connection:
        table = connection.table("books")
        assert [row for row, _ in table.scan(row_start=rows[2], row_stop=rows[5])] == rows[2:5]
        assert [row for row, _ in table.scan(row_start=rows[2], timestamp=1)] == []
        assert [row for row, _ in table.scan(row_start=rows[2], row_stop=rows[5], timestamp=1)] == []
