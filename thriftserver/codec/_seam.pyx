# cython: language_level=3
"""The C twins of ``seam``: what is too rare or too large to be inlined."""
cimport cython
import operator
import struct

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_Clear
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.string cimport memcpy

import msgspec

from thriftserver.codec.fault import Fault
from thriftserver.codec.seam import odd_bytes, odd_double, too_long

cdef extern from *:
    int _PyBytes_Resize(PyObject **bytes, Py_ssize_t size) except -1
    PyObject *new_bytes "PyBytes_FromStringAndSize"(const char *data, Py_ssize_t size) except NULL
    void Py_XDECREF(PyObject *)
    void Py_INCREF(PyObject *)
    void Py_DECREF(PyObject *)
    char *bytes_at "PyBytes_AS_STRING"(PyObject *)

cdef extern from "seam.h":
    Py_ssize_t slot_offset(object cls, object name)

#: Bytes that a sink starts with, and that one for a message starts with: most replies are short, and what a server uses
#: again and again should stay in the processor's cache.
cdef enum:
    SCRATCH = 16384
    REPLY = 1024
    SPARE = 64
    UNUSED = -1  # the depth of a sink that was given back

#: A sink that nobody uses, kept for its memory, and those for messages. Nobody touches a sink after ``finish``.
cdef Sink idle = None
cdef PyObject *spare[SPARE]
cdef int spares = 0


@cython.final
@cython.freelist(4)
@cython.no_gc
cdef class Source:
    pass


@cython.final
cdef class Sink:
    def __dealloc__(self):
        if self.owner != NULL:
            Py_DECREF(self.owner)
        else:
            PyMem_Free(self.start)


cdef Source new_source(bytes data, Py_ssize_t pos):
    cdef Source source
    if pos < 0:
        raise ValueError(f"position {pos} lies before the data")
    source = Source.__new__(Source)
    source.data = data
    source.base = PyBytes_AS_STRING(data)
    source.pos = pos
    source.end = PyBytes_GET_SIZE(data)
    source.depth = 0
    return source


cdef Sink new_sink(bint framed):
    global idle, spares
    cdef Sink sink
    if framed and spares > 0:
        spares -= 1
        sink = <Sink>spare[spares]
        Py_DECREF(spare[spares])
    elif not framed and idle is not None:
        sink = idle
        idle = None
    else:
        sink = Sink.__new__(Sink)
        sink.owner = NULL
        sink.scratch = REPLY if framed else SCRATCH
        sink.start = <char *>PyMem_Malloc(sink.scratch)
        if sink.start == NULL:
            raise MemoryError
    sink.depth = 0
    sink.at = sink.start + (4 if framed else 0)
    sink.end = sink.start + sink.scratch
    return sink


cdef int grow(Sink sink, Py_ssize_t size) except -1:
    """Room for ``size`` more bytes; from the first growth on the bytes to be returned are filled directly."""
    cdef Py_ssize_t used = sink.at - sink.start
    cdef Py_ssize_t wanted = used + size
    cdef PyObject *owner
    # What a large value asked for is mostly the end of it: a little more then, else twice as much.
    wanted += wanted if size < 65536 else 4096
    if wanted < SCRATCH:
        wanted = SCRATCH
    if sink.owner == NULL:
        owner = new_bytes(NULL, wanted)
        memcpy(bytes_at(owner), sink.start, used)
        PyMem_Free(sink.start)
        sink.owner = owner
    else:
        owner = sink.owner
        sink.owner = NULL
        sink.start = NULL
        _PyBytes_Resize(&owner, wanted)  # gives the old one back itself when it fails
        sink.owner = owner
    sink.start = bytes_at(sink.owner)
    sink.at = sink.start + used
    sink.end = sink.start + wanted
    return 0


cdef bytes finish(Sink sink):
    cdef Py_ssize_t used = sink.at - sink.start
    cdef PyObject *owner
    cdef bytes made
    if sink.owner == NULL:
        made = PyBytes_FromStringAndSize(sink.start, used)
        recycle(sink)
        return made
    owner = sink.owner
    sink.owner = NULL
    sink.start = NULL
    sink.depth = UNUSED
    _PyBytes_Resize(&owner, used)
    made = <bytes>owner
    Py_DECREF(owner)
    return made


