"""``thriftserver.load``: a .thrift file as a module-like object whose classes are the ones the server uses.

The one place where the IDL front end, the runtime classes and the client are put together for users.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any

from thriftserver.idl.loader import Loader
from thriftserver.schema import classes
from thriftserver.schema.model import Enum, Module, Service, Struct
from thriftserver.schema.names import aliases

if TYPE_CHECKING:
    from thriftserver.client.aio.client import AsyncClient
    from thriftserver.client.aio.pool import AsyncPool
    from thriftserver.client.pool import Pool
    from thriftserver.client.sync import Client

PathLike = str | os.PathLike[str]


class ServiceApi:
    """A service of a loaded IDL. ``__thrift__`` is its definition, ``Client`` the class of its synchronous clients,
    ``Pool`` that of pools of such, which threads and greenlets share; ``AsyncClient`` and ``AsyncPool`` are those for
    asyncio.

    ``Handler`` and ``AsyncHandler`` are an empty class that a handler may derive from; in the stubs of a generated
    package they are protocols, which type checkers hold the handler against.
    """

    def __init__(self, service: Service) -> None:
        self.__thrift__ = service
        self.__name__ = service.name
        self.__doc__ = service.doc or None

    @cached_property
    def Client(self) -> type[Client]:  # noqa: N802 - a class, made when it is first asked for
        from thriftserver.client.sync import client_class

        return client_class(self.__thrift__)

    @cached_property
    def Pool(self) -> type[Pool]:  # noqa: N802 - likewise
        from thriftserver.client.pool import pool_class

        return pool_class(self.__thrift__)

    @cached_property
    def AsyncClient(self) -> type[AsyncClient]:  # noqa: N802 - likewise
        from thriftserver.client.aio.client import async_client_class

        return async_client_class(self.__thrift__)

    @cached_property
    def AsyncPool(self) -> type[AsyncPool]:  # noqa: N802 - likewise
        from thriftserver.client.aio.pool import async_pool_class

        return async_pool_class(self.__thrift__)

    @property
    def Handler(self) -> type:  # noqa: N802 - likewise
        return _handler_class(self.__thrift__)

    AsyncHandler = Handler

    def __repr__(self) -> str:
        return f"<service {self.__thrift__}>"


class Api(ModuleType):
    """A loaded IDL: its classes, enums, constants, services and included files are attributes of those names.

    ``__thrift__`` is the resolved description. Where two included files share a name, the first one has the attribute.
    """

    __thrift__: Module

    def __getattr__(self, name: str) -> Any:  # what the IDL defines is known only at run time
        for other, true in aliases(vars(self).keys()).items():
            if other == name:
                return vars(self)[true]
        raise AttributeError(f"{self.__thrift__.path} defines no {name!r}")

    def __repr__(self) -> str:
        return f"<thrift {self.__name__!r} from {self.__thrift__.path!r}>"


_lock = threading.RLock()
_loader = Loader()
_apis: dict[int, Api] = {}
_handlers: dict[Service, type] = {}


def load(path: PathLike, include_dirs: Sequence[PathLike] = (), files: Mapping[str, str] | None = None) -> Api:
    """Load a .thrift file and all it includes.

    ``path`` is relative to the current directory; ``include_dirs`` are searched for includes after the directory of the
    including file. With ``files`` ({path: text}) nothing is read from disk. A file that is loaded already, by its real
    path, is the same object again, also when it was reached through an include, so classes are equal everywhere in a
    process. Thread-safe. Raises IdlError, whose text is the full report of everything that is wrong.
    """
    module = _loader.load(os.fspath(path), [os.fspath(each) for each in include_dirs], files)
    return api_of(module)


def use(loader: Loader) -> None:
    """Make ``load`` share what ``loader`` has loaded: a worker's handler sees the classes of the worker's processor."""
    global _loader
    with _lock:
        _loader = loader
        _apis.clear()
        _handlers.clear()


def api_of(module: Module) -> Api:
    """The module-like object of a resolved IDL; the same one for the same module."""
    with _lock:
        api = _apis.get(id(module))
        if api is None:
            api = _apis[id(module)] = Api(module.name, module.doc or None)
            api.__thrift__ = module
            api.__file__ = module.path
            vars(api).update(_contents(module))
        return api


def _handler_class(service: Service) -> type:
    """Without any attribute of its own: what a handler lacks has to be missing."""
    with _lock:
        made = _handlers.get(service)
        if made is None:
            base = object if service.extends is None else _handler_class(service.extends)
            made = type("Handler", (base,), {"__doc__": service.doc or None, "__module__": service.module})
            made.__qualname__ = f"{service.name}.Handler"
            _handlers[service] = made
        return made


def _contents(module: Module) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for included in module.includes:
        names.setdefault(included.name, api_of(included))
    for typedef in module.typedefs.values():
        if isinstance(typedef.type, Struct):
            names[typedef.name] = classes.class_of(typedef.type)
        elif isinstance(typedef.type, Enum):
            names[typedef.name] = classes.enum_of(typedef.type)
    names |= {name: classes.enum_of(enum) for name, enum in module.enums.items()}
    names |= {name: classes.class_of(struct) for name, struct in module.structs.items()}
    names |= {name: classes.materialize(const.type, const.value) for name, const in module.consts.items()}
    names |= {name: ServiceApi(service) for name, service in module.services.items()}
    return names
