"""What stands around the arguments of a binary message: its header, strict or in the old form.

One source: it runs on plain CPython, and Cython compiles it, with ``_header.pxd``, into the module ``_header``.
"""

from __future__ import annotations

from thriftserver import wire
from thriftserver.codec.fault import Fault

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.binary.seam import put_size, put_text, take_i32, take_length
    from thriftserver.codec.header import Header, blank
    from thriftserver.codec.memory import Sink, Source, pass_over, put_u8, take_known, take_u8

# In compiled code these are C numbers.
_VERSION_1 = wire.VERSION_1
_VERSION_MASK = wire.VERSION_MASK
_MAX_NAME = wire.MAX_NAME


def take_message(source: Source) -> Header:
    """The header of the message that comes next."""
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
    name = take_known(source, size)
    if not strict:
        kind = take_u8(source)
    header = blank()
    header.name = name
    header.kind = kind
    header.strict = strict
    header.seqid = take_i32(source)
    header.body = source.pos
    return header


def pass_message(source: Source) -> None:
    """Pass over the header of the message that comes next."""
    size = take_i32(source)
    strict = size < 0
    if strict:
        if size & _VERSION_MASK != _VERSION_1:
            raise Fault(f"version 0x{size & 0xFFFFFFFF:08x} is not 0x8001....")
        size = take_length(source)
    if size > _MAX_NAME:
        raise Fault(f"a method name of {size} bytes")
    pass_over(source, size + (4 if strict else 5))


def close_message(source: Source) -> None:
    """What stands behind the struct of a message."""


def begin_message(sink: Sink, header: Header, kind: int) -> bool:
    """The header of a message like ``header``, of this kind; False when the name has no bytes."""
    if header.strict:
        put_size(sink, _VERSION_1 | kind)
    if not put_text(sink, header.name):
        return False
    if not header.strict:
        put_u8(sink, kind)
    put_size(sink, header.seqid)
    return True


def end_message(sink: Sink) -> None:
    """What stands behind the struct of a message."""
