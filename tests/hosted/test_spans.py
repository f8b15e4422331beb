"""Jaeger's tracer for Python sends spans to handlers/spans.py; so do clients of Jaeger's and Zipkin's collectors."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import Server
from tests.support import ROOT

api = thriftserver.load(ROOT / "idl" / "spans.thrift")


@pytest.fixture
def udp() -> int:
    """A port that nobody has. All workers listen on it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def collector(tmp_path: Path, udp: int) -> Iterator[Server]:
    args = ("--idl", "idl/spans.thrift", "--handler", "handlers.spans:Spans", "--workers", "2")
    with Server(*args, env={"SPANS_DB": str(tmp_path / "spans.db"), "SPANS_UDP": f"127.0.0.1:{udp}"}) as server:
        yield server


def recent(server: Server, process: str = "", limit: int = 1000) -> list[Any]:
    with api.Spans.Client(server.host, server.port) as client:
        found: list[Any] = client.recent(process, limit)
        return found


def trace(udp: int, count: int = 1) -> None:
    """Applications send two spans each, as ``shop0``, ``shop1`` and so on."""
    subprocess.run([sys.executable, ROOT / "tests" / "hosted" / "tracers.py", str(udp), "shop", str(count)], check=True)


def test_a_tracer_sends_its_spans(collector: Server, udp: int) -> None:
    trace(udp)
    collector.eventually(lambda: len(recent(collector, "shop0")) == 2, "both spans are there")
    pay, order = recent(collector, "shop0")
    assert (order.name, pay.name, order.parent, pay.parent) == ("order", "pay", None, order.id)
    assert order.trace == pay.trace
    assert order.start <= pay.start
    assert order.duration >= pay.duration
    assert order.tags | {"items": "3", "paid": "true", "total": "9.5", "who": "Åsa", "release": "7"} == order.tags
    assert pay.tags["failed"] == "false"


def test_new_workers_hear_after_a_reload(collector: Server, udp: int) -> None:
    old = collector.workers()
    collector.signal(signal.SIGHUP)
    collector.wait("reloaded")
    for pid in old:
        collector.wait("worker_exit", pid=pid)
    trace(udp, 20)
    collector.eventually(lambda: len(recent(collector)) == 40, "all spans are there")
    assert not [event for event in collector.events if event["level"] in ("warning", "error")]


def test_datagrams_that_are_no_spans_are_ignored(collector: Server, udp: int) -> None:
    wrong = [b"x", b"", b"\x82\x81\x01\xff\xff\xff\xff\xff\xff", b"\x82\x81\x01\x05hello\0", bytes(60_000)]
    wrong += [b"\x82\x81\x01\x09emitBatch", b"\x82\x81\x01\x09emitBatch\x1c\0\0", b"\x82\x81\x01\x09emitBatch\0"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for data in wrong:
            stranger.sendto(data, ("127.0.0.1", udp))
    collector.wait("datagram_ignored", count=len(wrong))
    trace(udp)
    collector.eventually(lambda: len(recent(collector)) == 2, "the spans are there")


def test_jaeger_s_collector(collector: Server) -> None:
    span = api.Span(1, -1, 2, 0, "order", [], 1, 1_000_000, 5, [api.Tag("raw", 4, vBinary=b"\xff")], [])
    batch = api.Batch(api.Process("shop", []), [span])
    with api.Spans.Client(collector.host, collector.port) as client:
        assert [each.ok for each in client.submitBatches([batch, batch])] == [True, True]
    (kept,) = recent(collector)
    assert (kept.trace, kept.id, kept.tags) == ("f" * 16 + "0" * 15 + "1", "0" * 15 + "2", {"raw": "ff"})


def test_zipkin_s_collector(collector: Server) -> None:
    host = api.Endpoint(0x7F000001, 80, "shop")
    times = [api.Annotation(1000, "cs", host), api.Annotation(1500, "cr", host)]
    tags = [api.BinaryAnnotation("path", b"/buy", api.AnnotationType.STRING, host)]
    with api.Spans.Client(collector.host, collector.port) as client:
        assert client.submitZipkinBatch([api.ZipkinSpan(7, "get", 8, 7, times, tags)])[0].ok
        assert client.submitZipkinBatch([api.ZipkinSpan()])[0].ok
    (kept,) = recent(collector, "shop")
    assert (kept.start, kept.duration, kept.parent, kept.tags) == (1000, 500, "0" * 15 + "7", {"path": "/buy"})
    assert len(recent(collector, "unknown")) == 1
    assert recent(collector, "shop", 0) == recent(collector, "other") == []
