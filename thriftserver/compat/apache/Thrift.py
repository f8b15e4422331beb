"""What a client imports of ``thrift.Thrift``."""

from __future__ import annotations

from thriftserver.compat.faults import TApplicationException, TException

__all__ = ["TApplicationException", "TException"]
