# Types for the compiled form of header.py.
cimport cython

from thriftserver.codec._header cimport Header, blank
from thriftserver.codec._memory cimport Sink, Source, put_raw
from thriftserver.codec.tjson._seam cimport close, demand, put_i32, put_text, take_i8, take_i32, take_short

cdef int _MAX_NAME
cdef int _VERSION

@cython.locals(version=cython.int, header=Header)
cdef Header take_message(Source source)
cdef int close_message(Source source) except -1
cdef bint begin_message(Sink sink, Header header, int kind) except -1
cdef int end_message(Sink sink) except -1
