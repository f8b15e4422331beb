# The C twins of seam.py: what is inlined into the compiled walkers. Every read is checked against the end of the data.
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.string cimport memcpy

cdef extern from "seam.h":
    int load16(const char *at) nogil
    int load32(const char *at) nogil
    long long load64(const char *at) nogil
    double load_double(const char *at) nogil
    void store16(char *at, int n) nogil
    void store32(char *at, int n) nogil
    void store64(char *at, long long n) nogil
    void store_double(char *at, double d) nogil
    object new_text(const char *at, Py_ssize_t size)
    object known_text(const char *at, Py_ssize_t size)
    bint is_ascii(object text)
    const char *text_utf8(object text, Py_ssize_t *size) except NULL
    const char *ascii_utf8(object text, Py_ssize_t *size)
    bint plain_int(object value)
    bint exact_float(object value)
    double float_of(object value)
    long long int_of(object value, int *overflow) except? -1
    PyObject *slot_at(object value, Py_ssize_t offset)
    void slot_put(object value, Py_ssize_t offset, object item)
    ctypedef struct slot_row:
        pass
    object slots_new(object cls, object blank, const Py_ssize_t *offsets)
    void slots_done(object value, const slot_row *row, Py_ssize_t count)
    void list_put(object values, Py_ssize_t place, object item)
    int KIND_BINARY
    int KIND_ENUM
    char *slots_base(object values, bint direct)
    const char *take_slots(const char *at, const char *end, char *base, const slot_row *row, Py_ssize_t count, Py_ssize_t *index)
    list take_values(const char **at, const char *end, Py_ssize_t size, int kind, object members)
    const char *take_texted "take_pairs"(const char *at, const char *end, object items, Py_ssize_t size, int kind, object members, Py_ssize_t *index) except NULL
    char *put_values(char *at, const char *end, object items, int kind, int wire, Py_ssize_t *index)
    char *put_texted "put_pairs"(char *at, const char *end, object items, int kind, int wire)
    char *put_slots(char *at, const char *end, object value, const slot_row *row, Py_ssize_t count, Py_ssize_t *index)
    void copy(char *to, const char *start, Py_ssize_t size)

    object i32_list(const char *at, Py_ssize_t size)
    object i64_list(const char *at, Py_ssize_t size)
    object double_list(const char *at, Py_ssize_t size)
    Py_ssize_t put_i32_items(char *at, object items, Py_ssize_t size)
    Py_ssize_t put_i64_items(char *at, object items, Py_ssize_t size)
    Py_ssize_t put_double_items(char *at, object items, Py_ssize_t size)

@cython.final
cdef class Source:
    cdef int depth
    cdef Py_ssize_t skipped, repeated, misordered  # zero in a new one
    cdef object data  # what owns the memory at base
    cdef const char *base
    cdef Py_ssize_t pos, end

@cython.final
cdef class Sink:
    cdef int depth
    cdef Py_ssize_t scratch  # bytes of its own memory at start, while owner is NULL
    cdef char *start
    cdef char *at
    cdef char *end
    cdef PyObject *owner

cdef Source new_source(bytes data, Py_ssize_t pos)
cdef Sink new_sink(bint framed)
cdef bytes finish(Sink sink)
cdef bytes finish_frame(Sink sink)
cdef Py_ssize_t seal(Sink sink) except -1
cdef Py_ssize_t length(Sink sink) except -1
cdef bytes cut(Sink sink, Py_ssize_t start)
cdef int recycle(Sink sink) except -1
cdef int fail_long(Py_ssize_t size) except -1
cdef int grow(Sink sink, Py_ssize_t size) except -1
cdef int fail_short(Source source, Py_ssize_t size) except -1
cdef int fail_negative(int size) except -1
cdef int fail_size(Source source, Py_ssize_t size) except -1
cdef object fail_text(Source source, Py_ssize_t size)
cdef object integer(object value)
cdef bint put_odd_double(Sink sink, object value) except -1
cdef bint put_odd_bytes(Sink sink, object value) except -1
cdef bint put_wide_text(Sink sink, object value) except -1
cdef list slot_offsets(object cls, object names)
cdef Py_ssize_t list_offset(Py_ssize_t place) except -1
cdef bytes slot_table(object offsets)
cdef bytes slot_rows(object rows)
cdef int kind_of(str op, int wire) except -1

cdef inline int take_u8(Source source) except -1:
    cdef Py_ssize_t pos = source.pos
    if pos >= source.end:
        fail_short(source, 1)
    source.pos = pos + 1
    return <unsigned char>source.base[pos]

cdef inline int take_i8(Source source) except? -1:
    return <signed char>take_u8(source)

cdef inline int take_i16(Source source) except? -1:
    cdef Py_ssize_t pos = source.pos
    if source.end - pos < 2:
        fail_short(source, 2)
    source.pos = pos + 2
    return load16(source.base + pos)

cdef inline int take_i32(Source source) except? -1:
    cdef Py_ssize_t pos = source.pos
    if source.end - pos < 4:
        fail_short(source, 4)
    source.pos = pos + 4
    return load32(source.base + pos)

cdef inline long long take_i64(Source source) except? -1:
    cdef Py_ssize_t pos = source.pos
    if source.end - pos < 8:
        fail_short(source, 8)
    source.pos = pos + 8
    return load64(source.base + pos)

cdef inline double take_double(Source source) except? -1:
    cdef Py_ssize_t pos = source.pos
    if source.end - pos < 8:
        fail_short(source, 8)
    source.pos = pos + 8
    return load_double(source.base + pos)

cdef inline int take_length(Source source) except -1:
    cdef int size = take_i32(source)
    if size < 0:
        fail_negative(size)
    return size

