"""What a client imports of ``thrift.protocol.TProtocol``."""

from __future__ import annotations

from thriftserver.compat.faults import TProtocolException

__all__ = ["TProtocolException"]
