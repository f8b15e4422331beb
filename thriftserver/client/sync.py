"""A synchronous client made from the same schema as the server: one connection, one call at a time.

It speaks framed binary Thrift over a plain socket, so it works with and without gevent's patches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from thriftserver.client.channel import Channel, Deadline
from thriftserver.codec import binary
from thriftserver.codec.plan import MethodPlan, method_plan
from thriftserver.errors import TransportError, WireError
from thriftserver.schema.model import ABSENT, Function, Service
from thriftserver.schema.names import aliases, meant
from thriftserver.wire import MAX_FRAME, REPLY


class Client:
    """A connection to a service. Made by ``api.Service.Client(host, port)``; usable as a context manager.

    ``timeout`` is in seconds, for each call from its start to its answer, connecting included, and for connecting at
    first; None waits for ever. ``host`` may be ``unix:/path``. ``max_frame`` is the largest reply to accept, in bytes.
    ``service`` is the name that a server of several services is to know this one by; without it, methods are called by
    their bare names.

    Methods and arguments have the names of the IDL: nothing of ours has one that an IDL may use, but for ``close``, and
    that is the service's where it has such a method (``with`` closes then).

    Not to be shared between threads. After a TransportError the connection is closed; the next call makes a new one.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 9090,
        *,
        timeout: float | None = None,
        max_frame: int = MAX_FRAME,
        service: str = "",
    ) -> None:
        if timeout is not None and not timeout > 0:
            raise ValueError(f"timeout must be more than 0 seconds, or None to wait for ever; got {timeout!r}")
        if not 0 < max_frame < 1 << 31:
            raise ValueError(f"max_frame must be between 1 and {(1 << 31) - 1} bytes, got {max_frame!r}")
        self.__channel__ = Channel(host, port, max_frame)
        self.__timeout__ = timeout
        #: What the wire has before a method's name: ``Calculator:``.
        self.__prefix__ = service and f"{service}:"
        self.__seqid__ = 0
        self.__channel__.ready(Deadline(timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.__close__()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__channel__.peer}>"

    def __close__(self) -> None:
        self.__channel__.close()

    def __invoke__(self, plan: MethodPlan, args: list[Any]) -> Any:
        deadline = Deadline(self.__timeout__)
        seqid = self.__seqid__ = self.__seqid__ % 0x7FFFFFFF + 1
        name = self.__prefix__ + plan.name
        request = binary.encode_call(plan, seqid, args, name)
        self.__channel__.ready(deadline)
        try:
            frame = self.__channel__.exchange(request, deadline, not plan.oneway)
            return None if frame is None else self.__read__(plan, frame, seqid)
        except (TransportError, WireError) as error:
            self.__close__()
            raise TransportError(f"{name} at {self.__channel__.peer}: {error}") from None

    def __read__(self, plan: MethodPlan, frame: bytes, seqid: int) -> Any:
        """What the reply holds; raises WireError when it is none to this call."""
        try:
            header = binary.read_header(frame)
            if header.seqid != seqid:
                raise WireError(f"the reply to call {seqid} bears the number {header.seqid}")
            if header.name not in (plan.name, self.__prefix__ + plan.name) and header.kind == REPLY:
                raise WireError(f"the reply to {plan.name} is one to {header.name!r}")
            return binary.decode_reply(plan, frame, header)
        except WireError as error:
            raise WireError(f"cannot read the reply: {error}") from None


def client_class(service: Service) -> type[Client]:
    """The client class of a service, with one method for each of the IDL's."""
    members: dict[str, Any] = {
        "__doc__": service.doc or Client.__doc__,
        "__thrift__": service,
        "close": Client.__close__,
    }
    methods = {function.name: _method(function) for function in service.methods()}
    members |= {other: methods[name] for other, name in aliases(methods).items()} | methods
    return type(f"{service.name}Client", (Client,), members)


def _method(function: Function) -> Callable[..., Any]:
    plan = method_plan(function)
    count = len(function.args)

    def call(self: Client, /, *args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) != count:
            return self.__invoke__(plan, _arrange(function, args, kwargs))
        return self.__invoke__(plan, list(args))

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
