# Types for the compiled form of scan.py.
cimport cython

from thriftserver.codec._memory cimport Source
from thriftserver.codec._protocol cimport Scanner
from thriftserver.codec.tjson._seam cimport next_mark, past_gap

cdef int _DEEPEST

cdef class Scan(Scanner):
    cdef int depth
    cdef bint quoted, escaped, begun
    cpdef object reset(self)
    @cython.locals(mark=cython.int)
    cdef bint scan(self, Source source) except -1
