# Types for the compiled form of container.py.
cimport cython

from thriftserver.codec._node cimport Node, enter, nest
from thriftserver.codec._seam cimport Sink, Source, check_size, put_size, put_u8, take_length, take_pairs, take_u8

cdef Node _NOBODY

cdef class List(Node):
    cdef Node element
    cdef bint frozen
    @cython.locals(element=Node, code=cython.int, size=cython.int, items=list)
    cdef list read_items(self, Source source)
    @cython.locals(element=Node, size=cython.Py_ssize_t)
    cdef int write_items(self, Sink sink, object items) except -1

cdef class Set(List):
    pass

cdef class Map(Node):
    cdef Node key
    cdef Node element
    cdef bint frozen
    @cython.locals(key=Node, element=Node, key_code=cython.int, code=cython.int, size=cython.int, index=cython.int, known=cython.bint, items=dict)
    cdef object read(self, Source source)
    @cython.locals(key=Node, element=Node, index=cython.Py_ssize_t, size=cython.Py_ssize_t, known=cython.bint)
    cdef int write_items(self, Sink sink, dict items) except -1

cdef object map_step(Py_ssize_t index, bint known, object name)
cdef object listed(Node node, object value)
