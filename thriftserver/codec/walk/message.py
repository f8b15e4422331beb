# cython: nonecheck=True
# (callers may hand in anything; within the walkers nothing typed is ever None)
"""Whole messages and whole structs of one protocol; where faults get their path and become public errors.

Nothing here knows how a value stands in bytes (``record`` does), how a method is called, or where messages come from.
One source: it runs on plain CPython, and Cython compiles it, with ``_message.pxd``, into the ``_message`` of each
protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from thriftserver import wire
from thriftserver.codec.fault import Fault
from thriftserver.codec.plan import MethodPlan, plan_of
from thriftserver.errors import ApplicationError, EncodeError, WireError
from thriftserver.wire import Application

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.header import Header
    from thriftserver.codec.memory import Sink, Source, finish, finish_frame, new_sink, new_source
    from thriftserver.codec.protocol import Codec, Protocol, Scanner, Tally

    from .header import begin_message, close_message, end_message, take_message
    from .node import Node, skip
    from .record import Fields, Member, node_of
    from .scan import Scan
    from .seam import (
        begin_struct,
        close_field,
        close_struct,
        end_field,
        end_struct,
        open_struct,
        put_field,
        put_i32,
        put_text,
        take_field,
        take_i32,
        take_loose,
    )

# In compiled code these are C numbers.
_CALL = wire.CALL
_REPLY = wire.REPLY
_EXCEPTION = wire.EXCEPTION
_ONEWAY = wire.ONEWAY
_STRING = wire.STRING
_I32 = wire.I32

#: What a frame may come as; anything but bytes is copied.
Buffer: TypeAlias = bytes | bytearray | memoryview
#: What was made of a method's plan, and of a struct's class.
_methods: dict[MethodPlan, Method] = {}
_structs: dict[type, Node] = {}
_KEPT = 10_000
_MISSING_RESULT = Application.MISSING_RESULT


class Method(Codec):
    """The nodes of one method, made once for its plan."""

    __slots__ = ("args", "members", "name", "oneway", "outcomes", "reply", "result", "throws")

    def __init__(self, plan: MethodPlan) -> None:
        self.name = plan.name
        self.oneway = plan.oneway
        self.args = Fields(plan.args)
        #: In the order of declaration, which is how arguments are given.
        self.members = sorted(self.args.members, key=lambda member: member.place)
        self.result = None if plan.result is None else Member(plan.result, 0)
        self.throws = [Member(row, 0) for row in plan.throws]
        self.outcomes = {member.id: member for member in self.throws}
        if self.result is not None:
            self.outcomes[0] = self.result

    def put_call(self, header: Header, args: Sequence[Any]) -> Sink:
        if len(args) != len(self.members):
            raise EncodeError(f"{self.name}() takes {len(self.members)} arguments, got {len(args)}", "args")
        sink = _open(header, header.kind)
        try:
            outer = begin_struct(sink)
            for member in self.args.members:
                value = args[member.place]
                if value is not None:
                    _put_member(sink, member, value)
                elif member.required:
                    raise Fault(f"required argument {member.name} is None")
            end_struct(sink, outer)
            end_message(sink)
        except Fault as fault:
            raise EncodeError(*fault.told("args")) from None
        return sink

    def take_reply(self, header: Header) -> Any:
        source = header.source
        try:
            if header.kind == _EXCEPTION:
                raise _application_error(source)
            if header.kind != _REPLY:
                raise WireError(f"message kind {header.kind} is no reply", "", Application.INVALID_MESSAGE_TYPE)
            return _outcome(self, source)
        except Fault as fault:
            raise WireError(*fault.told("result")) from None

    def take_args(self, source: Source) -> list[Any]:
        args: list[Any] = self.args.read(source)
        close_message(source)
        return args

    def put_result(self, header: Header, value: Any) -> Sink:
        return _reply(header, self.result, value)

    def put_declared(self, header: Header, index: int, exc: Any) -> Sink:
        return _reply(header, self.throws[index], exc)


class Messages(Protocol):
    """This protocol."""

    __slots__ = ()

    def codec_of(self, plan: Any) -> Codec:
        return method_of(plan)

    def take_header(self, source: Source) -> Header:
        try:
            header = take_message(source)
        except Fault as fault:
            raise WireError(f"bad message header: {fault.message}") from None
        header.protocol = self
        header.source = source
        return header

    def new_scanner(self) -> Scanner:
        return Scan()

    def put_error(self, header: Header, type: int, message: str) -> Sink:
        return put_error(header, type, message)


#: For headers of messages that are given as bytes.
_nameless = Messages("", -1)


def method_of(plan: MethodPlan) -> Method:
    """The nodes of a method's plan."""
    method = _methods.get(plan)
    if method is None:
        method = Method(plan)
        remember(_methods, plan, method)
    return method


def struct_of(cls: type) -> Node:
    """The node of a struct's class."""
    node = _structs.get(cls)
    if node is None:
        node = node_of(plan_of(cls).row)
        remember(_structs, cls, node)
    return node


def remember(kept: dict[Any, Any], key: Any, made: Any) -> None:
    """Keep what was made, within bounds: a process may load IDLs again and again."""
    if len(kept) >= _KEPT:
        kept.clear()
    kept[key] = made


def new_header(name: str, kind: int, seqid: int, strict: bool = True) -> Header:
    """A header as ``read_header`` gives it, of a message that nobody has sent."""
    return Header(name, kind, seqid, strict)


