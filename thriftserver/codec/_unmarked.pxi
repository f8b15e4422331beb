# The C twins of unmarked.py, for the _seam.pxd of protocols that mark no ends.

cdef inline int close_field(Source source) except -1:
    return 0

cdef inline int close_list(Source source) except -1:
    return 0

cdef inline int open_key(Source source) except -1:
    return 0

cdef inline int close_key(Source source) except -1:
    return 0

cdef inline int close_map(Source source) except -1:
    return 0

cdef inline int end_field(Sink sink) except -1:
    return 0

cdef inline int end_list(Sink sink) except -1:
    return 0

cdef inline int begin_key(Sink sink) except -1:
    return 0

cdef inline int end_key(Sink sink) except -1:
    return 0

cdef inline int end_map(Sink sink) except -1:
    return 0
