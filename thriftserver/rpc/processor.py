"""One request: a frame in, a frame (or nothing) out.

It decides what every readable message gets (docs/wire-contract.md). It knows no socket, loop or log: what went wrong
in a handler is handed to ``on_failure``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

from thriftserver.codec import binary
from thriftserver.codec.plan import MethodPlan, method_plan
from thriftserver.errors import ApplicationError, EncodeError, WireError
from thriftserver.rpc.binding import Bound
from thriftserver.rpc.call import Failure
from thriftserver.schema.model import Function
from thriftserver.wire import CALL, MAX_FRAME, ONEWAY, Application


class Method:
    """A method of a service, ready to be called: its plan beside the handler's bound method."""

    __slots__ = ("call", "name", "oneway", "plan", "service", "void")

    def __init__(self, function: Function, service: str, target: Any) -> None:
        self.name = function.name
        self.service = service
        self.oneway = function.oneway
        self.void = function.returns is None
        self.plan: MethodPlan = method_plan(function)
        self.call: Callable[..., Any] = getattr(target, function.name)


class Processor:
    """Answers frames for one or more services.

    Names may be bare (the first service) or ``Service:method``, as Thrift's multiplexed clients send them.
    """

    def __init__(
        self, bound: Sequence[Bound], on_failure: Callable[[Failure], None], max_frame: int = MAX_FRAME
    ) -> None:
        self._on_failure = on_failure
        self._max_frame = max_frame
        self._services = {each.service.name: each.service for each in bound}
        self._default = bound[0].service.name
        self._methods: dict[str, Method] = {}
        for each in bound:
            for function in each.service.methods():
                method = Method(function, each.service.name, each.target)
                self._methods[f"{method.service}:{method.name}"] = method
                if each is bound[0]:
                    self._methods[method.name] = method

    def process(self, frame: bytes, start: int = 0) -> bytes | None:
        """The reply to the message at ``start``, a whole frame with its length; None where none is due.

        Raises WireError when not even the header can be read: there is nobody to answer, and no telling what follows.
        """
        header = binary.read_header(frame, start)
        method = self._methods.get(header.name)
        kind = header.kind
        if method is None or (kind != CALL and kind != ONEWAY):
            return None if kind == ONEWAY else self._refuse(header)
        silent = method.oneway or kind == ONEWAY
        if method.name != header.name:
            header.name = method.name
        try:
            args = binary.decode_args(method.plan, frame, header.body)
        except WireError as error:
            return None if silent else binary.encode_error(header, error.type, str(error))
        try:
            result = method.call(*args)
        except BaseException as error:  # noqa: BLE001 - the wall: no handler, whatever it raises, ends a worker
            reply = self._raised(header, method, error, silent)
        else:
            if silent:
                return None
            reply = self._returned(header, method, result)
        if reply is not None and len(reply) - 4 > self._max_frame:
            error_ = EncodeError(f"the reply has {len(reply) - 4} bytes, more than max-frame ({self._max_frame})")
            return self._internal(header, method, error_, "bad_result", silent)
        return reply

    def _returned(self, header: binary.Header, method: Method, result: Any) -> bytes:
        if result is None and not method.void:
            return binary.encode_error(header, Application.MISSING_RESULT, f"{method.name} returned no result")
        try:
            return binary.encode_result(method.plan, header, result)
        except Exception as error:  # noqa: BLE001 - EncodeError, or whatever a foreign object's attributes raise
            return self._internal(header, method, error, "bad_result", False) or b""

    def _raised(self, header: binary.Header, method: Method, error: BaseException, silent: bool) -> bytes | None:
        if silent:
            return self._internal(header, method, error, "undeclared", True)
        index = method.plan.declared(error)
        if index is not None:
            try:
                return binary.encode_declared(method.plan, header, index, error)
            except Exception as problem:  # noqa: BLE001 - as in _returned
                return self._internal(header, method, problem, "bad_result", False)
        if isinstance(error, ApplicationError):
            return binary.encode_error(header, error.type, error.message)
        if type(error).__name__ == "TApplicationException":  # of another Thrift library: same name, same attributes
            kind, message = getattr(error, "type", 0), getattr(error, "message", None)
            if isinstance(kind, int):
                return binary.encode_error(header, kind, str(message or ""))
        return self._internal(header, method, error, "undeclared", False)

    def _internal(
        self, header: binary.Header, method: Method, error: BaseException, outcome: str, silent: bool
    ) -> bytes | None:
        error_id = uuid.uuid4().hex[:12]
        self._on_failure(Failure(method.service, method.name, header.seqid, outcome, error, error_id))
        if silent:
            return None
        return binary.encode_error(header, Application.INTERNAL_ERROR, f"internal error, id {error_id}")

    def _refuse(self, header: binary.Header) -> bytes:
        """Answer a message that names no method of ours, or is no request at all."""
        service, colon, name = header.name.rpartition(":")
        sent, header.name = header.name, name
        if header.kind != CALL:
            text = f"message type {header.kind} is not a request; expected CALL (1) or ONEWAY (4)"
            return binary.encode_error(header, Application.INVALID_MESSAGE_TYPE, text)
        if colon and service not in self._services:
            text = f"no service {service!r} here; there is {', '.join(self._services)}"
            return binary.encode_error(header, Application.UNKNOWN_METHOD, text)
        if not colon:
            service, name = self._default, sent
        names = [method.name for method in self._methods.values() if method.service == service]
        close = get_close_matches(name, names, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return binary.encode_error(header, Application.UNKNOWN_METHOD, f"no method {name!r} in {service}{hint}")
