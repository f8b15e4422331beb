"""Traces travel: a span for each call out, which is the parent of the server's, over three hops."""

# ruff: noqa: F811 - fixtures are arguments

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

import thriftserver
from tests.client.peers import Peer, take
from tests.harness import PATIENCE, Server
from tests.spans import exporter, spans  # noqa: F401 - fixtures
from thriftserver.errors import ApplicationError, EncodeError, TransportError
from thriftserver.tracing import trace_clients, untrace_clients

IDL = """
exception No { 1: string why }
service Hops {
  // Each span that is known when this has called the next port, as "service kind trace span parent".
  list<string> hop(1: list<i32> ports),
  list<string> hop_async(1: list<i32> ports),
  string end(1: string how) throws (1: No no),
  oneway void note()
}
"""
HANDLER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import thriftserver
from thriftserver.tracing import trace_clients

api = thriftserver.load("hops.thrift")
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
trace_clients()
trace_clients()

def told():
    every = [*exporter.get_finished_spans(), trace.get_current_span()]
    exporter.clear()
    return [
        f"{span.name} {span.kind.name} {span.context.trace_id:032x} {span.context.span_id:016x} "
        f"{span.parent.span_id if span.parent else 0:016x}"
        for span in every
    ]

class Hops:
    def hop(self, ports):
        if not ports:
            return told()
        with api.Hops.Client("127.0.0.1", ports[0], dialect="header-compact") as client:
            after = client.hop(ports[1:])
        return [*after, *told()]

    async def hop_async(self, ports):
        if not ports:
            return told()
        async with api.Hops.AsyncClient("127.0.0.1", ports[0], dialect="header-compact") as client:
            after = await client.hop_async(ports[1:])
        return [*after, *told()]

    def end(self, how):
        if how == "declared":
            raise api.No(why="no")
        if how == "undeclared":
            raise RuntimeError("a secret")
        return how

    def note(self): pass
