"""A prefork gevent server for Apache Thrift services, from IDL loaded at run time.

Public names: ``load``, ``reflect``, ``deadline``, ``headers``, ``Tls``, ``serialize``, ``deserialize``, ``which``,
``install_import_hook``, and the exceptions in ``thriftserver.errors``. They are imported when they are first used, so
that importing one room of the house does not furnish all the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thriftserver.client.headers import headers
    from thriftserver.client.limit import deadline
    from thriftserver.client.tls import Tls
    from thriftserver.codec.protocols import decode_struct as deserialize
    from thriftserver.codec.protocols import encode_struct as serialize
    from thriftserver.errors import ApplicationError
    from thriftserver.importing import install_import_hook, remove_import_hook
    from thriftserver.loading import load
    from thriftserver.reflection.asking import reflect
    from thriftserver.rpc.current import current_call
    from thriftserver.rpc.method import blocking
    from thriftserver.schema.special import which

__version__ = "0.1.0"
__all__ = [
    "ApplicationError",
    "Tls",
    "__version__",
    "blocking",
    "current_call",
    "deadline",
    "deserialize",
    "headers",
    "install_import_hook",
    "load",
    "reflect",
    "remove_import_hook",
    "serialize",
    "which",
]

_HOMES = {
    "load": ("thriftserver.loading", "load"),
    "reflect": ("thriftserver.reflection.asking", "reflect"),
    "install_import_hook": ("thriftserver.importing", "install_import_hook"),
    "remove_import_hook": ("thriftserver.importing", "remove_import_hook"),
    "serialize": ("thriftserver.codec.protocols", "encode_struct"),
    "deserialize": ("thriftserver.codec.protocols", "decode_struct"),
    "blocking": ("thriftserver.rpc.method", "blocking"),
    "current_call": ("thriftserver.rpc.current", "current_call"),
    "deadline": ("thriftserver.client.limit", "deadline"),
    "Tls": ("thriftserver.client.tls", "Tls"),
    "headers": ("thriftserver.client.headers", "headers"),
    "ApplicationError": ("thriftserver.errors", "ApplicationError"),
    "which": ("thriftserver.schema.special", "which"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = globals()[name] = getattr(import_module(module), attribute)
    return value


def __dir__() -> list[str]:
    return __all__
