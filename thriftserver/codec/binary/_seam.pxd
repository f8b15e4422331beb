# The C twins of seam.py: what is inlined into the compiled walkers.
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from thriftserver.codec._memory cimport (
    Sink, Source, check_size, copy, fail_long, fail_short, pass_over, put_raw, put_u8, room, take_known, take_raw, take_u8,
    take_utf8, utf8, whole,
)
from thriftserver.codec._slots cimport slot_row

cdef extern from "seam.h":
    int load16(const char *at) nogil
    int load32(const char *at) nogil
    long long load64(const char *at) nogil
    double load_double(const char *at) nogil
    void store16(char *at, int n) nogil
    void store32(char *at, int n) nogil
    void store64(char *at, long long n) nogil
    void store_double(char *at, double d) nogil
    bint exact_float(object value)
    double float_of(object value)
    int KIND_BINARY
    int KIND_ENUM
    const char *read_slots "take_slots"(const char *at, const char *end, char *base, const slot_row *row, Py_ssize_t count, Py_ssize_t *index)
    const char *skip_fields(const char *at, const char *end) nogil
    list take_values(const char **at, const char *end, Py_ssize_t size, int kind, object members)
    const char *take_texted "take_pairs"(const char *at, const char *end, object items, Py_ssize_t size, int kind, object members, Py_ssize_t *index) except NULL
    char *put_values(char *at, const char *end, object items, int kind, int wire, Py_ssize_t *index)
    char *put_texted "put_pairs"(char *at, const char *end, object items, int kind, int wire)
    char *write_slots "put_slots"(char *at, const char *end, object value, const slot_row *row, Py_ssize_t count, Py_ssize_t *index)
    object i32_list(const char *at, Py_ssize_t size)
    object i64_list(const char *at, Py_ssize_t size)
    object double_list(const char *at, Py_ssize_t size)
    Py_ssize_t put_i32_items(char *at, object items, Py_ssize_t size)
    Py_ssize_t put_i64_items(char *at, object items, Py_ssize_t size)
    Py_ssize_t put_double_items(char *at, object items, Py_ssize_t size)

cdef int least_of(int code) except -1
cdef int kind_of(str op, int wire) except -1
cdef int fail_negative(int size) except -1
cdef bint pass_value(Source source, int code) except -1
cdef bint pass_values(Source source, Py_ssize_t size, int first, int second) except -1
cdef bint put_odd_double(Sink sink, object value) except -1
cdef bint put_odd_bytes(Sink sink, object value) except -1

# Values.

cdef inline bint take_bool(Source source) except -1:
    return take_u8(source) != 0

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

cdef inline int put_bool(Sink sink, bint value) except -1:
    return put_u8(sink, value)

cdef inline int put_size(Sink sink, int size) except -1:
    room(sink, 4)
    store32(sink.at, size)
    sink.at += 4
    return 0

cdef inline int put_sized(Sink sink, const char *data, Py_ssize_t size) except -1:
    if size > 0x7FFFFFFF:
        fail_long(size)
    room(sink, 4 + size)
    store32(sink.at, <int>size)
    copy(sink.at + 4, data, size)
    sink.at += 4 + size
    return 0

cdef inline bint put_i16(Sink sink, object value) except -1:
    cdef long long n = 0
    if not whole(value, &n) or n < -32768 or n > 32767:
        return False
    room(sink, 2)
    store16(sink.at, <int>n)
    sink.at += 2
    return True

cdef inline bint put_i32(Sink sink, object value) except -1:
    cdef long long n = 0
    if not whole(value, &n) or n < -2147483648LL or n > 2147483647LL:
        return False
    put_size(sink, <int>n)
    return True

cdef inline bint put_i64(Sink sink, object value) except -1:
    cdef long long n = 0
    if not whole(value, &n):
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

include "../_scalars.pxi"

# What stands around them.

include "../_unmarked.pxi"

cdef inline int open_struct(Source source) except -1:
    return 0

cdef inline int take_field(Source source) except -1:
    cdef int code = take_u8(source)
    if code != 0:
        source.field = take_i16(source)
    return code

cdef inline int close_struct(Source source, int outer) except -1:
    return 0

cdef inline int open_list(Source source) except -1:
    source.code = take_u8(source)
    return take_length(source)

cdef inline int open_map(Source source) except -1:
    source.key_code = take_u8(source)
    source.code = take_u8(source)
    return take_length(source)

cdef inline int begin_struct(Sink sink) except -1:
    return 0

cdef inline int put_field(Sink sink, int wire, int id) except -1:
    room(sink, 3)
    sink.at[0] = <char>wire
    store16(sink.at + 1, id)
    sink.at += 3
    return 0

cdef inline int end_struct(Sink sink, int outer) except -1:
    return put_u8(sink, 0)

cdef inline int begin_list(Sink sink, int wire, int size) except -1:
    room(sink, 5)
    sink.at[0] = <char>wire
    store32(sink.at + 1, size)
    sink.at += 5
    return 0

cdef inline int begin_map(Sink sink, int key, int wire, int size) except -1:
    room(sink, 6)
    sink.at[0] = <char>key
    sink.at[1] = <char>wire
    store32(sink.at + 2, size)
    sink.at += 6
    return 0

# Many values at once.

cdef inline Py_ssize_t take_slots(Source source, char *base, const slot_row *rows, Py_ssize_t count, Py_ssize_t index):
    source.pos = read_slots(source.base + source.pos, source.base + source.end, base, rows, count, &index) - source.base
    return index

cdef inline Py_ssize_t put_slots(Sink sink, object value, const slot_row *rows, Py_ssize_t count, Py_ssize_t index):
    sink.at = write_slots(sink.at, sink.end, value, rows, count, &index)
    return index

include "../_loops.pxi"

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
