"""What stands around the arguments of a compact message: its header.

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
    from thriftserver.codec.compact.seam import put_text, put_u32, take_length, take_u32
    from thriftserver.codec.header import Header, blank
    from thriftserver.codec.memory import Sink, Source, pass_over, put_u8, take_known, take_u8

# In compiled code these are C numbers.
_ID = wire.COMPACT_ID
_VERSION = wire.COMPACT_VERSION
_MAX_NAME = wire.MAX_NAME


def take_message(source: Source) -> Header:
    """The header of the message that comes next."""
    kind = take_kind(source)
    header = blank()
    header.kind = kind
    header.strict = True
    header.seqid = take_u32(source)
    header.name = take_known(source, take_size(source))
    header.body = source.pos
    return header


def take_kind(source: Source) -> int:
    """The kind of the message, from the two bytes that each begins with."""
    byte = take_u8(source)
    if byte != _ID:
        raise Fault(f"protocol id 0x{byte:02x} is not 0x{_ID:02x}")
    byte = take_u8(source)
    if byte & 0x1F != _VERSION:
        raise Fault(f"version {byte & 0x1F} is not {_VERSION}")
    return byte >> 5


def take_size(source: Source) -> int:
    """How many bytes the method's name has."""
    size = take_length(source)
    if size > _MAX_NAME:
        raise Fault(f"a method name of {size} bytes")
    return size


def pass_message(source: Source) -> None:
    """Pass over the header of the message that comes next."""
    take_kind(source)
    take_u32(source)
    pass_over(source, take_size(source))


def close_message(source: Source) -> None:
    """What stands behind the struct of a message."""


def begin_message(sink: Sink, header: Header, kind: int) -> bool:
    """The header of a message like ``header``, of this kind; False when the name has no bytes."""
    put_u8(sink, _ID)
    put_u8(sink, _VERSION | kind << 5)
    put_u32(sink, header.seqid)
    return put_text(sink, header.name)


def end_message(sink: Sink) -> None:
    """What stands behind the struct of a message."""
