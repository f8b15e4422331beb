# Values that protocols of bytes write alike, over the take_length, put_sized, put_number and put_odd_* of their _seam.pxd.

cdef inline int take_i8(Source source) except? -1:
    return <signed char>take_u8(source)

cdef inline object take_text(Source source):
    return take_utf8(source, take_length(source))

cdef inline object take_name(Source source):
    return take_known(source, take_length(source))

cdef inline object take_loose(Source source):
    return take_raw(source, take_length(source)).decode("utf-8", "replace")

cdef inline object take_binary(Source source):
    return take_raw(source, take_length(source))

cdef inline object take_uuid(Source source):
    return take_raw(source, 16)

cdef inline bint put_i8(Sink sink, object value) except -1:
    cdef long long n = 0
    if not whole(value, &n) or n < -128 or n > 127:
        return False
    put_u8(sink, <int>n)
    return True

cdef inline bint put_double(Sink sink, object value) except -1:
    if not exact_float(value):
        return put_odd_double(sink, value)
    put_number(sink, float_of(value))
    return True

cdef inline bint put_text(Sink sink, object value) except -1:
    cdef Py_ssize_t size = 0
    cdef const char *data = utf8(value, &size)
    if data == NULL:
        return False
    put_sized(sink, data, size)
    return True

cdef inline bint put_bytes(Sink sink, object value) except -1:
    if not isinstance(value, bytes):
        return put_odd_bytes(sink, value)
    put_sized(sink, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
    return True

cdef inline int put_uuid(Sink sink, bytes data) except -1:
    return put_raw(sink, data)
