# What a protocol's _seam.pxd has of loops.py, over the loops in C of its seam.h.

cdef inline int pass_fields(Source source) except -1:
    source.pos = skip_fields(source.base + source.pos, source.base + source.end) - source.base
    return 0

cdef inline list take_run(Source source, Py_ssize_t size, int kind, dict members):
    cdef const char *at = source.base + source.pos
    if kind == 0:
        return []
    cdef list items = take_values(&at, source.base + source.end, size, kind, members)
    source.pos = at - source.base
    return items

cdef inline Py_ssize_t take_pairs(Source source, dict items, Py_ssize_t size, int key, int kind, dict members) except -1:
    cdef Py_ssize_t index = 0
    if key == 11 and kind != 0:
        source.pos = take_texted(source.base + source.pos, source.base + source.end, items, size, kind, members, &index) - source.base
    return index

cdef inline Py_ssize_t put_run_from(Sink sink, object items, Py_ssize_t index, int kind, int wire):
    sink.at = put_values(sink.at, sink.end, items, kind, wire, &index)
    return index

cdef inline bint put_pairs(Sink sink, dict items, int key, int kind, int wire):
    cdef char *at = NULL
    if key == 11 and kind != 0:
        at = put_texted(sink.at, sink.end, items, kind, wire)
    if at == NULL:
        return False
    sink.at = at
    return True
