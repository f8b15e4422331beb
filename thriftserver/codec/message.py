# cython: nonecheck=True
# (callers may hand in anything; within the walkers nothing typed is ever None)
"""Whole messages of the binary protocol, and whole structs; where faults get their path and become public errors.

Nothing here knows how a value stands in bytes (``codec.walk`` does), how a method is called, or where frames come from.
Like ``walk``, this source is also compiled, with ``_message.pxd``, into the module ``_message``.
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
    from thriftserver.codec.node import Node, skip
    from thriftserver.codec.seam import (
        Sink,
        Source,
        finish,
        finish_frame,
        new_sink,
        new_source,
        put_field,
        put_raw,
        put_size,
        put_text,
        put_u8,
        take_bytes,
        take_i16,
        take_i32,
        take_length,
        take_name,
        take_u8,
    )
    from thriftserver.codec.walk import Fields, Member, node_of

# In compiled code these are C numbers.
_VERSION_1 = wire.VERSION_1
_VERSION_MASK = wire.VERSION_MASK
_MAX_NAME = wire.MAX_NAME
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


class Header:
    """What stands before the arguments: ``seqid`` is a signed i32, ``body`` the offset of the struct that follows."""

    __slots__ = ("body", "kind", "name", "seqid", "strict")

    def __init__(self, name: str, kind: int, seqid: int, strict: bool = True, body: int = 0) -> None:
        self.name = name
        self.kind = kind
        self.seqid = seqid
        self.strict = strict
        self.body = body

    def __repr__(self) -> str:
        return (
            f"Header(name={self.name!r}, kind={self.kind}, seqid={self.seqid}, strict={self.strict}, body={self.body})"
        )


class Tally:
    """What versioning forgave in the arguments of calls: fields (see ``seam.Source``), and bytes that nobody read."""

    __slots__ = ("misordered", "repeated", "skipped", "trailing")

    def __init__(self) -> None:
        self.skipped = self.repeated = self.misordered = self.trailing = 0

    def add(self, source: Source) -> None:
        """Count what was met on the way to the end of a struct."""
        self.skipped += source.skipped
        self.repeated += source.repeated
        self.misordered += source.misordered
        self.trailing += source.end - source.pos


class Method:
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


def read_header(frame: Buffer, start: int = 0) -> Header:
    """The header of the message at ``start``; strict and old form."""
    return take_header(new_source(_bytes(frame), start))


def take_header(source: Source) -> Header:
    """The same from a source, which then stands before the struct that follows."""
    try:
        return _header(source)
    except Fault as fault:
        raise WireError(f"bad message header: {fault.message}") from None


def _header(source: Source) -> Header:
    word = take_i32(source)
    strict = word < 0
    kind = 0
    if strict:
        if word & _VERSION_MASK != _VERSION_1:
            raise Fault(f"version 0x{word & 0xFFFFFFFF:08x} is not 0x8001....")
        kind = word & 0xFF
        size = take_length(source)
    else:
        size = word
    if size > _MAX_NAME:
        raise Fault(f"a method name of {size} bytes")
    name = take_name(source, size)
    if not strict:
        kind = take_u8(source)
    header = Header.__new__(Header)  # past __init__, which costs more than all of the above
    header.name = name
    header.kind = kind
    header.strict = strict
    header.seqid = take_i32(source)
    header.body = source.pos
    return header


def decode_args(plan: MethodPlan, frame: Buffer, body: int, tally: Tally | None = None) -> list[Any]:
    """The arguments of a call, in the order of the IDL; ``tally`` counts what was forgiven in them."""
    source = new_source(_bytes(frame), body)
    args = take_args(method_of(plan), source)
    if tally is not None:
        tally.add(source)
    return args


def take_args(method: Method, source: Source) -> list[Any]:
    """The arguments of a call, in the order of the IDL."""
    try:
        return method.args.read(source)  # type: ignore[no-any-return]
    except Fault as fault:
        raise WireError(*fault.told("args")) from None


def encode_result(plan: MethodPlan, header: Header, value: Any) -> bytes:
    """The frame of a reply with the method's result."""
    return finish_frame(put_result(method_of(plan), header, value))


def put_result(method: Method, header: Header, value: Any) -> Sink:
    """The same as a sink that is not sealed yet."""
    return _reply(header, method.result, value)


def encode_declared(plan: MethodPlan, header: Header, index: int, exc: Any) -> bytes:
    """The frame of a reply with the declared exception number ``index``."""
    return finish_frame(put_declared(method_of(plan), header, index, exc))


