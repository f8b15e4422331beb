# Types for the compiled form of container.py.
cimport cython

from thriftserver.codec._node cimport Node, enter, nest
from thriftserver.codec._seam cimport (
    Sink, Source, check_size, cut, length, put_pairs, put_raw, put_size, put_u8, take_length, take_pairs, take_u8,
)

cdef extern from "crowd.h":
    bint crowded(list keys, bint mapping) except -1
    bint all_of(list items, object first, object second)

cdef Node _NOBODY
cdef Py_ssize_t _MOST
cdef Py_ssize_t _FEW

cdef class List(Node):
    cdef Node element
    cdef bint frozen
    @cython.locals(element=Node, code=cython.int, size=cython.int, items=list)
    cdef list read_items(self, Source source)
    @cython.locals(element=Node, size=cython.Py_ssize_t)
    cdef int write_items(self, Sink sink, object items) except -1
    cdef list held(self, object value)

cdef class Set(List):
    cdef object first
    cdef object second
    cdef bint guarded
    @cython.locals(items=list)
    cdef object read(self, Source source)
    @cython.locals(items=list, unique=list, hashed=cython.bint)
    cdef int write(self, Sink sink, object value) except -1
    @cython.locals(element=Node, start=cython.Py_ssize_t, index=cython.Py_ssize_t, pieces=dict)
    cdef int write_once(self, Sink sink, list items) except -1

cdef class Map(Node):
    cdef Node key
    cdef Node element
    cdef bint frozen
    cdef object first
    cdef object second
    cdef bint guarded
    @cython.locals(key=Node, element=Node, key_code=cython.int, code=cython.int, size=cython.int, index=cython.int, known=cython.bint, items=dict, names=list, values=list)
    cdef object read(self, Source source)
    @cython.locals(key=Node, element=Node, start=cython.Py_ssize_t)
    cdef int write_items(self, Sink sink, dict items) except -1
    @cython.locals(key=Node, element=Node, index=cython.Py_ssize_t, size=cython.Py_ssize_t, known=cython.bint, unlike=cython.bint)
    cdef int write_each(self, Sink sink, dict items, Py_ssize_t start) except -1
    @cython.locals(key=Node, element=Node, index=cython.Py_ssize_t, start=cython.Py_ssize_t, known=cython.bint, pieces=dict)
    cdef int write_once(self, Sink sink, list pairs) except -1

cdef list distinct(list items, bint guarded)
cdef Py_ssize_t sized(Py_ssize_t size) except -1
cdef object map_step(Py_ssize_t index, bint known, object name)
cdef object listed(Node node, object value)
