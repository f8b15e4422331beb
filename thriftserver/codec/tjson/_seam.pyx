# cython: language_level=3
"""The C twins of ``seam``: what is too rare or too large to be inlined."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memcmp

from thriftserver.codec._memory cimport copy, fail_long, known_text, new_text, utf8, whole
from thriftserver.codec.fault import Fault
from thriftserver.codec.odd import odd_bytes, odd_double
from thriftserver.codec.tjson import grammar

cdef extern from "seam.h":
    bint exact_float(object value)
    double float_of(object value)

cdef Py_ssize_t ESCAPED = grammar.ESCAPED
cdef dict CODES = grammar.CODES
cdef int[17] LEAST = grammar.LEAST
cdef double NAN = float("nan")
cdef double INFINITY = float("inf")


cdef int least_of(int code) except -1:
    return LEAST[code] if 0 <= code <= 16 else 0


cdef int kind_of(str op, int wire) except -1:
    return 0


# What stands between values.


cdef int fail(Source source, str what, const char *at) except -1:
    raise grammar.expected(what, at - source.base, byte_at(at, source.base + source.end))


cdef int demand(Source source, int byte) except -1:
    cdef const char *at = past_space(source.base + source.pos, source.base + source.end)
    if byte_at(at, source.base + source.end) != byte:
        fail(source, repr(chr(byte)), at)
    source.pos = at + 1 - source.base
    return 0


cdef inline const char *begin(Source source) except NULL:
    """Pass over what has to come before the next value; where that begins."""
    cdef int separator = source.state & 0xFF
    if separator:
        if source.pos < source.end and source.base[source.pos] == separator:
            source.pos += 1
        else:
            demand(source, separator)
    return past_space(source.base + source.pos, source.base + source.end)


cdef int open_container(Source source, int bracket) except -1:
    begin(source)
    source.state = 0
    return demand(source, bracket)


# Values.


cdef long long take_integer(Source source, long long low, long long high, str kind) except? -1:
    cdef const char *at = begin(source)
    cdef const char *end = source.base + source.end
    cdef bint quoted = source.state & KEY
    cdef long long number = 0
    cdef bint fits = False
    cdef const char *after
    if quoted:
        if byte_at(at, end) != b'"':
            fail(source, "'\"'", at)
        at += 1
    after = scan_integer(at, end, &number, &fits)
    if after == NULL:
        fail(source, "an integer", at)
    if byte_at(after, end) in b".eE":
        raise grammar.fraction(at - source.base)
    if not fits or number < low or number > high:
        raise grammar.out_of_range(at[: after - at], kind)
    if quoted:
        if byte_at(after, end) != b'"':
            fail(source, "'\"'", after)
        after += 1
    source.pos = after - source.base
    source.state = b","
    return number


cdef int take_length(Source source) except -1:
    """A size that cannot be negative."""
    cdef int size = take_i32(source)
    if size < 0:
        raise Fault(f"negative size {size}")
    return size


cdef double named(const char *at, Py_ssize_t size) noexcept:
    """The double that JSON has no number for; 0 for another name."""
    if size == 3 and memcmp(at, b"NaN", 3) == 0:
        return NAN
    if size == 8 and memcmp(at, b"Infinity", 8) == 0:
        return INFINITY
    if size == 9 and memcmp(at, b"-Infinity", 9) == 0:
        return -INFINITY
    return 0


cdef double take_double(Source source) except? -1:
    cdef const char *at = begin(source)
    cdef const char *end = source.base + source.end
    cdef const char *start = at
    cdef const char *after
    cdef double number = 0
    cdef bint exact = False
    cdef bint escaped = False
    if byte_at(at, end) == b'"':
        end = take_span(source, at, &escaped)
        at += 1
        number = named(at, end - at)
        if number != 0:
            return number
        after = scan_double(at, end, &number, &exact)
        if after != end:
            raise grammar.bad_double(at[: end - at], start - source.base)
    else:
        if source.state & KEY:
            fail(source, "'\"'", at)
        after = scan_double(at, end, &number, &exact)
        if after == NULL:
            after = scan_bare(at, end, &number)
            exact = True
        if after == NULL:
            fail(source, "a number", at)
        source.pos = after - source.base
        source.state = b","
    if not exact:
        number = whole_double(at, after - at)
        if number - number != 0:  # an infinity, as no number gives NaN
            raise grammar.out_of_range(at[: after - at], "double")
    return number


cdef inline const char *take_span(Source source, const char *at, bint *escaped) except NULL:
    """Where the string at this quote has its other one; it is passed over."""
    cdef const char *end
    if byte_at(at, source.base + source.end) != b'"':
        fail(source, "'\"'", at)
    end = string_end(at + 1, source.base + source.end, escaped)
    if end == NULL:
        raise grammar.unending(at - source.base)
    source.pos = end + 1 - source.base
    source.state = b","
    return end


cdef bytes unescaped(Source source, const char *at, const char *end):
    """What stands between the quotes without escapes."""
    cdef const char *wrong = NULL
    cdef bint lone = False
    cdef char *made = <char *>PyMem_Malloc(end - at + 1)
    cdef char *after
    if made == NULL:
        raise MemoryError
    try:
        after = unescape(at, end, made, &wrong, &lone)
        if after == NULL:
            raise (grammar.lone_surrogate if lone else grammar.bad_escape)(wrong - source.base)
        return PyBytes_FromStringAndSize(made, after - made)
    finally:
        PyMem_Free(made)


cdef object take_text(Source source):
    cdef const char *at = begin(source)
    cdef bint escaped = False
    cdef const char *end = take_span(source, at, &escaped)
    if not escaped:
        text = new_text(at + 1, end - at - 1)
        return grammar.decoded(at[1 : end - at]) if text is None else text
    return grammar.decoded(unescaped(source, at + 1, end))


cdef object take_name(Source source):
    cdef const char *at = begin(source)
    cdef bint escaped = False
    cdef const char *end = take_span(source, at, &escaped)
    cdef Py_ssize_t size = end - at - 1
    if not escaped:
        text = known_text(at + 1, size) if 2 <= size <= 32 else new_text(at + 1, size)
        return grammar.decoded(at[1 : size + 1]) if text is None else text
    return grammar.decoded(unescaped(source, at + 1, end))


cdef object take_loose(Source source):
    cdef const char *at = begin(source)
    cdef bint escaped = False
    cdef const char *end = take_span(source, at, &escaped)
    return unescaped(source, at + 1, end).decode("utf-8", "replace")


cdef str take_short(Source source, Py_ssize_t most):
    cdef const char *at = begin(source)
    cdef bint escaped = False
    cdef const char *end = take_span(source, at, &escaped)
    cdef Py_ssize_t size = end - at - 1
    cdef bytes data
    if not escaped and 2 <= size <= 32:
        text = known_text(at + 1, size)
        if text is not None:
            return text
    if size <= most * ESCAPED:
        data = unescaped(source, at + 1, end)
        size = PyBytes_GET_SIZE(data)
        if size <= most:
            return grammar.decoded(data)
    raise Fault(f"a method name of {size} bytes")


cdef object take_binary(Source source):
    cdef const char *at = begin(source)
    cdef bint escaped = False
    cdef const char *end = take_span(source, at, &escaped)
    cdef Py_ssize_t size = end - at - 1
    cdef Py_ssize_t digits
    cdef bytes held
    cdef bytes data
    at += 1
    if escaped:
        held = unescaped(source, at, end)
        at = PyBytes_AS_STRING(held)
        size = PyBytes_GET_SIZE(held)
    digits = base64_size(at, size)
    if digits < 0:
        raise grammar.bad_base64(-1 - digits, size)
    data = PyBytes_FromStringAndSize(NULL, digits // 4 * 3 + digits % 4 * 3 // 4)
    take_base64(PyBytes_AS_STRING(data), at, digits)
    return data


cdef object take_uuid(Source source):
    cdef const char *at = begin(source)
    cdef bint escaped = False
    cdef const char *end = take_span(source, at, &escaped)
    cdef char[16] data
    if end - at != 37 or not scan_uuid(data, at + 1):
        raise grammar.bad_uuid(at[1 : end - at], at - source.base)
    return data[:16]


cdef bint pass_value(Source source, int code) except -1:
    cdef bint escaped = False
    if code == 2 or code == 3 or code == 6 or code == 8 or code == 10:
        take_i64(source)
    elif code == 4:
        take_double(source)
    elif code == 11 or code == 16:
        take_span(source, begin(source), &escaped)
    else:
        return False
    return True


cdef int take_type(Source source) except -1:
    cdef const char *at = begin(source)
    cdef const char *after = at
    cdef int code = scan_type(&after, source.base + source.end)
    cdef bint escaped = False
    if code != 0:
        source.pos = after - source.base
        source.state = b","
        return code
    after = take_span(source, at, &escaped)
    name = grammar.decoded(unescaped(source, at + 1, after))
    if name not in CODES:
        raise grammar.bad_type(name, at - source.base)
    return CODES[name]


cdef int take_field(Source source) except -1:
    cdef const char *end = source.base + source.end
    cdef const char *at = past_space(source.base + source.pos, end)
    cdef const char *after
    cdef int separator = source.state
    cdef int code = 0
    if byte_at(at, end) == b"}":
        source.pos = at + 1 - source.base
        source.state = b","
        return 0
    after = NULL
    if separator == 0 or byte_at(at, end) == separator:
        after = scan_field(at + 1 if separator else at, end, &source.field, &code)
    if after != NULL:
        source.pos = after - source.base
    else:
        source.state |= KEY
        source.field = take_i16(source)
        source.state = b":"
        open_container(source, b"{")
        code = take_type(source)
    source.state = b":"
    return code


# Writing.


cdef int put_whole(Sink sink, object value, long long high) except -1:
    cdef long long n = 0
    if not whole(value, &n) or n > high or n < -high - 1:
        return False
    room(sink, 24)
    sink.at = put_long(sink.at, n)
    comma(sink)
    return True


cdef bint put_double(Sink sink, object value) except -1:
    if not exact_float(value):
        value = odd_double(value)
        if value is None:
            return False
    room(sink, 33)
    sink.at = put_shortest(sink.at, float_of(value))
    comma(sink)
    return True


cdef bint put_text(Sink sink, object value) except -1:
    cdef Py_ssize_t size = 0
    cdef const char *data = utf8(value, &size)
    cdef Py_ssize_t more
    if data == NULL:
        return False
    if size > 0x7FFFFFFF:
        fail_long(size)
    more = escapes(data, size)
    room(sink, size + more + 3)
    sink.at[0] = b'"'
    if more:
        sink.at = put_escaped(sink.at + 1, data, size)
    else:
        copy(sink.at + 1, data, size)
        sink.at += 1 + size
    sink.at[0] = b'"'
    sink.at += 1
    comma(sink)
    return True


cdef bint put_bytes(Sink sink, object value) except -1:
    cdef Py_ssize_t size
    if not isinstance(value, bytes):
        value = odd_bytes(value)
        if value is None:
            return False
    size = PyBytes_GET_SIZE(value)
    if size > 0x7FFFFFFF:
        fail_long(size)
    room(sink, (size + 2) // 3 * 4 + 3)
    sink.at[0] = b'"'
    sink.at = put_base64(sink.at + 1, PyBytes_AS_STRING(value), size)
    sink.at[0] = b'"'
    sink.at += 1
    comma(sink)
    return True
