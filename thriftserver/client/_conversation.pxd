# Types for the compiled form of conversation.py.
cimport cython

from thriftserver.codec._header cimport Header
from thriftserver.codec._memory cimport Sink, finish
from thriftserver.codec._protocol cimport Codec, Protocol
from thriftserver.dialect._transport cimport Transport

cdef int _MOST
cdef int _CALL
cdef int _ONEWAY
cdef int _REPLY

cdef class Conversation:
    cdef str _dialect
    cdef str _path
    cdef Transport _transport
    cdef readonly Py_ssize_t max_frame
    cdef bint _framed
    cdef bint _http
    cdef readonly bint takes_infos
    cdef str _prefix
    cdef int _seqid
    cdef object _plan
    cdef Codec _codec
    cdef str _called
    cdef int _kind
    cdef public dict headers
    cpdef object again(self, str peer=*)
    cpdef bint over(self) except -1
    cpdef str called(self, object plan)
    @cython.locals(transport=Transport, header=Header, sink=Sink)
    cpdef bytes call(self, object plan, object args, object infos)
    cpdef Py_ssize_t measure(self, object data) except -1
    @cython.locals(transport=Transport, header=Header, protocol=Protocol, codec=Codec)
    cpdef object reply(self, bytes message)
    cdef object _turn_to(self, object plan)
    cdef int _check(self, Header header) except -1
