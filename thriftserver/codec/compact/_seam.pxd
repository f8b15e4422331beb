# The C twins of seam.py: what is inlined into the compiled walkers.
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from thriftserver.codec._memory cimport (
    Sink, Source, copy, fail_long, fail_short, pass_over, put_raw, put_u8, room, take_known, take_raw, take_u8, take_utf8,
    utf8, whole,
)
from thriftserver.codec._slots cimport slot_row

cdef extern from "seam.h":
    const unsigned char *WIRES
    const unsigned char *TYPES
    double load_little(const char *at) nogil
    void store_little(char *at, double d) nogil
    long long unzigzag(unsigned long long n) nogil
    unsigned long long zigzag(long long n) nogil
    const char *load_varint(const char *at, const char *end, int most, unsigned long long *number) nogil
    char *store_varint(char *at, unsigned long long number) nogil
    char *store_head(char *at, int type, int id, int last) nogil
    bint exact_float(object value)
    double float_of(object value)
    int KIND_BINARY
    int KIND_ENUM
    const char *read_slots "take_slots"(const char *at, const char *end, char *base, const slot_row *row, Py_ssize_t count, Py_ssize_t *index, int *last)
    const char *skip_fields(const char *at, const char *end) nogil
    list take_values(const char **at, const char *end, Py_ssize_t size, int kind, object members)
    const char *take_texted "take_pairs"(const char *at, const char *end, object items, Py_ssize_t size, int kind, object members, Py_ssize_t *index) except NULL
    char *put_values(char *at, const char *end, object items, int kind, int wire, Py_ssize_t *index)
    char *put_texted "put_pairs"(char *at, const char *end, object items, int kind, int wire)
    char *write_slots "put_slots"(char *at, const char *end, object value, const slot_row *row, Py_ssize_t count, Py_ssize_t *index, int *last)

cdef enum:
    #: Of a compact type that does not exist; added to the id of a bool field whose value has not come; see seam.py.
    STRANGE = 32
    PENDING = 0x10000
    #: Bytes that there is always room for when many numbers are put: what they need is known only then.
    CHUNK = 4096

cdef int least_of(int code) except -1
cdef int kind_of(str op, int wire) except -1
cdef int fail_number(Source source, int most, str what) except -1
cdef int fail_id(int id) except -1
cdef int fail_type(int type) except -1
cdef bint pass_value(Source source, int code) except -1
cdef bint pass_values(Source source, Py_ssize_t size, int first, int second) except -1
cdef bint put_odd_double(Sink sink, object value) except -1
cdef bint put_odd_bytes(Sink sink, object value) except -1
cdef Py_ssize_t put_all(Sink sink, object items, int kind) except -2

# Values.

cdef inline bint take_bool(Source source) except -1:
    cdef int type = source.state
    if type == 0:
        type = take_u8(source)
    source.state = 0
    return type == 1

cdef inline unsigned long long take_number(Source source, int most, unsigned long long largest, str what) except? 1:
    cdef unsigned long long number = 0
    cdef const char *at = load_varint(source.base + source.pos, source.base + source.end, most, &number)
    if at == NULL or number > largest:
        fail_number(source, most, what)
    source.pos = at - source.base
    return number

cdef inline int take_i16(Source source) except? -1:
    return <int>unzigzag(take_number(source, 5, 0xFFFF, "i16"))

cdef inline int take_i32(Source source) except? -1:
    return <int>unzigzag(take_number(source, 5, 0xFFFFFFFFULL, "i32"))

cdef inline long long take_i64(Source source) except? -1:
    return unzigzag(take_number(source, 10, 0xFFFFFFFFFFFFFFFFULL, "i64"))

cdef inline int take_u32(Source source) except? -1:
    return <int><unsigned int>take_number(source, 5, 0xFFFFFFFFULL, "u32")

cdef inline double take_double(Source source) except? -1:
    cdef Py_ssize_t pos = source.pos
    if source.end - pos < 8:
        fail_short(source, 8)
    source.pos = pos + 8
    return load_little(source.base + pos)

cdef inline int take_length(Source source) except -1:
    return <int>take_number(source, 5, 0x7FFFFFFF, "size")

cdef inline int put_head(Sink sink, int type, int id) except -1:
    room(sink, 9)
    sink.at = store_head(sink.at, type, id, sink.field)
    sink.field = id
    return 0

cdef inline int put_bool(Sink sink, bint value) except -1:
    cdef int state = sink.state
    if state == 0:
        return put_u8(sink, 1 if value else 2)
    sink.state = 0
    return put_head(sink, 1 if value else 2, state - PENDING)

cdef inline int put_varint(Sink sink, unsigned long long number) except -1:
    room(sink, 10)
    sink.at = store_varint(sink.at, number)
    return 0

