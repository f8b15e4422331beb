"""HBase's Thrift gateway of idl/hbase.thrift over the SQLite file that ``HBASE_DB`` names (hbase.db).

It has no region servers: a table is one region, and what is deleted is gone. ``handlers.cells`` keeps the tables.
"""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import thriftserver
from handlers import filters
from handlers.cells import Cell, Cells, Change, Family, Filter, Range, Refused, Row, Selection, Taken, Wrong

api = thriftserver.load(Path(__file__).parent.parent / "idl" / "hbase.thrift")

Attributes = dict[bytes, bytes] | None
Columns = list[bytes] | None


class Hbase:
    """One instance answers all calls of a worker. Names, rows, columns and values are bytes."""

    def setup(self) -> None:
        self._cells = Cells(os.environ.get("HBASE_DB") or "hbase.db")

    def teardown(self) -> None:
        self._cells.close()

    # Tables

    def enableTable(self, tableName: bytes) -> None:
        with _told():
            self._cells.enable(tableName, True)

    def disableTable(self, tableName: bytes) -> None:
        with _told():
            self._cells.enable(tableName, False)

    def isTableEnabled(self, tableName: bytes) -> bool:
        with _told():
            return self._cells.enabled(tableName)

    def compact(self, tableNameOrRegionName: bytes) -> None:
        with _told():
            self._cells.compact(tableNameOrRegionName.partition(b",")[0])

    majorCompact = compact

    def getTableNames(self) -> list[bytes]:
        return self._cells.tables()

    def getColumnDescriptors(self, tableName: bytes) -> dict[bytes, Any]:
        with _told():
            families = self._cells.table(tableName, disabled=True).families.values()
        return {each.name + b":": thriftserver.deserialize(api.ColumnDescriptor, each.descriptor) for each in families}

    def getTableRegions(self, tableName: bytes) -> list[Any]:
        with _told():
            id = self._cells.table(tableName, disabled=True).id
        name = tableName + b",," + str(id).encode()
        return [api.TRegionInfo(b"", b"", id, name, 1, socket.gethostname().encode(), 0)]

    def createTable(self, tableName: bytes, columnFamilies: list[Any]) -> None:
        with _told():
            if not re.fullmatch(rb"[\w.:-]{1,255}", tableName or b""):
                raise Wrong("a table's name is 1 to 255 of letters, digits and _ . - :")
            families = [_family(each) for each in columnFamilies or ()]
            if not families or len({each.name for each in families}) < len(families):
                raise Wrong("a table needs a column family, and no two of one name")
            self._cells.create(tableName, families)

    def deleteTable(self, tableName: bytes) -> None:
        with _told():
            self._cells.drop(tableName)

    # Cells and rows

    def get(self, tableName: bytes, row: bytes, column: bytes, attributes: Attributes) -> list[Any]:
        return self._versions(tableName, row, Selection([column]))

    def getVer(
        self, tableName: bytes, row: bytes, column: bytes, numVersions: int, attributes: Attributes
    ) -> list[Any]:
        return self._versions(tableName, row, Selection([column], versions=numVersions))

    def getVerTs(
        self, tableName: bytes, row: bytes, column: bytes, timestamp: int, numVersions: int, attributes: Attributes
    ) -> list[Any]:
        return self._versions(tableName, row, Selection([column], timestamp, numVersions))

    def _versions(self, table: bytes, row: bytes, selection: Selection) -> list[Any]:
        with _told():
            if selection.versions < 1:
                raise Refused("numVersions must be positive")
            found = self._cells.rows(table, [row], selection)
        return [_cell(cell) for _, cells in found for cell in cells]

    def getRow(self, tableName: bytes, row: bytes, attributes: Attributes) -> list[Any]:
        return self._rows(tableName, [row])

    def getRowWithColumns(self, tableName: bytes, row: bytes, columns: Columns, attributes: Attributes) -> list[Any]:
        return self._rows(tableName, [row], columns)

    def getRowTs(self, tableName: bytes, row: bytes, timestamp: int, attributes: Attributes) -> list[Any]:
        return self._rows(tableName, [row], None, timestamp)

    def getRowWithColumnsTs(
        self, tableName: bytes, row: bytes, columns: Columns, timestamp: int, attributes: Attributes
    ) -> list[Any]:
        return self._rows(tableName, [row], columns, timestamp)

    def getRows(self, tableName: bytes, rows: list[bytes], attributes: Attributes) -> list[Any]:
        return self._rows(tableName, rows)

    def getRowsWithColumns(
        self, tableName: bytes, rows: list[bytes], columns: Columns, attributes: Attributes
    ) -> list[Any]:
        return self._rows(tableName, rows, columns)

    def getRowsTs(self, tableName: bytes, rows: list[bytes], timestamp: int, attributes: Attributes) -> list[Any]:
        return self._rows(tableName, rows, None, timestamp)

    def getRowsWithColumnsTs(
        self, tableName: bytes, rows: list[bytes], columns: Columns, timestamp: int, attributes: Attributes
    ) -> list[Any]:
        return self._rows(tableName, rows, columns, timestamp)

    def _rows(self, table: bytes, rows: list[bytes], columns: Columns = None, before: int | None = None) -> list[Any]:
        with _told():
            found = self._cells.rows(table, rows, Selection(columns or (), before))
        return [_result(row, sort=False) for row in found]

    # Changes

    def mutateRow(self, tableName: bytes, row: bytes, mutations: list[Any], attributes: Attributes) -> None:
        self._mutate(tableName, [api.BatchMutation(row, mutations)])

    def mutateRowTs(
        self, tableName: bytes, row: bytes, mutations: list[Any], timestamp: int, attributes: Attributes
    ) -> None:
        self._mutate(tableName, [api.BatchMutation(row, mutations)], timestamp)

    def mutateRows(self, tableName: bytes, rowBatches: list[Any], attributes: Attributes) -> None:
        self._mutate(tableName, rowBatches)

    def mutateRowsTs(self, tableName: bytes, rowBatches: list[Any], timestamp: int, attributes: Attributes) -> None:
        self._mutate(tableName, rowBatches, timestamp)

    def _mutate(self, table: bytes, batches: list[Any], stamp: int | None = None) -> None:
        changes = [
            Change(batch.row or b"", each.column or b"", None if each.isDelete else each.value or b"")
            for batch in batches or ()
            for each in batch.mutations or ()
        ]
        with _told():
            self._cells.change(table, changes, stamp)

    def atomicIncrement(self, tableName: bytes, row: bytes, column: bytes, value: int) -> int:
        with _told():
            return self._cells.increment(tableName, row, column, value)

    # Scanners

    def scannerOpenWithScan(self, tableName: bytes, scan: Any, attributes: Attributes) -> int:
        return self._open(tableName, scan)

    def scannerOpen(self, tableName: bytes, startRow: bytes, columns: Columns, attributes: Attributes) -> int:
        return self._open(tableName, api.TScan(startRow, columns=columns))

    def scannerOpenWithStop(
        self, tableName: bytes, startRow: bytes, stopRow: bytes, columns: Columns, attributes: Attributes
    ) -> int:
        return self._open(tableName, api.TScan(startRow, stopRow, columns=columns))

    def scannerOpenTs(
        self, tableName: bytes, startRow: bytes, columns: Columns, timestamp: int, attributes: Attributes
    ) -> int:
        return self._open(tableName, api.TScan(startRow, timestamp=timestamp, columns=columns))

    def scannerOpenWithStopTs(
        self,
        tableName: bytes,
        startRow: bytes,
        stopRow: bytes,
        columns: Columns,
        timestamp: int,
        attributes: Attributes,
    ) -> int:
        return self._open(tableName, api.TScan(startRow, stopRow, timestamp, columns))

    def _open(self, table: bytes, scan: Any) -> int:
        try:
            span, _ = _understood(scan)
            return self._cells.open(table, scan.startRow or b"", span.selection, thriftserver.serialize(scan))
        except (Wrong, Refused) as error:  # the IDL has one exception for both here
            raise api.IOError(str(error)) from None

    def scannerGet(self, id: int) -> list[Any]:
        return self.scannerGetList(id, 1)

    def scannerGetList(self, id: int, nbRows: int) -> list[Any]:
        scan: Any = None

        def understood(data: bytes) -> tuple[Range, Filter]:
            nonlocal scan
            scan = thriftserver.deserialize(api.TScan, data)
            return _understood(scan)

        with _told():
            if nbRows < 1:
                raise Wrong("nbRows must be positive")
            results = self._cells.next(id, nbRows, understood)
        return [_result(row, sort=bool(scan.sortColumns)) for row in results]

    def scannerClose(self, id: int) -> None:
        with _told():
            self._cells.shut(id)