cdef inline int check_size(Source source, Py_ssize_t size, Py_ssize_t width) except -1:
    if size > (source.end - source.pos) // width:
        fail_size(source, size)
    return 0

cdef inline object take_bytes(Source source, Py_ssize_t size):
    cdef Py_ssize_t pos = source.pos
    if size > source.end - pos:
        fail_short(source, size)
    source.pos = pos + size
    return PyBytes_FromStringAndSize(source.base + pos, size)

cdef inline object take_text(Source source, Py_ssize_t size):
    cdef Py_ssize_t pos = source.pos
    if size > source.end - pos:
        fail_short(source, size)
    source.pos = pos + size
    try_text = new_text(source.base + pos, size)
    if try_text is None:
        source.pos = pos
        return fail_text(source, size)
    return try_text

cdef inline object take_name(Source source, Py_ssize_t size):
    cdef Py_ssize_t pos = source.pos
    if size > source.end - pos:
        fail_short(source, size)
    if size > 32 or size < 2:
        return take_text(source, size)
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

cdef inline int put_field(Sink sink, int wire, int id) except -1:
    room(sink, 3)
    sink.at[0] = <char>wire
    store16(sink.at + 1, id)
    sink.at += 3
    return 0

cdef inline int put_size(Sink sink, int size) except -1:
    room(sink, 4)
    store32(sink.at, size)
    sink.at += 4
    return 0

cdef inline int put_run(Sink sink, const char *data, Py_ssize_t size) except -1:
    room(sink, size)
    copy(sink.at, data, size)
    sink.at += size
    return 0

cdef inline int put_raw(Sink sink, bytes data) except -1:
    return put_run(sink, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))

cdef inline int put_sized(Sink sink, const char *data, Py_ssize_t size) except -1:
    if size > 0x7FFFFFFF:
        fail_long(size)
    room(sink, 4 + size)
    store32(sink.at, <int>size)
    copy(sink.at + 4, data, size)
    sink.at += 4 + size
    return 0

cdef inline bint put_i8(Sink sink, object value) except -1:
    cdef int overflow = 0
    cdef long long n
    if not plain_int(value):
        value = integer(value)
        if value is None:
            return False
    n = int_of(value, &overflow)
    if overflow or n < -128 or n > 127:
        return False
    put_u8(sink, <int>n)
    return True

cdef inline bint put_i16(Sink sink, object value) except -1:
    cdef int overflow = 0
    cdef long long n
    if not plain_int(value):
        value = integer(value)
        if value is None:
            return False
    n = int_of(value, &overflow)
    if overflow or n < -32768 or n > 32767:
        return False
    room(sink, 2)
    store16(sink.at, <int>n)
    sink.at += 2
    return True

cdef inline bint put_i32(Sink sink, object value) except -1:
    cdef int overflow = 0
    cdef long long n
    if not plain_int(value):
        value = integer(value)
        if value is None:
            return False
    n = int_of(value, &overflow)
    if overflow or n < -2147483648LL or n > 2147483647LL:
        return False
    put_size(sink, <int>n)
    return True

cdef inline bint put_i64(Sink sink, object value) except -1:
    cdef int overflow = 0
    cdef long long n
    if not plain_int(value):
        value = integer(value)
        if value is None:
            return False
    n = int_of(value, &overflow)
    if overflow:
        return False
    room(sink, 8)
    store64(sink.at, n)
    sink.at += 8
    return True

cdef inline int put_number(Sink sink, double number) except -1:
    room(sink, 8)
    store_double(sink.at, number)
    sink.at += 8
    return 0

cdef inline bint put_double(Sink sink, object value) except -1:
    if not exact_float(value):
        return put_odd_double(sink, value)
    put_number(sink, float_of(value))
    return True

cdef inline bint put_text(Sink sink, object value) except -1:
    cdef Py_ssize_t size = 0
    cdef const char *data
    if not is_ascii(value):
        return put_wide_text(sink, value)
    data = ascii_utf8(value, &size)
    put_sized(sink, data, size)
    return True

cdef inline bint put_bytes(Sink sink, object value) except -1:
    if not isinstance(value, bytes):
        return put_odd_bytes(sink, value)
    put_sized(sink, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
    return True

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

cdef inline list take_i32_run(Source source, Py_ssize_t size):
    cdef Py_ssize_t pos = source.pos
    if size > (source.end - pos) // 4:
        fail_short(source, size)
    source.pos = pos + size * 4
    return <list>i32_list(source.base + pos, size)

cdef inline Py_ssize_t put_i32_run(Sink sink, object items) except -2:
    cdef Py_ssize_t size = len(items)
    room(sink, size * 4)
    if put_i32_items(sink.at, items, size) != size:
        return -1
    sink.at += size * 4
    return size

cdef inline list take_i64_run(Source source, Py_ssize_t size):
    cdef Py_ssize_t pos = source.pos
    if size > (source.end - pos) // 8:
        fail_short(source, size)
    source.pos = pos + size * 8
    return <list>i64_list(source.base + pos, size)

cdef inline Py_ssize_t put_i64_run(Sink sink, object items) except -2:
    cdef Py_ssize_t size = len(items)
    room(sink, size * 8)
    if put_i64_items(sink.at, items, size) != size:
        return -1
    sink.at += size * 8
    return size

cdef inline list take_double_run(Source source, Py_ssize_t size):
    cdef Py_ssize_t pos = source.pos
    if size > (source.end - pos) // 8:
        fail_short(source, size)
    source.pos = pos + size * 8
    return <list>double_list(source.base + pos, size)

cdef inline Py_ssize_t put_double_run(Sink sink, object items) except -2:
    cdef Py_ssize_t size = len(items)
    room(sink, size * 8)
    if put_double_items(sink.at, items, size) != size:
        return -1
    sink.at += size * 8
    return size
