# The C twins of slots.py.
from cpython.object cimport PyObject

cdef extern from "values.h":
    ctypedef struct slot_row:
        pass
    PyObject *slot_at(object value, Py_ssize_t offset)
    void slot_put(object value, Py_ssize_t offset, object item)
    object slots_new(object cls, object blank, const Py_ssize_t *offsets)
    void slots_done(object value, const slot_row *row, Py_ssize_t count)
    char *slots_base(object values, bint direct)
    void list_put(object values, Py_ssize_t place, object item)

cdef list slot_offsets(object cls, object names)
cdef Py_ssize_t list_offset(Py_ssize_t place) except -1
cdef bytes slot_table(object offsets)
cdef bytes slot_rows(object rows)
