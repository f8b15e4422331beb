"""Tables of rows of columns of versions, as HBase has them, in an SQLite file that all workers share.

It knows nothing of Thrift. Scanners are kept in the file as well: one that was opened goes on wherever its client's
connection has gone, to another worker or over a reload.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import groupby, islice
from typing import NamedTuple

from handlers.database import Database

SCHEMAS = (
    (
        "CREATE TABLE tables (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, enabled INTEGER NOT NULL DEFAULT 1)",
        """
        CREATE TABLE families (
            tbl INTEGER NOT NULL REFERENCES tables ON DELETE CASCADE,
            name BLOB NOT NULL,
            versions INTEGER NOT NULL,
            seconds INTEGER NOT NULL,
            descriptor BLOB NOT NULL,
            PRIMARY KEY (tbl, name)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE cells (
            tbl INTEGER NOT NULL REFERENCES tables ON DELETE CASCADE,
            line BLOB NOT NULL,
            col BLOB NOT NULL,
            stamp INTEGER NOT NULL,
            value BLOB NOT NULL,
            PRIMARY KEY (tbl, line, col, stamp DESC)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE scanners (
            id INTEGER PRIMARY KEY AUTOINCREMENT,  -- a scanner that is closed is not another client's next one
            tbl INTEGER NOT NULL REFERENCES tables ON DELETE CASCADE,
            used INTEGER NOT NULL,
            line BLOB NOT NULL,   -- where it goes on
            col BLOB,             -- after this column of that row; NULL: with the row
            scan BLOB NOT NULL
        )
        """,
    ),
)

#: Milliseconds after which a scanner that nobody has asked is forgotten.
LEASE = 600_000
#: Bytes of a scanner's answer, after which it is told in several.
ENOUGH = 4_000_000
#: The longest key of a row, as in HBase.
LONGEST_ROW = 32_767
_FIRST, _LAST = -(1 << 63), (1 << 63) - 1


class Refused(Exception):
    """What was asked for cannot be done with what there is."""


class Wrong(Exception):
    """What was asked for makes no sense."""


class Taken(Exception):
    """There is a table of this name."""


class Family(NamedTuple):
    """``versions`` of each cell are kept, for ``seconds`` (0: for ever); ``descriptor`` is all that its maker said."""

    name: bytes
    versions: int
    seconds: int
    descriptor: bytes


class Cell(NamedTuple):
    column: bytes
    stamp: int
    value: bytes


class Change(NamedTuple):
    """One column of a row is written; without a value it, or its whole family, is deleted."""

    row: bytes
    column: bytes
    value: bytes | None


class Table(NamedTuple):
    id: int
    families: dict[bytes, Family]


class Selection(NamedTuple):
    """Which cells of a row: of these columns and families (none: of all), older than ``before``."""

    columns: Collection[bytes] = ()
    before: int | None = None
    versions: int = 1


class Range(NamedTuple):
    """A scanner's rows, from where it is to ``stop`` (empty: to the end), and how many columns make a result."""

    stop: bytes
    backwards: bool
    width: int
    selection: Selection


Row = tuple[bytes, list[Cell]]


def now() -> int:
    return time.time_ns() // 1_000_000


class Cells:
    """One process's connection. Each method is one transaction. Tables that are disabled, or not there, are Refused."""

    def __init__(self, path: str) -> None:
        self._db = Database(path, SCHEMAS)

    def close(self) -> None:
        self._db.close()

    def tables(self) -> list[bytes]:
        return [name for (name,) in self._db.execute("SELECT name FROM tables ORDER BY name")]

    def create(self, name: bytes, families: Collection[Family]) -> None:
        """Raises Taken."""
        with self._db.transaction():
            cursor = self._db.execute("INSERT INTO tables (name) VALUES (?) ON CONFLICT DO NOTHING", [name])
            if not cursor.rowcount:
                raise Taken(_text(name))
            rows = [(cursor.lastrowid, *family) for family in families]
            self._db.executemany("INSERT INTO families VALUES (?, ?, ?, ?, ?)", rows)

    def drop(self, name: bytes) -> None:
        with self._db.transaction():
            if self.enabled(name):
                raise Refused(f"table {_text(name)} is enabled: disable it first")
            self._db.execute("DELETE FROM tables WHERE name = ?", [name])

    def enabled(self, name: bytes) -> bool:
        found = self._db.execute("SELECT enabled FROM tables WHERE name = ?", [name]).fetchone()
        if found is None:
            raise Refused(f"there is no table {_text(name)}")
        return bool(found[0])

    def enable(self, name: bytes, enabled: bool) -> None:
        with self._db.transaction():
            if self.enabled(name) == enabled:
                raise Refused(f"table {_text(name)} is {'enabled' if enabled else 'disabled'} already")
            self._db.execute("UPDATE tables SET enabled = ? WHERE name = ?", [enabled, name])

    def table(self, name: bytes, *, disabled: bool = False) -> Table:
        """What a name stands for; ``disabled``: even if it is."""
        if not self.enabled(name) and not disabled:
            raise Refused(f"table {_text(name)} is disabled")
        (id,) = self._db.execute("SELECT id FROM tables WHERE name = ?", [name]).fetchone()
        found = self._db.execute("SELECT name, versions, seconds, descriptor FROM families WHERE tbl = ?", [id])
        return Table(id, {row[0]: Family(*row) for row in found})

    def compact(self, name: bytes) -> None:
        """Take away what is too old to be seen."""
        with self._db.transaction():
            table = self.table(name)
            for family, (_, _, seconds, _) in table.families.items():
                if seconds:
                    self._db.execute(
                        "DELETE FROM cells WHERE tbl = ? AND col >= ? AND col < ? AND stamp <= ?",
                        [table.id, family + b":", family + b";", now() - seconds * 1000],
                    )

    def rows(self, name: bytes, keys: Collection[bytes], selection: Selection) -> list[Row]:
        """Those of them that have such cells, in the order of ``keys``."""
        with self._db.transaction("DEFERRED"):
            table = self.table(name)
            wanted = _wanted(table, selection)
            return [row for key in keys or () for row in self._found(table, "line = ?", [key], "", wanted)]

    def _found(self, table: Table, where: str, values: list[object], order: str, wanted: "Wanted") -> Iterator[Row]:
        """Rows that have cells which are wanted. Read as they are asked for."""
        cells = self._db.execute(
            f"""
            SELECT line, col, stamp, value FROM cells WHERE tbl = ? AND {where}
            ORDER BY line {order}, col, stamp DESC
            """,
            [table.id, *values],
        )
        for row, group in groupby(cells, lambda each: each[0]):
            if kept := wanted(Cell(*each[1:]) for each in group):
                yield row, kept

    def change(self, name: bytes, changes: Collection[Change], stamp: int | None) -> None:
        """All of them or none. Deleted is what is not newer than ``stamp``; without one, all."""
        with self._db.transaction():
            table = self.table(name)
            for row, column, value in changes:
                _check(row)
                family = _family(table, column)
                if value is None:
                    self._delete(table, row, column, _LAST if stamp is None else stamp)
                else:
                    self._put(table, family, row, Cell(_whole(column), now() if stamp is None else stamp, value))

    def _put(self, table: Table, family: Family, row: bytes, cell: Cell) -> None:
        self._db.execute("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?)", [table.id, row, *cell])
        place = [table.id, row, cell.column]
        self._db.execute(
            "DELETE FROM cells WHERE tbl = ? AND line = ? AND col = ? AND stamp <= ("
            "SELECT stamp FROM cells WHERE tbl = ? AND line = ? AND col = ? ORDER BY stamp DESC LIMIT 1 OFFSET ?)",
            [*place, *place, family.versions],
        )

    def _delete(self, table: Table, row: bytes, column: bytes, stamp: int) -> None:
        first, _, qualifier = column.partition(b":")
        columns = (column, column + b"\0") if qualifier else (first + b":", first + b";")
        self._db.execute(
            "DELETE FROM cells WHERE tbl = ? AND line = ? AND col >= ? AND col < ? AND stamp <= ?",
            [table.id, row, *columns, stamp],
        )

    def increment(self, name: bytes, row: bytes, column: bytes, by: int) -> int:
        """A counter is 8 bytes, and goes round as Java's do."""
        with self._db.transaction():
            table = self.table(name)
            _check(row)
            column, family = _whole(column), _family(table, column)
            found = next(self._found(table, "line = ?", [row], "", _wanted(table, Selection([column]))), None)
            value = found[1][0].value if found else bytes(8)
            if len(value) != 8:
                raise Refused(f"{_text(column)} of row {_text(row)} is no counter: it has {len(value)} bytes, not 8")
            total = int.from_bytes(value, "big", signed=True) + by
            total = (total - _FIRST) % (1 << 64) + _FIRST
            self._put(table, family, row, Cell(column, now(), total.to_bytes(8, "big", signed=True)))
            return total

    def open(self, name: bytes, start: bytes, selection: Selection, scan: bytes) -> int:
        """A scanner that has ``scan`` with it, which ``next`` gives its caller to make a Range of."""
        with self._db.transaction():
            table = self.table(name)
            _wanted(table, selection)
            self._db.execute("DELETE FROM scanners WHERE used < ?", [now() - LEASE])
            cursor = self._db.execute(
                "INSERT INTO scanners (tbl, used, line, scan) VALUES (?, ?, ?, ?)", [table.id, now(), start, scan]
            )
            assert cursor.lastrowid is not None
            return cursor.lastrowid

    def next(self, id: int, most: int, understood: Callable[[bytes], tuple[Range, "Filter"]]) -> list[Row]:
        """The next results of a scanner; none: it is at its end. Raises Wrong if there is no such scanner."""
        with self._db.transaction():
            found = self._db.execute(
                "SELECT name, line, col, scan FROM scanners JOIN tables ON tables.id = tbl WHERE scanners.id = ?", [id]
            ).fetchone()
            if found is None:
                raise Wrong(f"there is no scanner {id}: it was closed, or not asked for {LEASE // 60_000} minutes")
            name, line, column, scan = found
            rows = self._scanned(self.table(name), line, column, *understood(scan))
            results = list(_limited(islice(rows, most)))
            if results:
                line, column = results[-1][0], results[-1][1][-1].column
            self._db.execute("UPDATE scanners SET used = ?, line = ?, col = ? WHERE id = ?", [now(), line, column, id])
            return results

    def _scanned(self, table: Table, line: bytes, column: bytes | None, span: Range, keep: "Filter") -> Iterator[Row]:
        after, until, order = ("<=", ">", "DESC") if span.backwards else (">=", "<", "")
        conditions = [f"line {after} ?"] * bool(line) + [f"line {until} ?"] * bool(span.stop)
        where = " AND ".join(conditions) or "true"
        values: list[object] = [each for each in (line, span.stop) if each]
        for row, cells in self._found(table, where, values, order, _wanted(table, span.selection)):
            cells = keep(row, cells)
            if row == line and column is not None:
                # A result that is a whole row is the last one of it, whatever came into the row meanwhile.
                cells = [cell for cell in cells if cell.column > column] if span.width else []
            width = span.width or len(cells) or 1
            for start in range(0, len(cells), width):
                yield row, cells[start : start + width]

    def shut(self, id: int) -> None:
        """Raises Wrong if there is no such scanner."""
        if not self._db.execute("DELETE FROM scanners WHERE id = ?", [id]).rowcount:
            raise Wrong(f"there is no scanner {id}")


#: Of a row's cells, in order, those that are wanted.
Wanted = Callable[[Iterable[Cell]], list[Cell]]
Filter = Callable[[bytes, list[Cell]], list[Cell]]


def _wanted(table: Table, selection: Selection) -> Wanted:
    """Raises Refused if a family is none of the table's."""
    families = {_family(table, each).name for each in selection.columns if not each.partition(b":")[2]}
    columns = {each for each in selection.columns if each.partition(b":")[2]}
    for each in columns:
        _family(table, each)
    moment = now()
    before = _LAST if selection.before is None else selection.before - 1

    def wanted(cells: Iterable[Cell]) -> list[Cell]:
        kept: list[Cell] = []
        for column, versions in groupby(cells, lambda cell: cell.column):
            family = table.families[column.partition(b":")[0]]
            if selection.columns and family.name not in families and column not in columns:
                continue
            oldest = moment - family.seconds * 1000 if family.seconds else _FIRST - 1
            seen = (cell for cell in versions if oldest < cell.stamp <= before)
            kept += islice(seen, min(selection.versions, family.versions))
        return kept

    return wanted


def _limited(rows: Iterable[Row]) -> Iterator[Row]:
    size = 0
    for row, cells in rows:
        yield row, cells
        size += len(row) + sum(len(cell.column) + len(cell.value) for cell in cells)
        if size >= ENOUGH:
            return


def _family(table: Table, column: bytes) -> Family:
    name = column.partition(b":")[0]
    if name not in table.families:
        known = ", ".join(_text(each) for each in sorted(table.families))
        raise Refused(f"the table has no column family {_text(name)}; it has {known}")
    return table.families[name]


def _check(row: bytes) -> None:
    if not 0 < len(row) <= LONGEST_ROW:
        raise Wrong(f"a row's key has 1 to {LONGEST_ROW} bytes, not {len(row)}")


def _whole(column: bytes) -> bytes:
    return column if b":" in column else column + b":"


def _text(name: bytes | None) -> str:
    return (name or b"").decode("utf-8", "backslashreplace")
