"""A method of a service as it is called: its plan, the handler's function with its middleware, its limits.

Made once at boot, so that nothing is decided about a method while a call is under way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from thriftserver.codec.foreign import Types
from thriftserver.codec.plan import method_plan
from thriftserver.errors import HandlerError
from thriftserver.quantities import duration
from thriftserver.rpc.binding import Bound, target_of
from thriftserver.rpc.parameters import MARK, is_async, is_blocking, may_be_async
from thriftserver.schema.model import Function

if TYPE_CHECKING:
    from thriftserver.rpc.call import Call

#: ``middleware(call, proceed)``: runs around every call; ``proceed()`` gives the handler's result, or what it raises.
Middleware: TypeAlias = "Callable[[Call, Callable[[], Any]], Any]"

#: The annotation of the IDL that says how long a call may take.
TIMEOUT = "thriftserver.timeout"
#: Makes another function of a handler's, which runs it elsewhere and waits.
Wrap: TypeAlias = "Callable[[Callable[..., Any]], Callable[..., Any]]"


def blocking(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a handler's method that blocks or computes for long: it runs on a thread, and the loop goes on."""
    setattr(function, MARK, True)
    return function


class Method:
    """``number`` is its place in the scoreboard, ``target`` the handler's function.

    ``chain`` is the same behind middleware, None without any; ``timeout`` is in nanoseconds, 0 for none. ``guard`` says
    of a call, before its arguments are read, whether its peer may make it; None where everybody may.
    """

    __slots__ = (
        "chain",
        "function",
        "guard",
        "name",
        "number",
        "oneway",
        "plan",
        "service",
        "target",
        "throws",
        "timeout",
        "void",
    )

    def __init__(
        self,
        function: Function,
        service: str,
        target: Callable[..., Any],
        number: int,
        timeout: float,
        types: Types | None = None,
    ) -> None:
        self.function = function
        self.number = number
        self.name = function.name
        self.service = service
        self.oneway = function.oneway
        self.void = function.returns is None
        self.throws = [field.type.name for field in function.throws]  # type: ignore[union-attr]  # exceptions only
        self.plan = method_plan(function, types)
        self.timeout = int(timeout * 1e9)
        self.target = target
        self.chain: Callable[[Call], Any] | None = None
        self.guard: Callable[[Call], bool] | None = None


def make_methods(
    bound: Sequence[Bound],
    middleware: Sequence[Middleware] = (),
    timeout: float = 0.0,
    timeouts: Mapping[str, float] | None = None,
    on_thread: Wrap | None = None,
    types: Types | None = None,
    on_loop: Wrap | None = None,
    perhaps_on_loop: Wrap | None = None,
) -> list[Method]:
    """The methods of every service, numbered. ``types`` are the classes of structs in arguments, where they are not
    ours. ``on_thread`` wraps functions that block, ``on_loop`` coroutine functions, ``perhaps_on_loop`` what hides one.

    ``timeouts`` are by method, ``name`` or ``Service.name``; they win over the IDL's, and those over ``timeout``.
    """
    given = dict(timeouts or {})
    made: list[Method] = []
    for each in bound:
        for function in each.service.methods():
            target = target_of(each, function)
            assert target is not None, f"{function.name} is missing; require_fit comes first"
            for wrap, wanted in (
                (on_loop, is_async(target)),
                (on_thread, is_blocking(function, target)),
                (perhaps_on_loop, may_be_async(target)),
            ):
                if wrap is not None and wanted:
                    target = wrap(target)
                    break
            limit = _timeout(function, each.service.name, timeout, given)
            method = Method(function, each.service.name, target, len(made), limit, types)
            if middleware:
                method.chain = _chain(target, middleware)
            made.append(method)
    return made


def _timeout(function: Function, service: str, default: float, given: Mapping[str, float]) -> float:
    for name in (f"{service}.{function.name}", function.name):
        if name in given:
            return given[name]
    text = function.annotations.get(TIMEOUT)
    if text is None:
        return default
    try:
        return duration(text)
    except ValueError as error:
        raise HandlerError(f"{function.where}: annotation {TIMEOUT}: {error}") from None


def _chain(target: Callable[..., Any], middleware: Sequence[Middleware]) -> Callable[[Call], Any]:
    def innermost(call: Call) -> Any:
        return target(*call.args)

    chain: Callable[[Call], Any] = innermost
    for each in reversed(middleware):
        chain = _around(each, chain)
    return chain


def _around(middleware: Middleware, inner: Callable[[Call], Any]) -> Callable[[Call], Any]:
    return lambda call: middleware(call, lambda: inner(call))
