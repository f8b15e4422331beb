# What the _seam.pyx of protocols of bytes have in common, over their own LEAST, WIDTHS, put_number and put_sized.

cdef int least_of(int code) except -1:
    return LEAST[code] if 0 <= code <= 16 else 0


cdef bint pass_values(Source source, Py_ssize_t size, int first, int second) except -1:
    if WIDTHS[first] == 0 or (second >= 0 and WIDTHS[second] == 0):
        return False
    pass_over(source, size * (WIDTHS[first] + (WIDTHS[second] if second >= 0 else 0)))
    return True


cdef bint put_odd_double(Sink sink, object value) except -1:
    number = odd_double(value)
    if number is None:
        return False
    put_number(sink, float_of(number))
    return True


cdef bint put_odd_bytes(Sink sink, object value) except -1:
    data = odd_bytes(value)
    if data is None:
        return False
    put_sized(sink, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
    return True


cdef int kind_of(str op, int wire) except -1:
    if op == "binary":
        return KIND_BINARY
    if op == "enum":
        return KIND_ENUM
    return wire if op in ("bool", "i8", "i16", "i32", "i64", "double", "string") else 0
