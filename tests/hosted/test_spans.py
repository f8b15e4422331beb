"""Jaeger's tracer for Python and Zipkin's for Node send spans to handlers/spans.py; so do their collectors' clients."""

from __future__ import annotations

import base64
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import Server
from tests.support import NODE_MODULES, ROOT, need_node

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


@contextmanager
def zipkin(server: Server, count: int = 1) -> Iterator[None]:
    """An application writes three spans through Scribe for each of ``shop0``, ``shop1`` and so on."""
    need_node("zipkin-transport-scribe")
    script = ROOT / "tests" / "hosted" / "zipkin.js"
    command = ["node", script, server.host, str(server.port), "shop", str(count)]
    with subprocess.Popen(command, env=os.environ | {"NODE_PATH": str(NODE_MODULES)}) as application:
        try:
            yield
        finally:
            application.kill()


def test_zipkin_s_tracer_writes_through_scribe(collector: Server) -> None:
    with zipkin(collector):
        collector.eventually(lambda: len(recent(collector)) == 3, "all spans are there")
    pay, order, get = sorted(recent(collector, "shop0"), key=lambda each: str(each.name), reverse=True)
    assert [each.name for each in (get, order, pay)] == ["get", "order", "pay"]
    assert get.trace == order.trace == pay.trace
    assert len(get.trace.lstrip("0")) > 16, "128 bits"
    assert (get.parent, order.parent, pay.parent) == (None, get.id, order.id)
    assert get.start <= order.start <= pay.start
    assert get.duration >= order.duration >= pay.duration > 0
    assert get.tags == {"http.path": "/buy", "release": "7"}
    assert pay.tags == {"release": "7", "sa": "true"}, "and its process is not the one that it called"


def test_zipkin_s_tracer_through_a_reload(collector: Server) -> None:
    with zipkin(collector, 50):
        collector.signal(signal.SIGHUP)
        collector.wait("reloaded")
        collector.eventually(lambda: len(recent(collector)) == 150, "all spans are there")
    assert not [event for event in collector.events if event["level"] in ("warning", "error")]


def entry(message: bytes | None, category: bytes | None = b"zipkin") -> Any:
    return api.scribe.LogEntry(category, message)


def test_entries_that_are_no_spans_are_ignored(collector: Server) -> None:
    span = base64.b64encode(thriftserver.serialize(api.ZipkinSpan(7, "get", 8)))
    wrong = [entry(None), entry(b""), entry(b"?"), entry(span[:-8]), entry(base64.b64encode(b"\x0f" * 100))]
    with api.Spans.Client(collector.host, collector.port) as client:
        log = [*wrong, entry(span, b"web"), entry(span, None), entry(span + b"\n")]
        assert client.Log(log) == client.Log([]) == api.scribe.ResultCode.OK
    collector.wait("span_ignored", count=len(wrong))
    (kept,) = recent(collector)
    assert (kept.name, kept.id) == ("get", "0" * 15 + "8")
    assert len(collector.found("span_ignored")) == len(wrong)


def test_a_full_disk_lets_scribe_s_clients_try_later(collector: Server) -> None:
    """A limit on files is to a process what a full disk is."""
    spans = [entry(base64.b64encode(thriftserver.serialize(api.ZipkinSpan(7, "x" * 1000, id)))) for id in range(1000)]
    for pid in collector.workers():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    with api.Spans.Client(collector.host, collector.port) as client:
        assert client.Log(spans) == api.scribe.ResultCode.TRY_LATER
        assert client.recent("", 10) == []
        for pid in collector.workers():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        assert client.Log(spans) == api.scribe.ResultCode.OK
        assert len(client.recent("", 1000)) == 1000
    collector.wait("not_kept", spans=1000)
