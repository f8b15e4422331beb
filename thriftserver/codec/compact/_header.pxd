# Types for the compiled form of header.py.
cimport cython

from thriftserver.codec._header cimport Header, blank
from thriftserver.codec._memory cimport Sink, Source, pass_over, put_u8, take_known, take_u8
from thriftserver.codec.compact._seam cimport put_text, put_u32, take_length, take_u32

cdef int _ID
cdef int _VERSION
cdef int _MAX_NAME

@cython.locals(kind=cython.int, header=Header)
cdef Header take_message(Source source)
@cython.locals(byte=cython.int)
cdef int take_kind(Source source) except -1
@cython.locals(size=cython.int)
cdef int take_size(Source source) except -1
cdef int pass_message(Source source) except -1
cdef int close_message(Source source) except -1
cdef bint begin_message(Sink sink, Header header, int kind) except -1
cdef int end_message(Sink sink) except -1