cdef inline int put_u32(Sink sink, int number) except -1:
    return put_varint(sink, <unsigned int>number)

cdef inline int put_sized(Sink sink, const char *data, Py_ssize_t size) except -1:
    if size > 0x7FFFFFFF:
        fail_long(size)
    room(sink, 8 + size)
    sink.at = store_varint(sink.at, <unsigned long long>size)
    copy(sink.at, data, size)
    sink.at += size
    return 0

cdef inline bint put_i16(Sink sink, object value) except -1:
    cdef long long n = 0
    if not whole(value, &n) or n < -32768 or n > 32767:
        return False
    put_varint(sink, zigzag(n))
    return True

cdef inline bint put_i32(Sink sink, object value) except -1:
    cdef long long n = 0
    if not whole(value, &n) or n < -2147483648LL or n > 2147483647LL:
        return False
    put_varint(sink, zigzag(n))
    return True

cdef inline bint put_i64(Sink sink, object value) except -1:
    cdef long long n = 0
    if not whole(value, &n):
        return False
    put_varint(sink, zigzag(n))
    return True

cdef inline int put_number(Sink sink, double number) except -1:
    room(sink, 8)
    store_little(sink.at, number)
    sink.at += 8
    return 0

include "../_scalars.pxi"

# What stands around them.

include "../_unmarked.pxi"

cdef inline int open_struct(Source source) except? -1:
    cdef int outer = source.field
    source.field = 0
    return outer

cdef inline int take_field(Source source) except -1:
    cdef int head = take_u8(source), type = head & 15, id
    if type == 0:
        return 0
    if head > 15:
        id = source.field + (head >> 4)
        if id > 32767:
            fail_id(id)
    else:
        id = take_i16(source)
    source.field = id
    if type < 3:
        source.state = type
    return WIRES[type]

cdef inline int close_struct(Source source, int outer) except -1:
    source.field = outer
    return 0

cdef inline int element_code(int type, int size) except -1:
    cdef int code = WIRES[type]
    if code >= STRANGE and size != 0:
        fail_type(type)
    return code

cdef inline int open_list(Source source) except -1:
    cdef int head = take_u8(source), size = head >> 4
    if size == 15:
        size = take_length(source)
    source.code = element_code(head & 15, size)
    return size

cdef inline int open_map(Source source) except -1:
    cdef int size = take_length(source), types
    if size != 0:
        types = take_u8(source)
        source.key_code = element_code(types >> 4, size)
        source.code = element_code(types & 15, size)
    return size

cdef inline int begin_struct(Sink sink) except? -1:
    cdef int outer = sink.field
    sink.field = 0
    return outer

cdef inline int put_field(Sink sink, int wire, int id) except -1:
    if wire == 2:
        sink.state = PENDING + id
        return 0
    return put_head(sink, TYPES[wire], id)

cdef inline int end_struct(Sink sink, int outer) except -1:
    sink.field = outer
    return put_u8(sink, 0)

cdef inline int begin_list(Sink sink, int wire, int size) except -1:
    if size < 15:
        return put_u8(sink, size << 4 | TYPES[wire])
    put_u8(sink, 0xF0 | TYPES[wire])
    return put_u32(sink, size)

cdef inline int begin_map(Sink sink, int key, int wire, int size) except -1:
    put_u32(sink, size)
    if size != 0:
        put_u8(sink, TYPES[key] << 4 | TYPES[wire])
    return 0

# Many values at once.

cdef inline Py_ssize_t take_slots(Source source, char *base, const slot_row *rows, Py_ssize_t count, Py_ssize_t index):
    source.pos = read_slots(source.base + source.pos, source.base + source.end, base, rows, count, &index, &source.field) - source.base
    return index

cdef inline Py_ssize_t put_slots(Sink sink, object value, const slot_row *rows, Py_ssize_t count, Py_ssize_t index):
    sink.at = write_slots(sink.at, sink.end, value, rows, count, &index, &sink.field)
    return index

include "../_loops.pxi"

cdef inline list take_i32_run(Source source, Py_ssize_t size):
    return take_run(source, size, 8, None)

cdef inline Py_ssize_t put_i32_run(Sink sink, object items) except -2:
    return put_all(sink, items, 8)

cdef inline list take_i64_run(Source source, Py_ssize_t size):
    return take_run(source, size, 10, None)

cdef inline Py_ssize_t put_i64_run(Sink sink, object items) except -2:
    return put_all(sink, items, 10)

cdef inline list take_double_run(Source source, Py_ssize_t size):
    return take_run(source, size, 4, None)

cdef inline Py_ssize_t put_double_run(Sink sink, object items) except -2:
    return put_all(sink, items, 4)
