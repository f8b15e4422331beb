# cython: language_level=3
"""The C twins of ``slots``: where the values of a struct lie in its instances."""
import struct

import msgspec

cdef extern from "values.h":
    Py_ssize_t slot_offset(object cls, object name)


cdef list slot_offsets(object cls, object names):
    """Where the slots of a struct's class lie; None unless all are plain object slots of one msgspec.Struct."""
    if not isinstance(cls, type) or not issubclass(cls, msgspec.Struct):
        return None
    offsets = [slot_offset(cls, name) for name in names]
    return offsets if min(offsets, default=1) > 0 else None


cdef Py_ssize_t list_offset(Py_ssize_t place) except -1:
    return place * sizeof(PyObject *)


cdef bytes slot_table(object offsets):
    return struct.pack(f"{len(offsets)}n", *offsets)


cdef bytes slot_rows(object rows):
    """(offset, id, wire type, kind, required, members) of fields, as put_slots and take_slots want them."""
    packed = [
        struct.pack("nPhBBB0n", offset, id(members), number, wire, kind, required)
        for offset, number, wire, kind, required, members in rows
    ]
    return b"".join(packed)
