# What _tunnel takes from _ends.
cdef extern from "line.h":
    ctypedef struct Line:
        int fd
        bint over
        bint dead
        size_t size

cdef class Client:
    cdef readonly object sock
    cdef readonly int fd
    cdef Line line
    cdef readonly bint over
    cdef readonly bint dead
    cdef readonly bint full
    cdef readonly bint stuck
    cpdef Py_ssize_t read(self) noexcept
    cpdef void write(self, Py_ssize_t size) noexcept
    cpdef void flush(self) noexcept
    cpdef void finish(self) noexcept
    cpdef object release(self)
    cpdef object close(self)
    cdef void look(self) noexcept

cdef class Worker:
    cdef readonly object sock
    cdef readonly int fd
    cdef unsigned char *kept
    cdef size_t size
    cdef readonly bint over
    cdef readonly bint full
    cpdef Py_ssize_t read(self) noexcept
    cpdef void write(self, Py_ssize_t size) noexcept
    cpdef void flush(self) noexcept
    cpdef void finish(self) noexcept
    cpdef object close(self)
