# Types for the compiled form of walk.py, and what is inlined where compiled code fills slots directly.
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.list cimport PyList_GET_ITEM
from cpython.object cimport PyObject

from thriftserver.codec._node cimport (
    Binary, Bool, Deep, Double, Enum, I16, I32, I64, I8, Node, Text, Uuid, check_size, enter, nest, skip, take_length,
)
from thriftserver.codec._seam cimport (
    Sink, Source, list_put, put_field, put_size, put_u8, slot_at, slot_offsets, slot_put, slot_table, slots_done,
    slots_new, take_i16, take_u8,
)

cdef object _ABSENT
cdef list _unlinked
cdef Node _NOBODY

cdef class List(Node):
    cdef Node element
    cdef bint frozen
    @cython.locals(element=Node, code=cython.int, size=cython.int, items=list)
    cdef list read_items(self, Source source)
    @cython.locals(element=Node, size=cython.Py_ssize_t)
    cdef int write_items(self, Sink sink, object items) except -1

cdef class Set(List):
    pass

cdef class Map(Node):
    cdef Node key
    cdef Node element
    cdef bint frozen
    @cython.locals(key=Node, element=Node, key_code=cython.int, code=cython.int, size=cython.int, index=cython.int, known=cython.bint, items=dict)
    cdef object read(self, Source source)
    @cython.locals(key=Node, element=Node, index=cython.Py_ssize_t, known=cython.bint)
    cdef int write_items(self, Sink sink, dict items) except -1

@cython.final
cdef class Member:
    cdef readonly int id
    cdef readonly str name
    cdef readonly Py_ssize_t place
    cdef readonly bint required
    cdef readonly int wire
    cdef public Member next
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
    cdef Member first
    cdef list late
    cdef readonly list members
    cdef bytes table
    @cython.locals(expected=Member, member=Member, id=cython.int, code=cython.int, step=str)
    cdef object read(self, Source source)

cdef class Struct(Node):
    cdef object cls
    cdef Fields fields
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
cdef object map_step(Py_ssize_t index, bint known, object name)
cdef object listed(Node node, object value)
cdef inline object slot(object value, Member member):
    cdef PyObject *item = slot_at(value, member.offset)
    if item == NULL:  # deleted by its owner: let Python say so
        return getattr(value, member.name)
    return <object>item

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
        return <object>slot_at(values, member.offset)
    return <object>PyList_GET_ITEM(values, member.place)

cdef inline object complete(Fields fields, object values):
    if fields.direct:
        slots_done(values, <const Py_ssize_t *>PyBytes_AS_STRING(fields.table), fields.count)
        return values
    return values if fields.cls is None else fields.cls(*values)
