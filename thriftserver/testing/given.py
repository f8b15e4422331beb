"""What a test gives to ``serve``, as a server wants it: services with their handlers, middleware, settings.

It looks at objects and reads IDL files; it starts nothing.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from types import ModuleType
from typing import Any

from thriftserver.closest import closest
from thriftserver.config import OPTIONS, Settings, flag
from thriftserver.errors import ConfigError, HandlerError
from thriftserver.loading import Api, load
from thriftserver.mocking.mock import Mock
from thriftserver.origins import resolve
from thriftserver.rpc import binding, fb303
from thriftserver.rpc.scopes import require_methods
from thriftserver.rpc.strangers import stranger, wrong_result
from thriftserver.schema.model import Module, Service

_WORKERS = "leave workers= out, or put it into a module"


class Given:
    """What was given, once: paths and services of the IDL, handlers in the order of the services."""

    def __init__(
        self, idl: Any, handler: Any, service: str, middleware: Sequence[Any], options: Mapping[str, Any]
    ) -> None:
        self.options = {name.replace("-", "_"): value for name, value in options.items()}
        _require_known(self.options)
        self.settings: Settings = resolve(self.options, environ={})[0]
        self.middleware = middleware
        given = idl if isinstance(idl, list | tuple) else [idl]
        modules = [_module(each, self.settings.include) for each in given]
        self.paths = [each.path for each in modules]
        handlers = handler if isinstance(handler, Mapping) else {service: handler}
        self.services = [binding.choose_service(name, modules) for name in handlers]
        self._handlers = list(handlers.values())
        require_methods(self.services, [name for name, _ in self.settings.method_timeout])

    def bound(self) -> list[binding.Bound]:
        """The services with objects that answer their calls and fit. Raises HandlerError, and ConfigError for mocks."""
        provider = fb303.Provider()
        bound = [
            binding.Bound(service, *(self._mocked(handler, service) or _object(handler)), provider)
            for service, handler in zip(self.services, self._handlers, strict=True)
        ]
        for each in bound:
            binding.require_fit(each)
        return bound

    def _mocked(self, handler: Any, service: Service) -> tuple[Any, str] | None:
        """What a mock makes of a service; None where the handler is none."""
        if not isinstance(handler, Mock):
            return None
        pairs = zip(self.services, self._handlers, strict=True)
        handler.require_sense([each for each, its in pairs if its is handler])
        return handler.handler(service), "mock"

    def chain(self) -> list[Callable[..., Any]]:
        """The middleware as what is called around each call; classes are made."""
        chain: list[Any] = []
        for each in (*self.settings.middleware, *self.middleware):
            found = binding.load_middleware(each) if isinstance(each, str) else each
            chain.append(found() if inspect.isclass(found) else found)
        return chain

    def handler_specs(self) -> list[str]:
        """The handlers as ``thriftserver run`` takes them: ``Users=app:Users``."""
        pairs = zip(self.services, self._handlers, strict=True)
        return [f"{service.name}={_spec(handler, 'handler')}" for service, handler in pairs]

    def middleware_specs(self) -> list[str]:
        return [_spec(each, "middleware") for each in self.middleware]


def _require_known(names: Mapping[str, Any]) -> None:
    known = [row.name for row in OPTIONS]
    for name in names:
        if name not in known:
            close = closest(name, known)
            hint = f"; did you mean {close!r}?" if close else ""
            raise ConfigError(f"options: `thriftserver run` has no option {flag(name)}{hint}")


def _module(idl: Any, include: Sequence[str]) -> Module:
    api = idl if isinstance(idl, Api) else load(os.fspath(idl), include)
    return api.__thrift__


def _object(handler: Any) -> tuple[Any, str]:
    """What answers calls, and its name for people. What a class raises while it is made is the test's to see."""
    if isinstance(handler, str):
        return binding.load(handler), handler
    kind = handler if inspect.isclass(handler) else type(handler)
    name = handler.__name__ if isinstance(handler, ModuleType) else kind.__qualname__.rpartition("<locals>.")[2]
    if why := stranger(handler):
        raise HandlerError(f"handler {name}: {why}")
    if not inspect.isclass(handler):
        return handler, name
    try:
        inspect.signature(handler).bind()
    except TypeError as error:
        text = f"handler {name}: the class cannot be made without arguments ({error}); give an instance"
        raise HandlerError(text) from None
    except ValueError:  # some builtins have no signature
        pass
    made = handler()
    if why := wrong_result(made, name) or stranger(made):
        raise HandlerError(f"handler {name}: {why}")
    return made, name


def _spec(given: Any, what: str) -> str:
    """The name by which another process imports an object. Raises HandlerError where it has none."""
    if isinstance(given, str):
        return given
    if isinstance(given, ModuleType):
        return given.__name__
    if isinstance(given, Mock):
        raise HandlerError(f"{what}: a mock answers in the test's process; {_WORKERS}, or start `thriftserver mock`")
    name, module = getattr(given, "__qualname__", ""), getattr(given, "__module__", "")
    if not name:
        kind = type(given).__qualname__.rpartition("<locals>.")[2]
        raise HandlerError(
            f"{what}: with workers= it is another process that imports it, and an instance of {kind} cannot be "
            "imported; give the class, or 'pkg.mod:name'"
        )
    try:
        found = reduce(getattr, name.split("."), sys.modules[module])
    except (AttributeError, KeyError):
        found = None
    if found is not given or module == "__main__":
        raise HandlerError(f"{what}: another process cannot import {module}.{name}; {_WORKERS}")
    return f"{module}:{name}"