@contextmanager
def _told() -> Iterator[None]:
    """What the tables refuse is told in the IDL's own exceptions."""
    try:
        yield
    except Refused as error:
        raise api.IOError(str(error)) from None
    except Wrong as error:
        raise api.IllegalArgument(str(error)) from None
    except Taken as error:
        raise api.AlreadyExists(f"there is a table {error}") from None


def _family(descriptor: Any) -> Family:
    name = (descriptor.name or b"").removesuffix(b":")
    if not re.fullmatch(rb"[\w.-]{1,255}", name):
        raise Wrong("a column family's name is 1 to 255 of letters, digits and _ . -")
    if descriptor.maxVersions < 1:
        raise Wrong("maxVersions must be positive")
    descriptor.name = name + b":"
    seconds = max(descriptor.timeToLive, 0)
    return Family(name, descriptor.maxVersions, seconds, thriftserver.serialize(descriptor))


def _understood(scan: Any) -> tuple[Range, Filter]:
    selection = Selection(scan.columns or (), scan.timestamp)
    span = Range(scan.stopRow or b"", bool(scan.reversed), max(scan.batchSize or 0, 0), selection)
    return span, filters.parse(scan.filterString) if scan.filterString else lambda row, cells: cells


def _result(row: Row, *, sort: bool) -> Any:
    key, cells = row
    if sort:
        return api.TRowResult(key, sortedColumns=[api.TColumn(cell.column, _cell(cell)) for cell in cells])
    return api.TRowResult(key, columns={cell.column: _cell(cell) for cell in cells})


def _cell(cell: Cell) -> Any:
    return api.TCell(cell.value, cell.stamp)
