# Types for the compiled form of pooled.py.
cimport cython

from thriftserver.client._channel cimport Channel
from thriftserver.client._deadline cimport Deadline
from thriftserver.client._lending cimport Held, Lender, pop, push
from thriftserver.rpc._processor cimport clock

cdef class Single(Held):
    cdef readonly object channel
    cdef readonly object most
    cdef public bint made

cdef class Connection(Single):
    @cython.locals(channel=Channel)
    cpdef object call(self, object plan, object args, Deadline deadline)

cdef class FastPath:
    cdef readonly object timeout
    cdef readonly Lender lender
    cdef readonly bint careful
    cdef public bint closed
    cdef public list free
    cdef public object waiting
    @cython.locals(deadline=Deadline, free=list, lender=Lender, now=cython.double, held=Connection)
    cpdef object call(self, object plan, object args)

cpdef object left_of(Deadline deadline)
cpdef Deadline part(Deadline deadline, object most)
