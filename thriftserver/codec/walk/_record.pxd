# Types for the compiled form of record.py, and what is inlined where compiled code fills slots directly.
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.list cimport PyList_GET_ITEM
from cpython.object cimport PyObject

from thriftserver.codec._memory cimport Sink, Source
from thriftserver.codec._slots cimport (
    list_offset, list_put, slot_at, slot_offsets, slot_put, slot_row, slot_rows, slot_table, slots_base, slots_done, slots_new,
)

from ._container cimport List, Map, Set
from ._node cimport Binary, Bool, Deep, Double, Enum, I16, I32, I64, I8, Node, Text, Uuid, enter, nest, skip
from ._seam cimport (
    begin_struct, close_field, close_struct, end_field, end_struct, open_struct, put_field, put_slots, take_field, take_slots,
)

cdef object _ABSENT
cdef list _NO_BLANK
cdef list _unlinked

@cython.final
cdef class Member:
    cdef readonly int id
    cdef readonly str name
    cdef readonly Py_ssize_t place
    cdef readonly bint required
    cdef readonly int wire
    cdef public Py_ssize_t order
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
    cdef bytes rows, table
    cdef object row(self, Member member)
    @cython.locals(members=list, member=Member, index=cython.Py_ssize_t, id=cython.int, code=cython.int, outer=cython.int, inside=cython.bint)
    cdef object read(self, Source source)
    cdef int count_late(self, Source source, object values, Member member) except -1

cdef class Struct(Node):
    cdef object cls
    cdef Fields fields
    @cython.locals(member=Member, fields=Fields, direct=cython.bint, index=cython.Py_ssize_t, outer=cython.int)
    cdef int write(self, Sink sink, object value) except -1
    cdef object stranger(self, object value, str name)

cdef class Union(Struct):
    @cython.locals(member=Member, id=cython.int, code=cython.int, outer=cython.int, inside=cython.bint, chosen=cython.bint)
    cdef object read(self, Source source)
    @cython.locals(member=Member, chosen=Member, outer=cython.int)
    cdef int write(self, Sink sink, object value) except -1

cdef object _choose_which
cdef object _choose_value

cdef int choose(object union, str name, object value) except -1
cpdef Node node_of(object row)

cdef inline object slot(object value, Member member):
    cdef PyObject *item = slot_at(value, member.offset)
    if item == NULL:  # deleted by its owner: let Python say so
        return getattr(value, member.name)
    return <object>item

cdef inline object begin(Fields fields):
    if fields.direct:
        return slots_new(fields.cls, fields.blank if fields.late else _NO_BLANK, <const Py_ssize_t *>PyBytes_AS_STRING(fields.table))
    return fields.blank[:]

cdef inline int keep(object values, Member member, object value) except -1:
    if member.offset != 0:
        slot_put(values, member.offset, value)
    else:
        list_put(values, member.place, value)
    return 0

cdef inline object kept(object values, Member member):
    cdef PyObject *item
    if member.offset != 0:
        item = slot_at(values, member.offset)
        return None if item == NULL else <object>item
    return <object>PyList_GET_ITEM(values, member.place)

cdef inline object complete(Fields fields, object values):
    if fields.direct:
        slots_done(values, <const slot_row *>PyBytes_AS_STRING(fields.rows), fields.count)
        return values
    return values if fields.cls is None else fields.cls(*values)

cdef inline Py_ssize_t put_plain(Sink sink, object value, Fields fields, Py_ssize_t index):
    return put_slots(sink, value, <const slot_row *>PyBytes_AS_STRING(fields.rows), fields.count, index)

cdef inline Py_ssize_t take_plain(Source source, object values, Fields fields, Py_ssize_t index):
    cdef char *base = slots_base(values, fields.direct)
    return take_slots(source, base, <const slot_row *>PyBytes_AS_STRING(fields.rows), fields.count, index)