"""
API: Any = thriftserver.load("/traces/hops.thrift", files={"/traces/hops.thrift": IDL})


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    folder = tmp_path_factory.mktemp("hops")
    (folder / "hops.thrift").write_text(IDL)
    (folder / "hops.py").write_text(HANDLER)
    options = ("--middleware", "thriftserver.tracing:middleware", "-w", "1")
    with ExitStack() as stack:
        yield [
            stack.enter_context(Server("--idl", "hops.thrift", "--handler", "hops:Hops", *options, cwd=folder))
            for _ in range(3)
        ]


@pytest.fixture
def traced() -> Iterator[None]:
    """Calls of this process are traced, during one test."""
    trace_clients()
    yield
    untrace_clients()


def one(spans: Any) -> ReadableSpan:
    (span,) = spans()
    return span  # type: ignore[no-any-return]


@pytest.mark.parametrize("method", ["hop", "hop_async"])
def test_three_hops_are_one_trace(traced: None, servers: list[Server], spans: Any, method: str) -> None:
    ports = [server.port for server in servers]
    with trace.get_tracer("test").start_as_current_span("page") as page:
        if method == "hop":
            with API.Hops.Client("127.0.0.1", ports[0], dialect="header") as client:
                told = client.hop(ports[1:])
        else:

            async def call() -> Any:
                async with API.Hops.AsyncClient("127.0.0.1", ports[0], dialect="header") as client:
                    return await client.hop_async(ports[1:])

            told = asyncio.run(call())
    first = spans()[0]
    assert (first.kind, first.parent.span_id) == (SpanKind.CLIENT, page.get_span_context().span_id)
    trace_id = f"{first.context.trace_id:032x}"
    chain = {line[3]: line for line in map(str.split, told) if line[2] == trace_id}
    (at,) = chain.keys() - {line[4] for line in chain.values()}
    kinds = []
    while at in chain:
        kinds.append(chain[at][1])
        at = chain[at][4]
    assert kinds == ["SERVER", "CLIENT", "SERVER", "CLIENT", "SERVER"]
    assert at == f"{first.context.span_id:016x}"


def test_what_a_span_says(traced: None, servers: list[Server], spans: Any) -> None:
    with API.Hops.Client(servers[0].host, servers[0].port) as client:
        assert client.end("well") == "well"
    span = one(spans)
    assert (span.name, span.kind, span.status.status_code) == ("Hops/end", SpanKind.CLIENT, StatusCode.UNSET)
    assert span.attributes == {
        "rpc.system.name": "thrift",
        "rpc.method": "Hops/end",
        "rpc.response.status_code": "OK",
        "server.address": servers[0].host,
        "server.port": servers[0].port,
    }


async def hop_of_async_pool(names: list[str]) -> Any:
    async with API.Hops.AsyncPool(names, dialect="header") as pool:
        return await pool.hop([])


@pytest.mark.parametrize("kind", ["Pool", "AsyncPool"])
def test_a_call_of_a_pool_is_one_span(traced: None, servers: list[Server], spans: Any, kind: str) -> None:
    names = [f"127.0.0.1:{server.port}" for server in servers]
    if kind == "Pool":
        with API.Hops.Pool(names, dialect="header") as pool:
            told = [line.split() for line in pool.hop([])]
    else:
        told = [line.split() for line in asyncio.run(hop_of_async_pool(names))]
    span = one(spans)
    assert (span.name, span.kind) == ("Hops/hop", SpanKind.CLIENT)
    assert f"{span.context.span_id:016x}" in {line[4] for line in told}


def test_it_is_switched_off_again(servers: list[Server], spans: Any, exporter: Any) -> None:
    names = [f"{servers[0].host}:{servers[0].port}"]
    with API.Hops.Client(names, dialect="header") as client, API.Hops.Pool(names, dialect="header") as pool:
        for _ in range(2):
            trace_clients()
            trace_clients()
            client.hop([])
            assert one(spans).kind is SpanKind.CLIENT
            exporter.clear()
            untrace_clients()
            untrace_clients()
            with trace.get_tracer("test").start_as_current_span("page") as page:
                told = [*client.hop([]), *pool.hop([]), *asyncio.run(hop_of_async_pool(names))]
            assert one(spans).name == "page", "there is no other"
            assert told
            assert not any(f"{page.get_span_context().span_id:016x}" in line for line in told), "servers hear of none"
            exporter.clear()


def test_errors(traced: None, servers: list[Server], spans: Any, exporter: Any) -> None:
    with API.Hops.Client(servers[0].host, servers[0].port, timeout=PATIENCE) as client:
        with pytest.raises(API.No):
            client.end("declared")
        span = one(spans)
        assert span.attributes is not None
        assert (span.attributes["rpc.response.status_code"], span.status.status_code) == ("No", StatusCode.UNSET)
        exporter.clear()
        with pytest.raises(ApplicationError):
            client.end("undeclared")
        span = one(spans)
        assert span.attributes is not None
        assert span.attributes["rpc.response.status_code"] == "INTERNAL_ERROR"
        assert span.attributes["error.type"] == "ApplicationError"
        assert (span.status.status_code, len(span.events)) == (StatusCode.ERROR, 1)
        exporter.clear()
        with pytest.raises(EncodeError):
            client.end(7)
        span = one(spans)
        assert span.attributes is not None
        assert "rpc.response.status_code" not in span.attributes
        assert span.attributes["error.type"] == "EncodeError"
        exporter.clear()
        client.note()
        assert one(spans).status.status_code is StatusCode.UNSET


def test_a_server_that_leaves(traced: None, spans: Any) -> None:
    def leaves(sock: Any) -> None:
        take(sock)

    with (
        Peer(leaves) as peer,
        API.Hops.Client("127.0.0.1", peer.port, timeout=PATIENCE) as client,
        pytest.raises(TransportError),
    ):
        client.end("x")
    span = one(spans)
    assert span.attributes is not None
    assert "rpc.response.status_code" not in span.attributes
    assert span.attributes["error.type"] == "TransportError"
    assert span.attributes["server.port"] == peer.port
    assert span.status.status_code is StatusCode.ERROR


def test_nothing_is_imported_or_sent_unless_it_is_switched_on() -> None:
    code = (
        "import sys, thriftserver.client.sync, thriftserver.client.headers as headers\n"
        "assert headers._add is None\n"
        "print('opentelemetry' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
