# Types for the compiled form of scan.py.
cimport cython

from thriftserver.codec._memory cimport Source
from thriftserver.codec._protocol cimport Scanner

from ._header cimport pass_message
from ._node cimport enter, width_of
from ._seam cimport open_list, open_map, open_struct, pass_fields, pass_value, pass_values, take_field

cdef int _STRUCT
cdef int _MAP
cdef int _LIST

cdef class Scan(Scanner):
    cdef bint begun
    cdef int kind, first, second, level
    cdef long long left
    cdef unsigned int[201] lefts
    cdef signed char[603] codes
    cpdef object reset(self)
    @cython.locals(mark=cython.Py_ssize_t)
    cdef bint scan(self, Source source) except -1
    @cython.locals(code=cython.int)
    cdef int pass_field(self, Source source) except -1
    @cython.locals(code=cython.int)
    cdef int pass_items(self, Source source) except -1
    @cython.locals(size=cython.Py_ssize_t, first=cython.int, second=cython.int, level=cython.int)
    cdef int open(self, Source source, int code) except -1
    @cython.locals(level=cython.int)
    cdef int leave(self, Source source) except -1
