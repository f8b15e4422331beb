# cython: language_level=3
"""The C twins of ``seam``: what is too rare or too large to be inlined."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from thriftserver.codec.fault import Fault
from thriftserver.codec.odd import odd_bytes, odd_double

cdef int[17] LEAST = [0, 0, 1, 1, 8, 0, 2, 0, 4, 0, 8, 4, 1, 6, 5, 5, 16]
cdef int[17] WIDTHS = [0, 0, 1, 1, 8, 0, 2, 0, 4, 0, 8, 0, 0, 0, 0, 0, 16]

include "../_seam.pxi"



cdef int fail_negative(int size) except -1:
    raise Fault(f"negative size {size}")


cdef bint pass_value(Source source, int code) except -1:
    if least_of(code) == 0:
        raise Fault(f"unknown wire type {code}")
    if WIDTHS[code] != 0:
        pass_over(source, WIDTHS[code])
    elif code == 11:
        pass_over(source, take_length(source))
    else:
        return False
    return True
