"""What a client imports of ``thrift.protocol.TBinaryProtocol``."""

from __future__ import annotations

from thriftserver.compat.parts import TBinaryProtocol, TBinaryProtocolFactory

TBinaryProtocolAccelerated = TBinaryProtocol
TBinaryProtocolAcceleratedFactory = TBinaryProtocolFactory

__all__ = [
    "TBinaryProtocol",
    "TBinaryProtocolAccelerated",
    "TBinaryProtocolAcceleratedFactory",
    "TBinaryProtocolFactory",
]
