# Types for the compiled form of lending.py.
cimport cython

cdef class Place:
    cdef readonly set busy
    cdef readonly object idle
    cdef public double cost
    cdef public bint odd

cdef class Held:
    cdef readonly Place endpoint
    cdef public double until
    cdef public double used
    cdef public long long calls
    cdef public long long repeats

cdef class Lender:
    cdef public object pairs
    cdef object _new
    cdef object _drop
    @cython.locals(first=Place, second=Place, drawn=tuple)
    cpdef Place choose(self)
    @cython.locals(held=Held)
    cpdef Held take(self, double now)
    @cython.locals(held=Held)
    cpdef Held take_of(self, Place place, double now)
    @cython.locals(held=Held)
    cpdef Held borrow(self, Place place, double now)
    @cython.locals(place=Place)
    cpdef bint give(self, Held held) except -1
