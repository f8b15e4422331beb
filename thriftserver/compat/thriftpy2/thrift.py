"""What a client of thriftpy2 imports of ``thriftpy2.thrift``: the exceptions, and a client over a protocol."""

from __future__ import annotations

from typing import Any

from thriftserver.compat.faults import TApplicationException, TException
from thriftserver.compat.link import over_protocol
from thriftserver.loading import ServiceApi

__all__ = ["TApplicationException", "TClient", "TException"]


def TClient(service: ServiceApi, iprot: Any, oprot: Any = None) -> Any:
    """A client of a service of a loaded IDL, over a protocol."""
    return over_protocol(service.__thrift__)(iprot, oprot)
