# The C twins of memory.py: what is inlined into compiled code. Every read is checked against the end of the data.
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject

cdef extern from "values.h":
    void store32(char *at, int n) nogil
    object new_text(const char *at, Py_ssize_t size)
    object known_text(const char *at, Py_ssize_t size)
    void copy(char *to, const char *start, Py_ssize_t size)
    bint is_ascii(object text)
    const char *text_utf8(object text, Py_ssize_t *size) except NULL
    const char *ascii_utf8(object text, Py_ssize_t *size)
    bint plain_int(object value)
    long long int_of(object value, int *overflow) except? -1

#: Bytes that a message's sink keeps free in front.
cdef enum:
    FRONT = 32

@cython.final
cdef class Source:
    cdef int depth
    cdef int code, key_code, field, state
    cdef Py_ssize_t skipped, repeated, misordered  # zero in a new one
    cdef object data  # what owns the memory at base
    cdef const char *base
    cdef Py_ssize_t pos, end

@cython.final
cdef class Sink:
    cdef int depth
    cdef int field, state
    cdef Py_ssize_t first
    cdef Py_ssize_t scratch  # bytes of its own memory at start, while owner is NULL
    cdef char *start
    cdef char *at
    cdef char *end
    cdef PyObject *owner

cpdef Source new_source(bytes data, Py_ssize_t pos)
cdef Source view(object data, Py_ssize_t pos)
cpdef Sink new_sink(bint message)
cpdef bytes finish(Sink sink)
cdef bytes finish_frame(Sink sink)
cdef Py_ssize_t seal(Sink sink) except -1
cpdef bint put_front(Sink sink, bytes data) except -1
cdef Py_ssize_t length(Sink sink) except -1
cdef bytes cut(Sink sink, Py_ssize_t start)
cdef int recycle(Sink sink) except -1
cdef int fail_long(Py_ssize_t size) except -1
cdef int grow(Sink sink, Py_ssize_t size) except -1
cdef int fail_short(Source source, Py_ssize_t size) except -1
cdef int fail_size(Source source, Py_ssize_t size) except -1
cdef object fail_text(Source source, Py_ssize_t size)
cdef object integer(object value)
cdef const char *wide_utf8(object value, Py_ssize_t *size) except? NULL

cdef inline int take_u8(Source source) except -1:
    cdef Py_ssize_t pos = source.pos
    if pos >= source.end:
        fail_short(source, 1)
    source.pos = pos + 1
    return <unsigned char>source.base[pos]

cdef inline int check_size(Source source, Py_ssize_t size, Py_ssize_t width) except -1:
    if size > (source.end - source.pos) // width:
        fail_size(source, size)
    return 0

cdef inline object take_raw(Source source, Py_ssize_t size):
    cdef Py_ssize_t pos = source.pos
    if size > source.end - pos:
        fail_short(source, size)
    source.pos = pos + size
    return PyBytes_FromStringAndSize(source.base + pos, size)

cdef inline object take_utf8(Source source, Py_ssize_t size):
    cdef Py_ssize_t pos = source.pos
    if size > source.end - pos:
        fail_short(source, size)
    source.pos = pos + size
    try_text = new_text(source.base + pos, size)
    if try_text is None:
        source.pos = pos
        return fail_text(source, size)
    return try_text

cdef inline object take_known(Source source, Py_ssize_t size):
    cdef Py_ssize_t pos = source.pos
    if size > source.end - pos:
        fail_short(source, size)
    if size > 32 or size < 2:
        return take_utf8(source, size)
    source.pos = pos + size
    name = known_text(source.base + pos, size)
    if name is None:
        source.pos = pos
        return fail_text(source, size)
    return name

cdef inline int pass_over(Source source, Py_ssize_t size) except -1:
    if size > source.end - source.pos:
        fail_short(source, size)
    source.pos += size
    return 0

cdef inline int room(Sink sink, Py_ssize_t size) except -1:
    if sink.end - sink.at < size:
        grow(sink, size)
    return 0

cdef inline int put_u8(Sink sink, int value) except -1:
    room(sink, 1)
    sink.at[0] = <char>value
    sink.at += 1
    return 0

cdef inline int put_run(Sink sink, const char *data, Py_ssize_t size) except -1:
    room(sink, size)
    copy(sink.at, data, size)
    sink.at += size
    return 0

cdef inline int put_raw(Sink sink, bytes data) except -1:
    return put_run(sink, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))

cpdef Sink sink_of(bytes data)

cdef inline bint whole(object value, long long *number) except -1:
    """Whether a value stands for an integer of 64 bits."""
    cdef int overflow = 0
    if not plain_int(value):
        value = integer(value)
        if value is None:
            return False
    number[0] = int_of(value, &overflow)
    return not overflow

cdef inline const char *utf8(object value, Py_ssize_t *size) except? NULL:
    """The bytes of a text; NULL for what is none, or cannot be UTF-8."""
    if is_ascii(value):
        return ascii_utf8(value, size)
    return wide_utf8(value, size)

cdef inline Py_ssize_t waiting(Sink sink) noexcept:
    return sink.at - sink.start - sink.first

cdef inline int patch(Sink sink, Py_ssize_t at, int number) noexcept:
    store32(sink.start + sink.first + at, number)
    return 0
