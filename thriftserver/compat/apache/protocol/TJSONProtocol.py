"""What a client imports of ``thrift.protocol.TJSONProtocol``."""

from __future__ import annotations

from thriftserver.compat.parts import TJSONProtocol, TJSONProtocolFactory

__all__ = ["TJSONProtocol", "TJSONProtocolFactory"]
