# The C twin of header.py.
cimport cython

from thriftserver.codec._memory cimport Source

@cython.final
cdef class Header:
    cdef public str name
    cdef public int kind
    cdef public int seqid
    cdef public bint strict
    cdef public Py_ssize_t body
    cdef public object protocol
    cdef public Source source
    cdef public dict infos
    cdef public int number
    cdef public object packing

cdef inline Header blank():
    return Header.__new__(Header)
