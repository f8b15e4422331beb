"""What OpenTelemetry's own exporter receives in this process, for tests of whoever makes spans."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@functools.cache
def _exporter() -> InMemorySpanExporter:
    """Set once: OpenTelemetry refuses a second provider."""
    made = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(made))
    trace.set_tracer_provider(provider)
    return made


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    _exporter().clear()
    return _exporter()


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Any:
    return exporter.get_finished_spans
