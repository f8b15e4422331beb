"""The span collector of idl/spans.thrift over the SQLite file that ``SPANS_DB`` names (spans.db).

Jaeger's tracers send datagrams unless they are told otherwise: ``SPANS_UDP`` (127.0.0.1:6831) is where they are heard,
by every worker; the kernel chooses which one. ``handlers.datagrams`` listens.
"""

import base64
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import structlog

import thriftserver
from handlers.database import Database
from handlers.datagrams import Ear
from thriftserver.errors import WireError

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

#: The category of Scribe's entries that Zipkin's tracers write to.
CATEGORY = b"zipkin"
#: Zipkin's annotations whose host is not the one that the span is of.
OTHER_END = ("ca", "sa", "ma")

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

    def Log(self, messages: list[Any]) -> Any:
        """An entry that is no span is never sent again for that: it would be no span then, either."""
        spans = list(_of_scribe(messages or ()))
        try:
            self._keep(_of_zipkin(span) for span in spans)
        except sqlite3.OperationalError as error:  # a full disk, another process's long transaction
            log.error("not_kept", spans=len(spans), reason=str(error))
            return api.scribe.ResultCode.TRY_LATER
        return api.scribe.ResultCode.OK

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


def _of_scribe(entries: Iterable[Any]) -> Iterator[Any]:
    for entry in entries:
        if entry.category != CATEGORY:
            continue
        message = (entry.message or b"").strip()  # some tracers end their lines
        try:
            yield thriftserver.deserialize(api.ZipkinSpan, base64.b64decode(message, validate=True))
        except (ValueError, WireError) as error:
            log.warning("span_ignored", bytes=len(message), reason=str(error))


def _of_zipkin(span: Any) -> Row:
    times = [each.timestamp for each in span.annotations or () if each.timestamp]
    about = [*(span.annotations or ()), *(each for each in span.binary_annotations or () if each.key not in OTHER_END)]
    hosts = [each.host for each in about if each.host]
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
