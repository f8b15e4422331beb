# Types for the compiled form of walk.py, and what is inlined where compiled code fills slots directly.
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.list cimport PyList_GET_ITEM

from thriftserver.codec._seam cimport (
    Place, Sink, Source, list_put, pass_over, put_bytes, put_double, put_field, put_i8, put_i16, put_i32, put_i64,
    put_raw, put_size, put_text, put_u8, slot_get, slot_offsets, slot_put, slot_table, slots_done, slots_new, take_bytes,
    take_double, take_i8, take_i16, take_i32, take_i64, take_text, take_u8,
)

cdef int _limit
cdef object _ABSENT
cdef tuple _INTEGERS
cdef int[17] _WIDTHS
cdef int[17] _LEAST

cdef class Node:
    cdef str text
    cdef Py_ssize_t width
    cdef int wire
    cpdef link(self, row)
    cdef object read(self, Source source)
    cdef int write(self, Sink sink, object value) except -1
    cdef object misfit(self, object value)

cdef class Bool(Node):
    cdef int write_other(self, Sink sink, object value) except -1

cdef class I8(Node):
    pass

cdef class I16(Node):
    pass

cdef class I32(Node):
    pass

cdef class I64(Node):
    pass

cdef class Double(Node):
    pass

cdef class Enum(Node):
    cdef dict members
    @cython.locals(number=object)
    cdef object read(self, Source source)

cdef class Text(Node):
    pass

cdef class Binary(Node):
    pass

cdef class Uuid(Node):
    pass

cdef class List(Node):
    cdef Node element
    cdef bint frozen
    @cython.locals(element=Node, code=cython.int, size=cython.int, items=list)
    cdef list read_items(self, Source source)
    @cython.locals(element=Node, size=cython.Py_ssize_t, index=cython.Py_ssize_t)
    cdef int write_items(self, Sink sink, object items) except -1

cdef class Set(List):
    pass

cdef class Map(Node):
    cdef Node key
    cdef Node element
    cdef bint frozen
    @cython.locals(key=Node, element=Node, key_code=cython.int, code=cython.int, size=cython.int, index=cython.int, items=dict)
    cdef object read(self, Source source)
    @cython.locals(key=Node, element=Node, index=cython.Py_ssize_t)
    cdef int write_items(self, Sink sink, dict items) except -1

@cython.final
cdef class Member:
    cdef readonly int id
    cdef readonly str name
    cdef readonly Py_ssize_t place
    cdef readonly bint required
    cdef readonly int wire
    cdef readonly Py_ssize_t rank
    cdef readonly Py_ssize_t offset
    cdef readonly str step
    cdef readonly Node node
    cdef readonly object default
    cdef readonly object factory
    cdef object fallback(self)

@cython.final
cdef class Fields:
    cdef list blank
    cdef dict by_id
    cdef object cls
    cdef Py_ssize_t count
    cdef bint direct
    cdef list late
    cdef readonly list members
    cdef bytes table
    @cython.locals(members=list, count=cython.Py_ssize_t, hint=cython.Py_ssize_t, member=Member, id=cython.int, code=cython.int, step=str)
    cdef object read(self, Source source)

cdef class Struct(Node):
    cdef object cls
    cdef Fields fields
    cdef object plan
    @cython.locals(member=Member, direct=cython.bint)
    cdef int write(self, Sink sink, object value) except -1
    cdef object stranger(self, object value, str name)

cdef class Union(Struct):
    @cython.locals(member=Member, id=cython.int, code=cython.int, step=str)
    cdef object read(self, Source source)
    @cython.locals(member=Member, chosen=Member)
    cdef int write(self, Sink sink, object value) except -1

cdef object _choose_which
cdef object _choose_value

cdef int choose(object union, str name, object value) except -1
cdef Node node_of(object row)
cdef int enter(Place place) except -1
cdef int take_length(Source source) except -1
cdef int check_size(Source source, Py_ssize_t size, Py_ssize_t width) except -1
cdef object map_step(Py_ssize_t index, object name)
cdef object listed(Node node, object value)
@cython.locals(width=cython.int, inner=cython.int, key=cython.int)
cdef int skip(Source source, int code) except -1
@cython.locals(least=cython.Py_ssize_t)
cdef int skip_items(Source source, Py_ssize_t size, int first, int second) except -1
cdef int least_of(int code) except -1

cdef inline object slot(object value, Member member):
    return slot_get(value, member.offset, member.name)

cdef inline object begin(Fields fields):
    if fields.direct:
        return slots_new(fields.cls, fields.blank, <const Py_ssize_t *>PyBytes_AS_STRING(fields.table))
    return fields.blank[:]

cdef inline int keep(object values, Member member, object value) except -1:
    if member.offset != 0:
        slot_put(values, member.offset, value)
    else:
        list_put(values, member.place, value)
    return 0

cdef inline object kept(object values, Member member):
    if member.offset != 0:
        return slot_get(values, member.offset, member.name)
    return <object>PyList_GET_ITEM(values, member.place)

cdef inline object complete(Fields fields, object values):
    if fields.direct:
        slots_done(values, <const Py_ssize_t *>PyBytes_AS_STRING(fields.table), fields.count)
        return values
    return values if fields.cls is None else fields.cls(*values)
