# Types for the compiled form of transport.py, and the C twin of length_of.
cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING

from thriftserver.codec._memory cimport Sink, Source, finish, new_source, seal, view
from thriftserver.codec._header cimport Header, blank
from thriftserver.codec._protocol cimport Protocol, Scanner, put_error

cdef extern from "values.h":
    int load32(const char *at) nogil

cdef int MORE
cdef int BROKEN
cdef int UNTOLD
cdef int START
cdef int _CALL

cdef class Transport:
    cdef public str name
    cdef public int number
    cdef public Protocol protocol
    cdef public Py_ssize_t limit
    cdef public bint serial
    cdef public bint last
    cdef public bytes interim
    cpdef Py_ssize_t measure(self, object data, bint ended) except? -3
    cpdef object advance(self)
    cdef bint is_message(self, bytes data) except -1
    cpdef Header open(self, bytes data)
    cpdef Sink wrap(self, Header header, Sink reply, object infos)
    @cython.locals(header=Header)
    cpdef Header ask(self, str name, int kind, int seqid)
    cpdef object refuse(self, bytes start)
    cpdef Header peek(self, bytes start)
    @cython.locals(header=Header, sink=Sink)
    cpdef object answered(self, object problem, bytes start, bint calls)

cdef class Framed(Transport):
    @cython.locals(size=cython.Py_ssize_t, length=cython.longlong)
    cpdef Py_ssize_t measure(self, object data, bint ended) except? -3
    @cython.locals(length=cython.Py_ssize_t)
    cdef bint is_message(self, bytes data) except -1
    cdef bint can_tell(self, bytes start, long long length) except -1
    cpdef Header open(self, bytes data)
    cpdef Sink wrap(self, Header header, Sink reply, object infos)

cdef class Unframed(Transport):
    cdef Scanner scanner
    cdef Py_ssize_t scanned, found
    cdef readonly str problem
    @cython.locals(source=Source, whole=cython.bint)
    cpdef Py_ssize_t measure(self, object data, bint ended) except? -3
    cpdef object advance(self)
    cpdef Header open(self, bytes data)

cdef class Refused(Transport):
    cdef Transport inner
    cdef str message
    cpdef Py_ssize_t measure(self, object data, bint ended) except? -3

cdef inline long long length_of(object data):
    if isinstance(data, bytes):
        return load32(PyBytes_AS_STRING(data))
    return load32(PyByteArray_AS_STRING(data))
