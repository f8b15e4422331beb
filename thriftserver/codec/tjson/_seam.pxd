# The C twins of seam.py: what is small enough to be inlined into the compiled walkers; the rest is in _seam.pyx.
from libc.stdint cimport INT64_MAX, INT64_MIN

from thriftserver.codec._memory cimport Sink, Source, room
from thriftserver.codec._slots cimport slot_row

cdef extern from "seam.h":
    int byte_at(const char *at, const char *end) nogil
    const char *past_space(const char *at, const char *end) nogil
    const char *scan_integer(const char *at, const char *end, long long *number, bint *fits) nogil
    const char *scan_bare(const char *at, const char *end, double *number) nogil
    const char *scan_double(const char *at, const char *end, double *number, bint *exact) nogil
    double whole_double(const char *at, Py_ssize_t size) except? -1
    char *put_long(char *to, long long n) nogil
    char *put_shortest(char *to, double d) except NULL
    const char *string_end(const char *at, const char *end, bint *escaped) nogil
    char *unescape(const char *at, const char *end, char *to, const char **wrong, bint *lone) nogil
    Py_ssize_t escapes(const char *at, Py_ssize_t size) nogil
    char *put_escaped(char *to, const char *at, Py_ssize_t size) nogil
    char *put_base64(char *to, const char *data, Py_ssize_t size) nogil
    Py_ssize_t base64_size(const char *at, Py_ssize_t size) nogil
    void take_base64(char *to, const char *at, Py_ssize_t digits) nogil
    bint scan_uuid(char *to, const char *at) nogil
    char *print_uuid(char *to, const char *data) nogil
    char *put_type(char *to, int code) nogil
    int scan_type(const char **at, const char *end) nogil
    const char *scan_field(const char *at, const char *end, int *id, int *code) nogil
    char *put_bracket(char *at, int bracket) nogil
    char *finish_key(char *at) nogil

#: A bit of ``state``, beside the separator: the next value is a key, whose numbers are in quotes.
cdef enum:
    KEY = 0x100

cdef int least_of(int code) except -1
cdef int kind_of(str op, int wire) except -1
cdef int demand(Source source, int byte) except -1
cdef long long take_integer(Source source, long long low, long long high, str kind) except? -1
cdef double take_double(Source source) except? -1
cdef object take_text(Source source)
cdef object take_name(Source source)
cdef object take_loose(Source source)
cdef str take_short(Source source, Py_ssize_t most)
cdef object take_binary(Source source)
cdef object take_uuid(Source source)
cdef bint pass_value(Source source, int code) except -1
cdef int open_container(Source source, int bracket) except -1
cdef int take_type(Source source) except -1
cdef int take_field(Source source) except -1
cdef int take_length(Source source) except -1
cdef int put_whole(Sink sink, object value, long long high) except -1
cdef bint put_double(Sink sink, object value) except -1
cdef bint put_text(Sink sink, object value) except -1
cdef bint put_bytes(Sink sink, object value) except -1

# Values.

cdef inline bint take_bool(Source source) except -1:
    return take_i64(source) != 0

cdef inline int take_i8(Source source) except? -1:
    return <int>take_integer(source, -0x80, 0x7F, "i8")

cdef inline int take_i16(Source source) except? -1:
    return <int>take_integer(source, -0x8000, 0x7FFF, "i16")

cdef inline int take_i32(Source source) except? -1:
    return <int>take_integer(source, -0x80000000LL, 0x7FFFFFFFLL, "i32")

cdef inline long long take_i64(Source source) except? -1:
    return take_integer(source, INT64_MIN, INT64_MAX, "i64")

cdef inline bint pass_values(Source source, Py_ssize_t size, int first, int second) except -1:
    return False

cdef inline int put_bool(Sink sink, bint value) except -1:
    room(sink, 2)
    sink.at[0] = b"1" if value else b"0"
    sink.at[1] = b","
    sink.at += 2
    return 0

cdef inline bint put_i8(Sink sink, object value) except -1:
    return put_whole(sink, value, 0x7F)

cdef inline bint put_i16(Sink sink, object value) except -1:
    return put_whole(sink, value, 0x7FFF)

cdef inline bint put_i32(Sink sink, object value) except -1:
    return put_whole(sink, value, 0x7FFFFFFFLL)

cdef inline bint put_i64(Sink sink, object value) except -1:
    return put_whole(sink, value, INT64_MAX)

cdef inline int put_uuid(Sink sink, bytes data) except -1:
    room(sink, 39)
    sink.at[0] = b'"'
    sink.at = print_uuid(sink.at + 1, <const char *>data)
    sink.at[0] = b'"'
    sink.at[1] = b","
    sink.at += 2
    return 0

# What stands around them.

cdef inline int close_container(Source source, int bracket) except -1:
    cdef Py_ssize_t pos = source.pos
    if pos < source.end and source.base[pos] == bracket:
        source.pos = pos + 1
    else:
        demand(source, bracket)
    source.state = b","
    return 0

cdef inline int open_struct(Source source) except -1:
    return open_container(source, b"{")

cdef inline int close_field(Source source) except -1:
    return close_container(source, b"}")

