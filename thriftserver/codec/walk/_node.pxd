# Types for the compiled form of node.py.
cimport cython

from thriftserver.codec._memory cimport Sink, Source, check_size

from ._seam cimport (
    close_field, close_key, close_list, close_map, close_struct, kind_of, least_of, open_key, open_list, open_map, open_struct,
    pass_value, pass_values, put_bool, put_bytes, put_double, put_double_run, put_i16, put_i32, put_i32_run, put_i64,
    put_i64_run, put_i8, put_run_from, put_text, put_uuid, take_binary, take_bool, take_double, take_double_run, take_field,
    take_i16, take_i32, take_i32_run, take_i64, take_i64_run, take_i8, take_name, take_run, take_text, take_uuid,
)

cdef int _limit
cdef int _STRUCT
cdef int _MAP
cdef tuple _INTEGERS

cdef class Node:
    cdef str text
    cdef Py_ssize_t width
    cdef int wire
    cdef int kind
    cdef dict members
    cpdef link(self, row, node_of)
    cdef object read(self, Source source)
    cdef int write(self, Sink sink, object value) except -1
    cdef object misfit(self, object value)
    cdef object read_key(self, Source source)
    cdef list read_run(self, Source source, Py_ssize_t size)
    cdef list read_rest(self, Source source, Py_ssize_t size, list items)
    @cython.locals(index=cython.Py_ssize_t)
    cdef Py_ssize_t write_run(self, Sink sink, object items) except -1

cdef class Deep(Node):
    pass

cdef class Bool(Node):
    cdef int write_other(self, Sink sink, object value) except -1

cdef class I8(Node):
    pass

cdef class I16(Node):
    pass

cdef class I32(Node):
    @cython.locals(items=list)
    cdef list read_run(self, Source source, Py_ssize_t size)
    @cython.locals(put=cython.Py_ssize_t)
    cdef Py_ssize_t write_run(self, Sink sink, object items) except -1

cdef class I64(Node):
    @cython.locals(items=list)
    cdef list read_run(self, Source source, Py_ssize_t size)
    @cython.locals(put=cython.Py_ssize_t)
    cdef Py_ssize_t write_run(self, Sink sink, object items) except -1

cdef class Double(Node):
    @cython.locals(items=list)
    cdef list read_run(self, Source source, Py_ssize_t size)
    @cython.locals(put=cython.Py_ssize_t)
    cdef Py_ssize_t write_run(self, Sink sink, object items) except -1

cdef class Enum(Node):
    @cython.locals(number=object)
    cdef object read(self, Source source)

cdef class Text(Node):
    pass

cdef class Binary(Node):
    pass

cdef class Uuid(Node):
    pass

cdef int enter(Source source) except -1
cdef int nest(Sink sink) except -1
cdef int skip(Source source, int code) except -1
@cython.locals(inner=cython.int, outer=cython.int, size=cython.Py_ssize_t)
cdef int skip_inside(Source source, int code) except -1
cdef int skip_items(Source source, Py_ssize_t size, int first, int second) except -1
cdef int width_of(int code) except -1
