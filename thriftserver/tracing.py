"""Calls as OpenTelemetry spans: ``--middleware thriftserver.tracing:middleware``, with the extra ``otel``.

It uses the global tracer provider. Where nobody has set one, the environment says where spans go, with OpenTelemetry's
own variables: ``OTEL_TRACES_EXPORTER=otlp``, ``OTEL_SERVICE_NAME``, ``OTEL_TRACES_SAMPLER`` and so on. Nothing else of
the project imports this, so that it costs nothing where it is not used.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from thriftserver.errors import ApplicationError, ConfigError, DeadlineExceeded
from thriftserver.rpc.call import Call
from thriftserver.wire import Application

# Names of OpenTelemetry's semantic conventions for RPC.
SYSTEM, METHOD, STATUS_CODE = "rpc.system.name", "rpc.method", "rpc.response.status_code"
ERROR_TYPE, PEER_ADDRESS, PEER_PORT = "error.type", "network.peer.address", "network.peer.port"


def middleware(call: Call, proceed: Callable[[], Any]) -> Any:
    """One span of kind SERVER, current while the handler runs; a child of the caller's if its headers name one.

    Its status is an error when the server failed. A declared exception is an answer: only its name is noted.
    """
    name = f"{call.service}/{call.method}"
    address, _, port = call.peer.rpartition(":")
    attributes: dict[str, str | int] = {SYSTEM: "thrift", METHOD: name}
    if port.isdigit():
        attributes |= {PEER_ADDRESS: address.strip("[]"), PEER_PORT: int(port)}
    with tracer().start_as_current_span(
        name,
        context=propagate.extract(call.headers) if call.headers else None,
        kind=SpanKind.SERVER,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            result = proceed()
        except BaseException as error:
            _failed(span, error)
            raise
        span.set_attribute(STATUS_CODE, "OK")
        return result


def _failed(span: Span, error: BaseException) -> None:
    if hasattr(type(error), "__thrift__"):
        span.set_attribute(STATUS_CODE, type(error).__name__)
        return
    kind: int = Application.INTERNAL_ERROR
    if isinstance(error, ApplicationError):
        kind = error.type
    elif isinstance(error, DeadlineExceeded):
        kind = Application.TIMEOUT
    known = kind in Application._value2member_map_
    span.set_attribute(STATUS_CODE, Application(kind).name if known else str(kind))
    span.set_attribute(ERROR_TYPE, type(error).__qualname__)
    span.record_exception(error)
    span.set_status(Status(StatusCode.ERROR, type(error).__name__))


@functools.cache
def tracer() -> Tracer:
    """Asked for by the first call, in the worker: threads of an exporter do not survive a fork."""
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "none")
    if exporter != "none" and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        trace.set_tracer_provider(_provider(exporter))
    return trace.get_tracer("thriftserver")


def _provider(names: str) -> trace.TracerProvider:
    """A provider of the SDK, whose sampler and resource read the environment themselves."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    for name in names.split(","):
        found = list(entry_points(group="opentelemetry_traces_exporter", name=_FULL_NAMES.get(name, name)))
        if not found:
            advice = "install its package, for otlp opentelemetry-exporter-otlp-proto-http"
            raise ConfigError(f"OTEL_TRACES_EXPORTER: there is no exporter {name!r}; {advice}")
        provider.add_span_processor(BatchSpanProcessor(found[0].load()()))
    return provider


#: What OpenTelemetry's variable calls an exporter, and what its package does.
_FULL_NAMES = {"otlp": "otlp_proto_http"}
