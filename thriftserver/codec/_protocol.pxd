# Types for the compiled form of protocol.py.
cimport cython

from thriftserver.codec._header cimport Header
from thriftserver.codec._memory cimport Sink, Source

cdef class Tally:
    cdef public Py_ssize_t skipped, repeated, misordered, trailing
    cdef int add(self, Source source) except -1

cdef class Scanner:
    cdef public Py_ssize_t wanted
    cpdef object reset(self)
    cdef bint scan(self, Source source) except -1

cdef class Codec:
    cpdef Sink put_call(self, Header header, object args)
    cpdef object take_reply(self, Header header)
    cdef list take_args(self, Source source)
    cdef Sink put_result(self, Header header, object value)
    cdef Sink put_declared(self, Header header, Py_ssize_t index, object exc)

cdef class Protocol:
    cdef readonly str name
    cdef readonly int number
    cpdef Codec codec_of(self, object plan)
    cpdef Header take_header(self, Source source)
    cpdef Scanner new_scanner(self)
    cpdef Sink put_error(self, Header header, int type, object message)

@cython.locals(protocol=Protocol)
cdef Sink put_error(Header header, int type, object message)
