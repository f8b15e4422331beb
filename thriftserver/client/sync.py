"""A synchronous client made from the same schema as the server: one connection, one call at a time.

It speaks framed binary Thrift over a plain socket, so it works with and without gevent's patches.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from struct import Struct as Packing
from typing import Any, Self

from thriftserver.codec import binary
from thriftserver.codec.plan import MethodPlan, method_plan
from thriftserver.errors import TransportError, WireError
from thriftserver.schema.model import ABSENT, Function, Service
from thriftserver.wire import MAX_FRAME

_length = Packing(">i")


class Client:
    """A connection to a service. Made by ``api.Service.Client(host, port)``; usable as a context manager.

    ``timeout`` is in seconds, for connecting and for each call; None waits for ever. ``host`` may be ``unix:/path``.
    Not to be shared between threads. After a TransportError the connection is closed; the next call makes a new one.
    """

    #: What the wire has before a method's name, when a server has several services: ``Calculator:``.
    _prefix = ""

    def __init__(self, host: str = "localhost", port: int = 9090, *, timeout: float | None = None) -> None:
        self._address = (host, port)
        self._timeout = timeout
        self._seqid = 0
        self._sock: socket.socket | None = None
        self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._peer()}>"

    def _peer(self) -> str:
        host, port = self._address
        return host if host.startswith("unix:") else f"{host}:{port}"

    def _connect(self) -> socket.socket:
        if self._sock is not None:
            return self._sock
        host, port = self._address
        try:
            if host.startswith("unix:"):
                sock = socket.socket(socket.AF_UNIX)
                sock.settimeout(self._timeout)
                sock.connect(host.removeprefix("unix:"))
            else:
                sock = socket.create_connection((host, port), self._timeout)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise TransportError(f"cannot connect to {self._peer()}: {error.strerror or error}") from None
        self._sock = sock
        return sock

    def _close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _call(self, plan: MethodPlan, args: list[Any]) -> Any:
        self._seqid = self._seqid % 0x7FFFFFFF + 1
        request = binary.encode_call(plan, self._seqid, args, self._prefix + plan.name)
        sock = self._connect()
        try:
            sock.sendall(request)
            if plan.oneway:
                return None
            frame = self._receive(sock)
            header = binary.read_header(frame)
            if header.seqid != self._seqid:
                raise WireError(f"the reply to call {self._seqid} bears the number {header.seqid}")
        except (OSError, WireError) as error:
            self._close()
            text = "timed out" if isinstance(error, TimeoutError) else str(error)
            raise TransportError(f"{plan.name} at {self._peer()}: {text}") from None
        except BaseException:
            self._close()  # interrupted half-way: what is still to arrive must not answer the next call
            raise
        return binary.decode_reply(plan, frame, header)

    def _receive(self, sock: socket.socket) -> bytes:
        (size,) = _length.unpack(self._exactly(sock, 4))
        if not 0 <= size <= MAX_FRAME:
            raise WireError(f"the server answers with a frame of {size} bytes; is it a framed Thrift server?")
        return self._exactly(sock, size)

    @staticmethod
    def _exactly(sock: socket.socket, size: int) -> bytes:
        buffer = bytearray(size)
        view, got = memoryview(buffer), 0
        while got < size:
            count = sock.recv_into(view[got:])
            if count == 0:
                raise OSError("the server closed the connection before the reply was complete")
            got += count
        return bytes(buffer)


def client_class(service: Service, prefix: str = "") -> type[Client]:
    """The client class of a service, with one method for each of the IDL's; ``prefix`` goes before their names."""
    members: dict[str, Any] = {"__doc__": service.doc or Client.__doc__, "__thrift__": service, "close": Client._close}
    members["_prefix"] = prefix
    for function in service.methods():
        members[function.name] = _method(function)
    return type(f"{service.name}Client", (Client,), members)


def _method(function: Function) -> Callable[..., Any]:
    plan = method_plan(function)
    count = len(function.args)

    def call(self: Client, /, *args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) != count:
            return self._call(plan, _arrange(function, args, kwargs))
        return self._call(plan, list(args))

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
    for name, value in kwargs.items():
        if name in given or name not in names:
            problem = "twice" if name in given else "which it does not have"
            raise TypeError(f"{function.name}() got the argument {name!r} {problem}: {signature(function)}")
        given[name] = value
    missing = [arg.name for arg in function.args if arg.name not in given and arg.default is ABSENT]
    if missing:
        raise TypeError(f"{function.name}() lacks {', '.join(missing)}: {signature(function)}")
    return [given.get(name) for name in names]
