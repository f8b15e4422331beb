"""Classes of callers, made from a service: methods and arguments as the IDL has them, whoever waits for the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from thriftserver.codec.plan import MethodPlan, method_plan
from thriftserver.schema.model import ABSENT, Function, Service
from thriftserver.schema.names import aliases, meant


class Caller(Protocol):
    """What has methods of an IDL: each of them is one ``__invoke__``."""

    def __invoke__(self, plan: MethodPlan, args: Sequence[Any]) -> Any: ...


Base = TypeVar("Base", bound=Caller)
#: A method of the IDL as one of a class.
Make = Callable[[Function], Callable[..., Any]]


def caller_class(service: Service, base: type[Base], name: str, own: Mapping[str, str], make: Make) -> type[Base]:
    """A class like ``base`` with one method, as ``make`` makes it, for each of the IDL's.

    ``own`` are second names of methods that ``base`` has, which are the service's where it has such methods.
    """
    members: dict[str, Any] = {
        "__doc__": service.doc or base.__doc__,
        "__thrift__": service,
        "__module__": base.__module__,
    }
    methods = {function.name: make(function) for function in service.methods()}
    members |= {second: getattr(base, true) for second, true in own.items()}
    members |= {other: methods[true] for other, true in aliases(methods).items()} | methods
    return type(f"{service.name}{name}", (base,), members)


def plain(function: Function) -> Callable[..., Any]:
    """A method of callers that block."""
    plan = method_plan(function)
    count = len(function.args)

    def call(self: Caller, /, *args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) != count:
            return self.__invoke__(plan, _arrange(function, args, kwargs))
        return self.__invoke__(plan, args)

    return _named(call, function)


def coroutine(function: Function) -> Callable[..., Any]:
    """A method of callers that are awaited."""
    plan = method_plan(function)
    count = len(function.args)

    async def call(self: Caller, /, *args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) != count:
            return await self.__invoke__(plan, _arrange(function, args, kwargs))
        return await self.__invoke__(plan, args)

    return _named(call, function)


def _named(call: Callable[..., Any], function: Function) -> Callable[..., Any]:
    call.__name__ = call.__qualname__ = function.name
    call.__doc__ = f"{signature(function)}\n\n{function.doc}".rstrip()
    return call


def signature(function: Function) -> str:
    """A method as the IDL has it: ``i32 add(1: i32 a, 2: i32 b)``."""
    args = ", ".join(f"{arg.id}: {arg.type} {arg.name}" for arg in function.args)
    return f"{'oneway ' if function.oneway else ''}{function.returns or 'void'} {function.name}({args})"


def _arrange(function: Function, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """Arguments in the order of the IDL. One that has a default there may be left out: the server fills it in."""
    names = [arg.name for arg in function.args]
    if len(args) > len(names):
        raise TypeError(f"{function.name}() takes {len(names)} arguments, got {len(args)}: {signature(function)}")
    given = dict(zip(names, args, strict=False))
    for name, value in meant(kwargs, names).items():
        if name in given or name not in names:
            problem = "twice" if name in given else "which it does not have"
            raise TypeError(f"{function.name}() got the argument {name!r} {problem}: {signature(function)}")
        given[name] = value
    missing = [arg.name for arg in function.args if arg.name not in given and arg.default is ABSENT]
    if missing:
        raise TypeError(f"{function.name}() lacks {', '.join(missing)}: {signature(function)}")
    return [given.get(name) for name in names]


def require_sense(timeout: float | None, max_frame: int, keepalive: float | None) -> None:
    """Raises ValueError for options of a caller that make none."""
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout must be more than 0 seconds, or None to wait for ever; got {timeout!r}")
    if not 0 < max_frame < 1 << 31:
        raise ValueError(f"max_frame must be between 1 and {(1 << 31) - 1} bytes, got {max_frame!r}")
    if keepalive is not None and not keepalive > 0:
        raise ValueError(f"keepalive must be more than 0 seconds, or None for none; got {keepalive!r}")