def new_tally() -> Tally:
    """For ``decode_args``."""
    return Tally()


def read_header(frame: Buffer, start: int = 0) -> Header:
    """The header of the message at ``start``; strict and old form."""
    return _nameless.take_header(new_source(_bytes(frame), start))


def decode_args(plan: MethodPlan, frame: Buffer, body: int, tally: Tally | None = None) -> list[Any]:
    """The arguments of a call, in the order of the IDL; ``tally`` counts what was forgiven in them."""
    source = new_source(_bytes(frame), body)
    try:
        args = method_of(plan).take_args(source)
    except Fault as fault:
        raise WireError(*fault.told("args")) from None
    if tally is not None:
        tally.add(source)
    return args


def encode_result(plan: MethodPlan, header: Header, value: Any) -> bytes:
    """The frame of a reply with the method's result."""
    return finish_frame(method_of(plan).put_result(header, value))


def encode_declared(plan: MethodPlan, header: Header, index: int, exc: Any) -> bytes:
    """The frame of a reply with the declared exception number ``index``."""
    return finish_frame(method_of(plan).put_declared(header, index, exc))


def _reply(header: Header, member: Member | None, value: Any) -> Sink:
    sink = _open(header, _REPLY)
    try:
        outer = begin_struct(sink)
        if member is not None:
            _put_member(sink, member, value)
        end_struct(sink, outer)
        end_message(sink)
    except Fault as fault:
        raise EncodeError(*fault.told("result")) from None
    return sink


def encode_error(header: Header, type: int, message: str) -> bytes:
    """The frame of an EXCEPTION message, with what Thrift calls a TApplicationException."""
    return finish_frame(put_error(header, type, message))


def put_error(header: Header, type: int, message: str) -> Sink:
    """The same as a sink that is not sealed yet."""
    sink = _open(header, _EXCEPTION)
    outer = begin_struct(sink)
    put_field(sink, _STRING, 1)
    put_text(sink, message.encode("utf-8", "backslashreplace").decode())
    end_field(sink)
    put_field(sink, _I32, 2)
    put_i32(sink, int(type))
    end_field(sink)
    end_struct(sink, outer)
    end_message(sink)
    return sink


def encode_call(plan: MethodPlan, seqid: int, args: Sequence[Any], name: str | None = None) -> bytes:
    """The frame of a call; ``name`` replaces the method's (``"service:method"``)."""
    kind = _ONEWAY if plan.oneway else _CALL
    return finish_frame(method_of(plan).put_call(Header(name or plan.name, kind, seqid), args))


def decode_reply(plan: MethodPlan, frame: Buffer, header: Header) -> Any:
    """The result in a reply; raises the declared exception, or the ``ApplicationError``, that it holds instead."""
    header.source = new_source(_bytes(frame), header.body)
    return method_of(plan).take_reply(header)


def _outcome(method: Method, source: Source) -> Any:
    result = None
    found = False
    raised = None
    outer = open_struct(source)
    while True:
        code = take_field(source)
        if code == 0:
            break
        member = method.outcomes.get(source.field)
        if member is None or member.wire != code:
            skip(source, code)
        elif member is method.result:
            result = member.node.read(source)
            found = True
        else:
            raised = _read_member(source, member)
        close_field(source)
    close_struct(source, outer)
    if raised is not None:
        raise raised
    if not found and method.result is not None:
        raise ApplicationError(_MISSING_RESULT, f"{method.name}: the reply holds no result")
    return result


def _application_error(source: Source) -> ApplicationError:
    message = ""
    type = 0
    outer = open_struct(source)
    while True:
        code = take_field(source)
        if code == 0:
            close_struct(source, outer)
            return ApplicationError(type, message)
        if source.field == 1 and code == _STRING:
            message = take_loose(source)
        elif source.field == 2 and code == _I32:
            type = take_i32(source)
        else:
            skip(source, code)
        close_field(source)


def encode_struct(value: Any) -> bytes:
    """The bytes of one struct, union or exception."""
    cls = type(value)
    node = struct_of(cls)
    sink = new_sink(False)
    try:
        node.write(sink, value)
    except Fault as fault:
        raise EncodeError(*fault.told(cls.__name__)) from None
    return finish(sink)


def decode_struct(cls: type, data: Buffer) -> Any:
    """One struct, union or exception from its bytes; what follows it is ignored, as Apache's library does."""
    node = struct_of(cls)
    try:
        return node.read(new_source(_bytes(data), 0))
    except Fault as fault:
        raise WireError(*fault.told(cls.__name__)) from None


def _bytes(data: Buffer) -> bytes:
    return data if isinstance(data, bytes) else bytes(data)


def _open(header: Header, kind: int) -> Sink:
    sink = new_sink(True)
    if not begin_message(sink, header, kind):
        raise EncodeError(f"a method's name cannot be {header.name!r}")
    return sink


def _put_member(sink: Sink, member: Member, value: Any) -> None:
    put_field(sink, member.wire, member.id)
    try:
        member.node.write(sink, value)
    except Fault as fault:
        fault.steps.append(member.step)
        raise
    end_field(sink)


def _read_member(source: Source, member: Member) -> Any:
    try:
        return member.node.read(source)
    except Fault as fault:
        fault.steps.append(member.step)
        raise
