"""What a client imports of ``thrift.protocol.TCompactProtocol``."""

from __future__ import annotations

from thriftserver.compat.parts import TCompactProtocol, TCompactProtocolFactory

TCompactProtocolAccelerated = TCompactProtocol
TCompactProtocolAcceleratedFactory = TCompactProtocolFactory

__all__ = [
    "TCompactProtocol",
    "TCompactProtocolAccelerated",
    "TCompactProtocolAcceleratedFactory",
    "TCompactProtocolFactory",
]
