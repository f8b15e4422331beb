# cython: language_level=3
"""The C twins of ``seam``: what is too rare or too large to be inlined."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from thriftserver.codec.compact.varints import load, out_of_range
from thriftserver.codec.fault import Fault
from thriftserver.codec.odd import odd_bytes, odd_double

cdef int[17] LEAST = [0, 0, 1, 1, 8, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 16]
cdef int[17] WIDTHS = [0, 0, 1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16]

include "../_seam.pxi"



cdef int fail_number(Source source, int most, str what) except -1:
    cdef Py_ssize_t left = min(source.end - source.pos, <Py_ssize_t>most)
    data = PyBytes_FromStringAndSize(source.base + source.pos, max(left, 0))
    raise out_of_range(load(data, 0, len(data), most)[0], what)


cdef int fail_id(int id) except -1:
    raise Fault(f"field id {id} is out of range of i16")


cdef int fail_type(int type) except -1:
    raise Fault(f"unknown compact type {type}")


cdef bint pass_value(Source source, int code) except -1:
    if least_of(code) == 0:
        fail_type(code & 15)
    if code == 2:
        take_bool(source)
    elif code == 6:
        take_i16(source)
    elif code == 8:
        take_i32(source)
    elif code == 10:
        take_i64(source)
    elif code == 11:
        pass_over(source, take_length(source))
    elif WIDTHS[code] != 0:
        pass_over(source, WIDTHS[code])
    else:
        return False
    return True






cdef Py_ssize_t put_all(Sink sink, object items, int kind) except -2:
    """All of the numbers at once and how many, or -1 and nothing: then each has to be looked at."""
    cdef Py_ssize_t size = len(items), start = sink.at - sink.start, index = 0, before
    while index < size:
        room(sink, CHUNK)
        before = index
        sink.at = put_values(sink.at, sink.end, items, kind, kind, &index)
        if index == before:
            sink.at = sink.start + start
            return -1
    return size
