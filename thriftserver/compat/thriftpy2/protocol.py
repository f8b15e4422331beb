"""What a client of thriftpy2 imports of ``thriftpy2.protocol``."""

from __future__ import annotations

from thriftserver.compat.faults import TProtocolException
from thriftserver.compat.parts import (
    TBinaryProtocol,
    TBinaryProtocolFactory,
    TCompactProtocol,
    TCompactProtocolFactory,
    TMultiplexedProtocol,
    TMultiplexedProtocolFactory,
)
from thriftserver.compat.parts import TJSONProtocol as TApacheJSONProtocol
from thriftserver.compat.parts import TJSONProtocolFactory as TApacheJSONProtocolFactory

TCyBinaryProtocol = TBinaryProtocol
TCyBinaryProtocolFactory = TBinaryProtocolFactory

__all__ = [
    "TApacheJSONProtocol",
    "TApacheJSONProtocolFactory",
    "TBinaryProtocol",
    "TBinaryProtocolFactory",
    "TCompactProtocol",
    "TCompactProtocolFactory",
    "TCyBinaryProtocol",
    "TCyBinaryProtocolFactory",
    "TMultiplexedProtocol",
    "TMultiplexedProtocolFactory",
    "TProtocolException",
]