def put_declared(method: Method, header: Header, index: int, exc: Any) -> Sink:
    """The same as a sink that is not sealed yet."""
    return _reply(header, method.throws[index], exc)


def _reply(header: Header, member: Member | None, value: Any) -> Sink:
    sink = new_sink(True)
    _open(sink, header.strict, _REPLY, header.name, header.seqid)
    try:
        if member is not None:
            _put_member(sink, member, value)
        put_u8(sink, 0)
    except Fault as fault:
        raise EncodeError(*fault.told("result")) from None
    return sink


def encode_error(header: Header, type: int, message: str) -> bytes:
    """The frame of an EXCEPTION message, with what Thrift calls a TApplicationException."""
    return finish_frame(put_error(header, type, message))


def put_error(header: Header, type: int, message: str) -> Sink:
    """The same as a sink that is not sealed yet."""
    sink = new_sink(True)
    _open(sink, header.strict, _EXCEPTION, header.name, header.seqid)
    data = message.encode("utf-8", "backslashreplace")
    put_field(sink, _STRING, 1)
    put_size(sink, len(data))
    put_raw(sink, data)
    put_field(sink, _I32, 2)
    put_size(sink, int(type))
    put_u8(sink, 0)
    return sink


def encode_call(plan: MethodPlan, seqid: int, args: Sequence[Any], name: str | None = None) -> bytes:
    """The frame of a call; ``name`` replaces the method's (``"service:method"``)."""
    method = method_of(plan)
    if len(args) != len(method.members):
        raise EncodeError(f"{method.name}() takes {len(method.members)} arguments, got {len(args)}", "args")
    sink = new_sink(True)
    _open(sink, True, _ONEWAY if method.oneway else _CALL, name or method.name, seqid)
    try:
        for member in method.args.members:
            value = args[member.place]
            if value is not None:
                _put_member(sink, member, value)
            elif member.required:
                raise Fault(f"required argument {member.name} is None")
        put_u8(sink, 0)
    except Fault as fault:
        raise EncodeError(*fault.told("args")) from None
    return finish_frame(sink)


def decode_reply(plan: MethodPlan, frame: Buffer, header: Header) -> Any:
    """The result in a reply; raises the declared exception, or the ``ApplicationError``, that it holds instead."""
    method = method_of(plan)
    source = new_source(_bytes(frame), header.body)
    try:
        if header.kind == _EXCEPTION:
            raise _application_error(source)
        if header.kind != _REPLY:
            raise WireError(f"message kind {header.kind} is no reply", "", Application.INVALID_MESSAGE_TYPE)
        return _outcome(method, source)
    except Fault as fault:
        raise WireError(*fault.told("result")) from None


def _outcome(method: Method, source: Source) -> Any:
    result = None
    found = False
    raised = None
    while True:
        code = take_u8(source)
        if code == 0:
            break
        member = method.outcomes.get(take_i16(source))
        if member is None or member.wire != code:
            skip(source, code)
        elif member is method.result:
            result = member.node.read(source)
            found = True
        else:
            raised = _read_member(source, member)
    if raised is not None:
        raise raised
    if not found and method.result is not None:
        raise ApplicationError(_MISSING_RESULT, f"{method.name}: the reply holds no result")
    return result


def _application_error(source: Source) -> ApplicationError:
    message = ""
    type = 0
    while True:
        code = take_u8(source)
        if code == 0:
            return ApplicationError(type, message)
        id = take_i16(source)
        if id == 1 and code == _STRING:
            message = take_bytes(source, take_length(source)).decode("utf-8", "replace")
        elif id == 2 and code == _I32:
            type = take_i32(source)
        else:
            skip(source, code)


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


def _open(sink: Sink, strict: bool, kind: int, name: str, seqid: int) -> None:
    if strict:
        put_size(sink, _VERSION_1 | kind)
    if not put_text(sink, name):
        raise EncodeError(f"a method's name cannot be {name!r}")
    if not strict:
        put_u8(sink, kind)
    put_size(sink, seqid)


def _put_member(sink: Sink, member: Member, value: Any) -> None:
    put_field(sink, member.wire, member.id)
    try:
        member.node.write(sink, value)
    except Fault as fault:
        fault.steps.append(member.step)
        raise


def _read_member(source: Source, member: Member) -> Any:
    try:
        return member.node.read(source)
    except Fault as fault:
        fault.steps.append(member.step)
        raise
