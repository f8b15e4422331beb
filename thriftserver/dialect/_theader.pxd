# Types for the compiled form of theader.py, and the C twins of what it takes from recognise.py.
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcmp

from thriftserver.codec._header cimport Header
from thriftserver.codec._memory cimport Sink, Source, finish, new_source, patch, put_front, sink_of, waiting
from thriftserver.codec._protocol cimport Protocol
from thriftserver.dialect._transport cimport Framed

cdef extern from "values.h":
    int load16(const char *at) nogil
    int load32(const char *at) nogil

cdef dict _PROTOCOLS
cdef bytes _MAGIC
cdef int _HEAD
cdef int _ZLIB

@cython.final
cdef class Packing:
    cdef public int protocol
    cdef public list transforms
    cdef public dict infos
    cdef public dict lasting
    cdef public bytes front

cdef class THeader(Framed):
    cdef dict lasting
    cdef bytes words
    cdef Packing packing
    cdef Packing asking
    @cython.locals(header=Header)
    cpdef Header ask(self, str name, int kind, int seqid)
    @cython.locals(source=Source, header=Header, packing=Packing, spoken=Protocol, end=cython.Py_ssize_t, seqid=cython.int)
    cpdef Header open(self, bytes data)
    @cython.locals(words=bytes, packing=Packing)
    cdef Packing read_head(self, bytes data, Py_ssize_t end, int seqid)
    @cython.locals(packing=Packing, front=bytes)
    cpdef Sink wrap(self, Header header, Sink reply, object infos)
    cpdef object refuse(self, bytes start)

cdef inline bint begins_at(bytes data, Py_ssize_t at, bytes what):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(what)
    return PyBytes_GET_SIZE(data) - at >= size and memcmp(PyBytes_AS_STRING(data) + at, PyBytes_AS_STRING(what), size) == 0

cdef inline int seqid_of(bytes data):
    return load32(PyBytes_AS_STRING(data) + 8)

cdef inline int words_of(bytes data):
    return load16(PyBytes_AS_STRING(data) + 12) & 0xFFFF
