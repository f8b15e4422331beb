"""Spans of calls, as OpenTelemetry's own exporter receives them."""

# ruff: noqa: F811 - fixtures are arguments

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from tests.codec.schemas import NOT_FOUND
from tests.spans import exporter, spans  # noqa: F401 - fixtures
from thriftserver.errors import ApplicationError, DeadlineExceeded
from thriftserver.rpc.call import Call
from thriftserver.schema.classes import class_of
from thriftserver.tracing import middleware

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def call(peer: str = "127.0.0.1:4711") -> Call:
    return Call("Demo", "add", 7, peer)


def traced(error: BaseException, spans: Any) -> ReadableSpan:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        middleware(call(), fail)
    (span,) = spans()
    return span  # type: ignore[no-any-return]


def test_a_call_is_a_span(spans: Any) -> None:
    seen = []
    assert middleware(call(), lambda: seen.append(trace.get_current_span()) or 3) == 3
    (span,) = spans()
    assert (span.name, span.kind, span.status.status_code) == ("Demo/add", SpanKind.SERVER, StatusCode.UNSET)
    assert dict(span.attributes) == {
        "rpc.system.name": "thrift",
        "rpc.method": "Demo/add",
        "rpc.response.status_code": "OK",
        "network.peer.address": "127.0.0.1",
        "network.peer.port": 4711,
    }
    assert seen[0].get_span_context() == span.get_span_context()  # what the handler starts is a child of it
    assert span.parent is None


@pytest.mark.parametrize(
    ("peer", "expected"), [("[::1]:4711", ("::1", 4711)), ("unix", (None, None)), ("", (None, None))]
)
def test_the_peer(spans: Any, peer: str, expected: tuple[Any, Any]) -> None:
    middleware(call(peer), lambda: None)
    attributes = spans()[0].attributes
    assert (attributes.get("network.peer.address"), attributes.get("network.peer.port")) == expected


def test_headers_of_the_caller_name_the_parent(spans: Any) -> None:
    made = call()
    made.headers["traceparent"] = PARENT
    middleware(made, lambda: None)
    (span,) = spans()
    assert f"{span.parent.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{span.parent.span_id:016x}" == PARENT.split("-")[2]


def test_a_declared_exception_is_an_answer(spans: Any) -> None:
    span = traced(class_of(NOT_FOUND)("nobody"), spans)
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes is not None
    assert span.attributes["rpc.response.status_code"] == "NotFound"
    assert not span.events


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (ValueError("why"), "INTERNAL_ERROR", "ValueError"),
        (SystemExit("why"), "INTERNAL_ERROR", "SystemExit"),
        (DeadlineExceeded("why"), "TIMEOUT", "DeadlineExceeded"),
        (ApplicationError(1, "why"), "UNKNOWN_METHOD", "ApplicationError"),
        (ApplicationError(99, "why"), "99", "ApplicationError"),
    ],
)
def test_any_other_exception_is_recorded(spans: Any, error: BaseException, code: str, kind: str) -> None:
    span = traced(error, spans)
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert (span.attributes["rpc.response.status_code"], span.attributes["error.type"]) == (code, kind)
    (event,) = span.events
    assert event.name == "exception"
    assert event.attributes is not None
    assert "why" in str(event.attributes["exception.message"])


def test_the_environment_configures_the_exporter() -> None:
    code = """
from opentelemetry import trace
from thriftserver.rpc.call import Call
from thriftserver.tracing import middleware
middleware(Call("Demo", "add"), lambda: None)
trace.get_tracer_provider().shutdown()
"""
    environ = {"OTEL_TRACES_EXPORTER": "console", "OTEL_SERVICE_NAME": "mine"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert '"name": "Demo/add"' in done.stdout
    assert '"service.name": "mine"' in done.stdout


def test_a_missing_exporter_is_named() -> None:
    code = "from thriftserver import tracing; tracing.tracer()"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"OTEL_TRACES_EXPORTER": "strange"}, capture_output=True, text=True
    )
    assert "OTEL_TRACES_EXPORTER: there is no exporter 'strange'" in done.stderr


def test_nobody_else_imports_opentelemetry() -> None:
    code = "import sys, thriftserver.cli.main, thriftserver.worker.boot; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "opentelemetry" not in done.stdout
