"""Calls as OpenTelemetry spans, with the extra ``otel``: ``--middleware thriftserver.tracing:middleware`` for those
that are served, ``trace_clients()`` for those that go out.

It uses the global tracer provider. Where nobody has set one, the environment says where spans go, with OpenTelemetry's
own variables: ``OTEL_TRACES_EXPORTER=otlp``, ``OTEL_SERVICE_NAME``, ``OTEL_TRACES_SAMPLER`` and so on. Nothing else of
the project imports this, so that it costs nothing where it is not used.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final

from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from thriftserver.client.headers import add_with
from thriftserver.discovery.addresses import read_address
from thriftserver.errors import ApplicationError, ConfigError, DeadlineExceeded, TransportError
from thriftserver.rpc.call import Call
from thriftserver.wire import Application

# Names of OpenTelemetry's semantic conventions for RPC.
SYSTEM, METHOD, STATUS_CODE = "rpc.system.name", "rpc.method", "rpc.response.status_code"
ERROR_TYPE, PEER_ADDRESS, PEER_PORT = "error.type", "network.peer.address", "network.peer.port"
SERVER_ADDRESS, SERVER_PORT = "server.address", "server.port"

#: The classes whose ``__invoke__`` is a call out.
CALLERS: Final = (
    ("thriftserver.client.sync", "Client"),
    ("thriftserver.client.pool", "Pool"),
    ("thriftserver.client.aio.client", "AsyncClient"),
    ("thriftserver.client.aio.pool", "AsyncPool"),
)


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


#: What ``__invoke__`` of each class was before its calls were traced; empty while they are not.
_untraced: dict[Any, Callable[..., Any]] = {}


def trace_clients() -> None:
    """From now on each call of a client is a span of kind CLIENT, in this whole process, until ``untrace_clients``.

    It is a child of the span that is current, and servers are told of it (``traceparent``) where the dialect has a
    place for headers. What is made of a service's pool is one span, however often it is tried.
    """
    if _untraced:
        return
    add_with(propagate.inject)
    for module, name in CALLERS:
        base = getattr(import_module(module), name)
        _untraced[base] = base.__invoke__
        base.__invoke__ = _traced(base.__invoke__)


def untrace_clients() -> None:
    """Calls of clients that begin from now on are no spans, and servers are told of none."""
    add_with(None)
    while _untraced:
        base, invoke = _untraced.popitem()
        base.__invoke__ = invoke


def _traced(invoke: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(invoke):

        @functools.wraps(invoke)
        async def awaited(self: Any, plan: Any, args: Any) -> Any:
            with _call_out(self, plan.name):
                return await invoke(self, plan, args)

        return awaited

    @functools.wraps(invoke)
    def called(self: Any, plan: Any, args: Any) -> Any:
        with _call_out(self, plan.name):
            return invoke(self, plan, args)

    return called


@contextmanager
def _call_out(caller: Any, method: str) -> Iterator[None]:
    """The span of a call that ``caller`` makes: an error where there was no answer, or no result in it."""
    service = getattr(type(caller), "__thrift__", None)
    name = method if service is None else f"{service.name}/{method}"
    with tracer().start_as_current_span(
        name,
        kind=SpanKind.CLIENT,
        attributes={SYSTEM: "thrift", METHOD: name},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except TransportError as error:
            _told(span, error.address)
            _recorded(span, error)
            raise
        except BaseException as error:
            _told(span, _peer(caller))
            if hasattr(type(error), "__thrift__"):
                span.set_attribute(STATUS_CODE, type(error).__name__)
            else:
                if isinstance(error, ApplicationError):
                    span.set_attribute(STATUS_CODE, _name(error.type))
                _recorded(span, error)
            raise
        _told(span, _peer(caller))
        span.set_attribute(STATUS_CODE, "OK")


def _peer(caller: Any) -> str:
    """The server that a caller with one connection has called; empty for one that has several."""
    return getattr(getattr(caller, "__channel__", None), "peer", "")


def _told(span: Span, address: str) -> None:
    """Which server was called."""
    if address:
        server = read_address(address)
        span.set_attribute(SERVER_ADDRESS, server.host.removeprefix("unix:"))
        if not server.is_unix:
            span.set_attribute(SERVER_PORT, server.port)


def _failed(span: Span, error: BaseException) -> None:
    """How a call has ended that was served."""
    if hasattr(type(error), "__thrift__"):
        span.set_attribute(STATUS_CODE, type(error).__name__)
        return
    kind: int = Application.INTERNAL_ERROR
    if isinstance(error, ApplicationError):
        kind = error.type
    elif isinstance(error, DeadlineExceeded):
        kind = Application.TIMEOUT
    span.set_attribute(STATUS_CODE, _name(kind))
    _recorded(span, error)


def _name(kind: int) -> str:
    known = kind in Application._value2member_map_
    return Application(kind).name if known else str(kind)


def _recorded(span: Span, error: BaseException) -> None:
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
