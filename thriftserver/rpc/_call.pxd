# Types for the compiled form of call.py.
cimport cython

from thriftserver.codec._protocol cimport Codec, Protocol

@cython.final
cdef class Call:
    cdef public str service
    cdef public str method
    cdef public int seqid
    cdef public object peer
    cdef public bint oneway
    cdef public object args
    cdef dict _headers
    cdef dict _reply_headers
    cdef public str dialect
    cdef public long long received
    cdef public long long started
    cdef public long long finished
    cdef public long long deadline
    cdef public Py_ssize_t request_bytes
    cdef public Py_ssize_t reply_bytes
    cdef public str outcome
    cdef public object error
    cdef public str error_id
    cdef object entry
    cdef int ending
    cdef int kind
    cdef int record

@cython.final
cdef class Entry:
    cdef readonly object method
    cdef readonly str name
    cdef readonly str service
    cdef readonly int number
    cdef readonly bint oneway
    cdef readonly bint void
    cdef readonly long long timeout
    cdef readonly object target
    cdef readonly object chain
    cdef readonly object guard
    cdef list codecs
    cdef Codec binary
    cdef Codec codec(self, Protocol protocol)

@cython.final
cdef class Current:
    cdef public Call call

@cython.final
cdef class Seat:
    cdef public object fiber
    cdef public Call call
    cdef public bint expired
    cdef public bint returned
    cdef public bint left
    cdef public bint spoiled
    cdef object context
    cdef object variables
    cdef Current current
