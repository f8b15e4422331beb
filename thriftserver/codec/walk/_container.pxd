# Types for the compiled form of container.py.
cimport cython

from thriftserver.codec._memory cimport Sink, Source, check_size, cut, length, put_raw

from ._node cimport Node, enter, nest
from ._seam cimport (
    begin_key, begin_list, begin_map, close_key, close_list, close_map, end_key, end_list, end_map, open_key, open_list, open_map,
    put_pairs, take_pairs,
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
    @cython.locals(element=Node, size=cython.int, items=list)
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
    @cython.locals(key=Node, element=Node, size=cython.int, index=cython.int, known=cython.bint, items=dict, names=list, values=list)
    cdef object read(self, Source source)
    @cython.locals(key=Node, element=Node, start=cython.Py_ssize_t, plain=cython.bint)
    cdef int write_items(self, Sink sink, dict items) except -1
    @cython.locals(key=Node, element=Node, index=cython.Py_ssize_t, size=cython.Py_ssize_t, known=cython.bint, unlike=cython.bint)
    cdef bint write_each(self, Sink sink, dict items, Py_ssize_t start) except -1
    @cython.locals(key=Node, element=Node, index=cython.Py_ssize_t, start=cython.Py_ssize_t, known=cython.bint, pieces=dict)
    cdef int write_once(self, Sink sink, list pairs) except -1

cdef list distinct(list items, bint guarded)
cdef Py_ssize_t sized(Py_ssize_t size) except -1
cdef object map_step(Py_ssize_t index, bint known, object name)
cdef object listed(Node node, object value)
