# Types for the compiled form of deadline.py, and the C twin of what it takes from limit.py.
cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF

from thriftserver.rpc._call cimport Call, Current
from thriftserver.rpc._processor cimport clock

cdef extern from "Python.h":
    int PyContextVar_Get(object var, PyObject *default_value, PyObject **value) except -1

cdef double _MOST

cdef inline object value_of(object var):
    cdef PyObject *found = NULL
    PyContextVar_Get(var, NULL, &found)
    if found is NULL:
        return None
    value = <object>found
    Py_DECREF(value)
    return value

@cython.locals(current=Current, call=Call)
cpdef object limit()

@cython.final
cdef class Deadline:
    cdef readonly str phase
    cdef public bint sent
    cdef Py_ssize_t _size
    cdef bint _ends
    cdef double _end, _seconds
    cpdef object enter(self, str phase, Py_ssize_t size=*)
    @cython.locals(left=cython.double)
    cpdef object left(self)
    cpdef object infos(self)
    cpdef object passed(self)
