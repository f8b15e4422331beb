# Types for the compiled form of outgoing.py, and the C twin of what it takes from io.py.
cimport cython

from thriftserver.rpc._call cimport Seat
from thriftserver.worker._pump cimport Member, Pump

cdef extern from "Python.h":
    unsigned long thread_number "PyThread_get_thread_ident"()

cdef double NEVER

cdef class End(Member):
    cdef readonly object sock
    cdef bint ready
    cdef public bint added
    cdef bint late
    cdef object waiter
    cdef Outgoing outgoing
    cpdef object on_ready(self, Seat seat)
    cpdef object close(self)

cdef class Outgoing:
    cdef readonly Pump pump
    cdef object hub
    cdef public bint waking
    cdef readonly list due
    cdef object _rest
    cdef unsigned long _thread
    cdef object _pid
    cdef dict _until
    cdef double _armed
    cdef object _timer
    cpdef bint is_mine(self) except -1
    cdef bint in_thread(self)
    cdef object release(self, End end)
    @cython.locals(due=list, end=End)
    cpdef object resume(self)
    cdef object park(self, End end, double until)
    cdef object _arm(self, double until)
    @cython.locals(end=End, until=cython.double, now=cython.double, earliest=cython.double)
    cpdef object _expire(self)
    cpdef object drop(self, End end)
