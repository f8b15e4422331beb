# cython: language_level=3
"""The C twins of ``memory``: what is too rare or too large to be inlined."""
cimport cython
import operator

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.string cimport memcpy

from thriftserver.codec.fault import Fault, Short
from thriftserver.codec.memory import too_long

cdef extern from *:
    int _PyBytes_Resize(PyObject **bytes, Py_ssize_t size) except -1
    PyObject *new_bytes "PyBytes_FromStringAndSize"(const char *data, Py_ssize_t size) except NULL
    void Py_XDECREF(PyObject *)
    void Py_INCREF(PyObject *)
    void Py_DECREF(PyObject *)
    char *bytes_at "PyBytes_AS_STRING"(PyObject *)

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


cpdef Source new_source(bytes data, Py_ssize_t pos):
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


cdef Source view(object data, Py_ssize_t pos):
    cdef Source source
    if isinstance(data, bytes):
        return new_source(<bytes>data, pos)
    source = Source.__new__(Source)
    source.data = data
    source.base = PyByteArray_AS_STRING(data)
    source.pos = pos
    source.end = PyByteArray_GET_SIZE(data)
    return source


cpdef Sink new_sink(bint message):
    global idle, spares
    cdef Sink sink
    if message and spares > 0:
        spares -= 1
        sink = <Sink>spare[spares]
        Py_DECREF(spare[spares])
    elif not message and idle is not None:
        sink = idle
        idle = None
    else:
        sink = Sink.__new__(Sink)
        sink.owner = NULL
        sink.scratch = REPLY if message else SCRATCH
        sink.start = <char *>PyMem_Malloc(sink.scratch)
        if sink.start == NULL:
            raise MemoryError
    sink.depth = 0
    sink.field = sink.state = 0
    sink.first = FRONT if message else 0
    sink.at = sink.start + sink.first
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


cpdef bytes finish(Sink sink):
    cdef Py_ssize_t used = sink.at - sink.start
    cdef PyObject *owner
    cdef bytes made
    if sink.owner == NULL or sink.first > 0:
        made = PyBytes_FromStringAndSize(sink.start + sink.first, used - sink.first)
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
    cdef Py_ssize_t size = sink.at - sink.start - FRONT
    if size > 0x7FFFFFFF:
        raise OverflowError("a frame of more than 2 GiB")
    sink.first = FRONT - 4
    store32(sink.start + sink.first, <int>size)
    return size + 4


cpdef bint put_front(Sink sink, bytes data) except -1:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    if size > sink.first:
        return False
    sink.first -= size
    memcpy(sink.start + sink.first, PyBytes_AS_STRING(data), size)
    return True


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
    raise Short(size, max(source.end - source.pos, 0))


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


cdef const char *wide_utf8(object value, Py_ssize_t *size) except? NULL:
    if not isinstance(value, str):
        return NULL
    try:
        return text_utf8(value, size)
    except UnicodeEncodeError:
        return NULL


cpdef Sink sink_of(bytes data):
    cdef Sink sink = new_sink(False)
    put_raw(sink, data)
    return sink


cpdef Py_ssize_t size_of(Sink sink):
    return waiting(sink)
