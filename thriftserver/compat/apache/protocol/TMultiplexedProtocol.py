"""What a client imports of ``thrift.protocol.TMultiplexedProtocol``."""

from __future__ import annotations

from thriftserver.compat.parts import TMultiplexedProtocol

__all__ = ["TMultiplexedProtocol"]
