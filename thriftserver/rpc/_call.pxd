# Types for the compiled form of call.py.
cimport cython

@cython.final
cdef class Call:
    cdef public str service
    cdef public str method
    cdef public int seqid
    cdef public str peer
    cdef public bint oneway
    cdef public object args
    cdef object _headers
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
