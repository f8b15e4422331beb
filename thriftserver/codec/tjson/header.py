"""What stands around the arguments of a JSON message: ``[1,"name",kind,seqid,`` and ``]``.

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
    from thriftserver.codec.header import Header, blank
    from thriftserver.codec.memory import Sink, Source, put_raw
    from thriftserver.codec.tjson.seam import close, demand, put_i32, put_text, take_i8, take_i32, take_short

# In compiled code these are C numbers.
_MAX_NAME = wire.MAX_NAME
_VERSION = 1


def take_message(source: Source) -> Header:
    """The header of the message that comes next, up to the struct, which then needs no separator."""
    source.state = 0
    demand(source, 0x5B)
    version = take_i32(source)
    if version != _VERSION:
        raise Fault(f"version {version} is not 1")
    header = blank()
    header.name = take_short(source, _MAX_NAME)
    header.kind = take_i8(source)
    header.strict = True
    header.seqid = take_i32(source)
    demand(source, 0x2C)
    source.state = 0
    header.body = source.pos
    return header


def close_message(source: Source) -> None:
    """What stands behind the struct of a message."""
    demand(source, 0x5D)


def begin_message(sink: Sink, header: Header, kind: int) -> bool:
    """The header of a message like ``header``, of this kind; False when the name has no bytes."""
    sink.state = 1
    put_raw(sink, b"[1,")
    if not put_text(sink, header.name):
        return False
    put_i32(sink, kind)
    put_i32(sink, header.seqid)
    return True


def end_message(sink: Sink) -> None:
    """What stands behind the struct of a message."""
    close(sink, 0x5D)
