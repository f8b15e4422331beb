# Types for the compiled form of header.py.
cimport cython

from thriftserver.codec._memory cimport Sink, Source, pass_over, put_u8, take_known, take_u8
from thriftserver.codec._header cimport Header, blank
from thriftserver.codec.binary._seam cimport put_size, put_text, take_i32, take_length

cdef long long _VERSION_1
cdef long long _VERSION_MASK
cdef int _MAX_NAME

@cython.locals(word=cython.int, kind=cython.int, size=cython.int, strict=cython.bint, header=Header, name=str)
cdef Header take_message(Source source)
@cython.locals(size=cython.int, strict=cython.bint)
cdef int pass_message(Source source) except -1
cdef int close_message(Source source) except -1
cdef bint begin_message(Sink sink, Header header, int kind) except -1
cdef int end_message(Sink sink) except -1
