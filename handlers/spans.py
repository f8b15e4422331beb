"""The span collector of idl/spans.thrift over the SQLite file that ``SPANS_DB`` names (spans.db).

Jaeger's tracers send datagrams unless they are told otherwise: ``SPANS_UDP`` (127.0.0.1:6831) is where they are heard,
by every worker; the kernel chooses which one. ``handlers.datagrams`` listens.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog

import thriftserver
from handlers.database import Database
from handlers.datagrams import Ear

api = thriftserver.load(Path(__file__).parent.parent / "idl" / "spans.thrift")
log = structlog.get_logger()

SCHEMAS = (
    (
        """
        CREATE TABLE spans (
            trace TEXT NOT NULL,
            id TEXT NOT NULL,
            parent TEXT,
            process TEXT NOT NULL,
            name TEXT NOT NULL,
            start INTEGER NOT NULL,
            duration INTEGER NOT NULL,
            tags TEXT NOT NULL,
            PRIMARY KEY (trace, id, process)  -- in Zipkin, a call's two ends have one id
        ) WITHOUT ROWID
        """,
        "CREATE INDEX by_start ON spans (start)",
        "CREATE INDEX by_process ON spans (process, start)",
    ),
)

#: The most spans that one call of ``recent`` gives.
MOST = 1000

Row = tuple[str, str, str | None, str, str, int, int, str]


class Spans:
    """One instance answers all calls of a worker, and hears datagrams."""

    def setup(self) -> None:
        self._db = Database(os.environ.get("SPANS_DB") or "spans.db", SCHEMAS)
        self._ear: Ear | None = None
        if at := os.environ.get("SPANS_UDP"):
            methods = {
                "emitBatch": (api.EmitBatch, lambda args: self.emitBatch(args.batch)),
                "emitZipkinBatch": (api.EmitZipkinBatch, lambda args: self.emitZipkinBatch(args.spans)),
            }
            self._ear = Ear(at, methods)

    def teardown(self) -> None:
        if self._ear:
            self._ear.close()
        self._db.close()

    def emitBatch(self, batch: Any) -> None:
        self._keep(_of_jaeger(batch))

    def emitZipkinBatch(self, spans: list[Any]) -> None:
        self._keep(_of_zipkin(span) for span in spans)

    def submitBatches(self, batches: list[Any]) -> list[Any]:
        for batch in batches:
            self._keep(_of_jaeger(batch))
        return [api.BatchSubmitResponse(True) for _ in batches]

    def submitZipkinBatch(self, spans: list[Any]) -> list[Any]:
        self._keep(_of_zipkin(span) for span in spans)
        return [api.ZipkinResponse(True) for _ in spans]

    def recent(self, process: str | None, limit: int) -> list[Any]:
        found = self._db.execute(
            f"SELECT * FROM spans {'WHERE process = ?' if process else ''} ORDER BY start DESC LIMIT ?",
            [*([process] if process else []), max(min(limit, MOST), 0)],
        )
        return [api.Kept(*row[:-1], tags=json.loads(row[-1])) for row in found]

    def _keep(self, rows: Iterator[Row]) -> None:
        with self._db.transaction():
            self._db.executemany("INSERT OR REPLACE INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _of_jaeger(batch: Any) -> Iterator[Row]:
    for span in batch.spans:
        tags = {tag.key: _value(tag) for tag in [*(batch.process.tags or ()), *(span.tags or ())]}
        yield (
            _hex(span.traceIdHigh) + _hex(span.traceIdLow),
            _hex(span.spanId),
            _hex(span.parentSpanId) if span.parentSpanId else None,
            batch.process.serviceName,
            span.operationName,
            span.startTime,
            span.duration,
            json.dumps(tags),
        )


def _value(tag: Any) -> str:
    for value in (tag.vStr, tag.vDouble, tag.vLong):
        if value is not None:
            return str(value)
    if tag.vBool is not None:
        return "true" if tag.vBool else "false"
    return (tag.vBinary or b"").hex()


def _of_zipkin(span: Any) -> Row:
    times = [each.timestamp for each in span.annotations or () if each.timestamp]
    hosts = [each.host for each in [*(span.annotations or ()), *(span.binary_annotations or ())] if each.host]
    start = span.timestamp or min(times, default=0)
    return (
        _hex(span.trace_id_high or 0) + _hex(span.trace_id or 0),
        _hex(span.id or 0),
        _hex(span.parent_id) if span.parent_id else None,
        next((host.service_name for host in hosts if host.service_name), "unknown"),
        span.name or "",
        start,
        span.duration or max(times, default=start) - start,
        json.dumps({each.key: _plain(each) for each in span.binary_annotations or () if each.key}),
    )


def _plain(annotation: Any) -> str:
    """Only texts say what they are; other values are given as they came."""
    value = annotation.value or b""
    if annotation.annotation_type == api.AnnotationType.STRING:
        return str(value, "utf-8", "replace")
    if annotation.annotation_type == api.AnnotationType.BOOL:
        return "true" if value == b"\1" else "false"
    return value.hex()


def _hex(id: int) -> str:
    return f"{id & (1 << 64) - 1:016x}"