cdef bytes finish_frame(Sink sink):
    seal(sink)
    return finish(sink)


cdef Py_ssize_t seal(Sink sink) except -1:
    cdef Py_ssize_t size = sink.at - sink.start
    if size - 4 > 0x7FFFFFFF:
        raise OverflowError("a frame of more than 2 GiB")
    store32(sink.start, <int>(size - 4))
    return size


cdef Py_ssize_t length(Sink sink) except -1:
    return sink.at - sink.start


cdef bytes cut(Sink sink, Py_ssize_t start):
    cdef char *begin = sink.start + start
    cdef bytes made = PyBytes_FromStringAndSize(begin, sink.at - begin)
    sink.at = begin
    return made


cdef int recycle(Sink sink) except -1:
    global idle, spares
    if sink.depth == UNUSED:
        return 0  # given back twice: two users of one memory would mix their bytes
    sink.depth = UNUSED
    if sink.owner == NULL:
        if sink.scratch == SCRATCH:
            idle = sink
        elif spares < SPARE:
            Py_INCREF(<PyObject *>sink)
            spare[spares] = <PyObject *>sink
            spares += 1
    return 0


cdef int fail_long(Py_ssize_t size) except -1:
    raise too_long(size)


cdef int fail_short(Source source, Py_ssize_t size) except -1:
    raise Fault(f"truncated: {size} more bytes expected, {max(source.end - source.pos, 0)} left")


cdef int fail_negative(int size) except -1:
    raise Fault(f"negative size {size}")


cdef int fail_size(Source source, Py_ssize_t size) except -1:
    raise Fault(f"size {size} is more than the {source.end - source.pos} bytes left can hold")


cdef object fail_text(Source source, Py_ssize_t size):
    try:
        return PyBytes_FromStringAndSize(source.base + source.pos, size).decode()
    except UnicodeDecodeError as error:
        raise Fault(f"invalid UTF-8 at byte {error.start} of {size}") from None


cdef object integer(object value):
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


cdef bint put_odd_double(Sink sink, object value) except -1:
    number = odd_double(value)
    if number is None:
        return False
    put_number(sink, float_of(number))
    return True


cdef bint put_odd_bytes(Sink sink, object value) except -1:
    data = odd_bytes(value)
    if data is None:
        return False
    put_sized(sink, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
    return True


cdef bint put_wide_text(Sink sink, object value) except -1:
    cdef Py_ssize_t size = 0
    cdef const char *data
    if not isinstance(value, str):
        return False
    try:
        data = text_utf8(value, &size)
    except UnicodeEncodeError:
        return False
    put_sized(sink, data, size)
    return True


cdef list slot_offsets(object cls, object names):
    """Where the slots of a struct's class lie; None unless all are plain object slots of one msgspec.Struct."""
    if not isinstance(cls, type) or not issubclass(cls, msgspec.Struct):
        return None
    offsets = [slot_offset(cls, name) for name in names]
    return offsets if min(offsets, default=1) > 0 else None


cdef Py_ssize_t list_offset(Py_ssize_t place) except -1:
    return place * sizeof(PyObject *)


cdef bytes slot_table(object offsets):
    return struct.pack(f"{len(offsets)}n", *offsets)


cdef bytes slot_rows(object rows):
    """(offset, id, wire type, kind, required, members) of fields, as put_slots and take_slots want them."""
    packed = [
        struct.pack("nPhBBB0n", offset, id(members), number, wire, kind, required)
        for offset, number, wire, kind, required, members in rows
    ]
    return b"".join(packed)


cdef int kind_of(str op, int wire) except -1:
    if op == "binary":
        return KIND_BINARY
    if op == "enum":
        return KIND_ENUM
    return wire if op in ("bool", "i8", "i16", "i32", "i64", "double", "string") else 0
