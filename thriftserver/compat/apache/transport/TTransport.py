"""What a client imports of ``thrift.transport.TTransport``."""

from __future__ import annotations

from thriftserver.compat.faults import TTransportException
from thriftserver.compat.parts import (
    TBufferedTransport,
    TBufferedTransportFactory,
    TFramedTransport,
    TFramedTransportFactory,
)

__all__ = [
    "TBufferedTransport",
    "TBufferedTransportFactory",
    "TFramedTransport",
    "TFramedTransportFactory",
    "TTransportException",
]