cdef inline int close_struct(Source source, int outer) except -1:
    return 0

cdef inline int open_list(Source source) except -1:
    open_container(source, b"[")
    source.code = take_type(source)
    return take_length(source)

cdef inline int close_list(Source source) except -1:
    return close_container(source, b"]")

cdef inline int open_map(Source source) except -1:
    cdef int size
    open_container(source, b"[")
    source.key_code = take_type(source)
    source.code = take_type(source)
    size = take_length(source)
    open_container(source, b"{")
    return size

cdef inline int open_key(Source source) except -1:
    source.state |= KEY
    return 0

cdef inline int close_key(Source source) except -1:
    source.state = b":"
    return 0

cdef inline int close_map(Source source) except -1:
    close_container(source, b"}")
    return close_container(source, b"]")

cdef inline int begin_struct(Sink sink) except -1:
    cdef int outer = sink.state
    sink.state = 1
    room(sink, 1)
    sink.at[0] = b"{"
    sink.at += 1
    return outer

cdef inline int put_field(Sink sink, int wire, int id) except -1:
    room(sink, 20)
    sink.at[0] = b'"'
    sink.at = put_long(sink.at + 1, id)
    sink.at[0] = b'"'
    sink.at[1] = b":"
    sink.at[2] = b"{"
    sink.at = put_type(sink.at + 3, wire)
    sink.at[0] = b":"
    sink.at += 1
    return 0

cdef inline int close(Sink sink, int bracket) except -1:
    """A bracket in the place of the last comma; there is room for two bytes more behind it."""
    room(sink, 3)
    sink.at = put_bracket(sink.at, bracket)
    return 0

cdef inline int comma(Sink sink):
    sink.at[0] = b","
    sink.at += 1
    return 0

cdef inline int end_field(Sink sink) except -1:
    close(sink, b"}")
    return comma(sink)

cdef inline int end_struct(Sink sink, int outer) except -1:
    close(sink, b"}")
    sink.state = outer
    return comma(sink) if outer else 0

cdef inline int begin_list(Sink sink, int wire, int size) except -1:
    room(sink, 20)
    sink.at[0] = b"["
    sink.at = put_type(sink.at + 1, wire)
    comma(sink)
    sink.at = put_long(sink.at, size)
    return comma(sink)

cdef inline int end_list(Sink sink) except -1:
    close(sink, b"]")
    return comma(sink)

cdef inline int begin_map(Sink sink, int key, int wire, int size) except -1:
    room(sink, 28)
    sink.at[0] = b"["
    sink.at = put_type(sink.at + 1, key)
    comma(sink)
    sink.at = put_type(sink.at, wire)
    comma(sink)
    sink.at = put_long(sink.at, size)
    comma(sink)
    sink.at[0] = b"{"
    sink.at += 1
    return 0

cdef inline int begin_key(Sink sink) except -1:
    return 0

cdef inline int end_key(Sink sink) except -1:
    room(sink, 2)
    sink.at = finish_key(sink.at)
    return 0

cdef inline int end_map(Sink sink) except -1:
    close(sink, b"}")
    sink.at[0] = b"]"
    sink.at += 1
    return comma(sink)

# Many values at once: none.

cdef inline Py_ssize_t take_slots(Source source, char *base, const slot_row *rows, Py_ssize_t count, Py_ssize_t index):
    return index

cdef inline Py_ssize_t put_slots(Sink sink, object value, const slot_row *rows, Py_ssize_t count, Py_ssize_t index):
    return index

cdef inline list take_run(Source source, Py_ssize_t size, int kind, dict members):
    return []

cdef inline Py_ssize_t take_pairs(Source source, dict items, Py_ssize_t size, int key, int kind, dict members) except -1:
    return 0

cdef inline Py_ssize_t put_run_from(Sink sink, object items, Py_ssize_t index, int kind, int wire):
    return index

cdef inline bint put_pairs(Sink sink, dict items, int key, int kind, int wire):
    return False

cdef inline list take_i32_run(Source source, Py_ssize_t size):
    return []

cdef inline list take_i64_run(Source source, Py_ssize_t size):
    return []

cdef inline list take_double_run(Source source, Py_ssize_t size):
    return []

cdef inline Py_ssize_t put_i32_run(Sink sink, object items) except -2:
    return -1

cdef inline Py_ssize_t put_i64_run(Sink sink, object items) except -2:
    return -1

cdef inline Py_ssize_t put_double_run(Sink sink, object items) except -2:
    return -1

# For the scanner, see scan.py.

cdef inline int past_gap(Source source):
    cdef const char *end = source.base + source.end
    cdef const char *at = past_space(source.base + source.pos, end)
    source.pos = at - source.base
    return byte_at(at, end)

cdef inline int next_mark(Source source, bint quoted):
    cdef const char *at = source.base + source.pos
    cdef const char *end = source.base + source.end
    cdef char byte = 0
    while at < end:
        byte = at[0]
        at += 1
        if byte == b'"' or (byte == b"\\" if quoted else byte in b"[]{}"):
            source.pos = at - source.base
            return byte
    source.pos = source.end
    return -1
