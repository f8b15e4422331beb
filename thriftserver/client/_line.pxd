# Types for the compiled form of line.py, and the C twins of what it takes from io.py.
cimport cython

cdef extern from "line.h":
    const int ANYTHING "LINE_ANYTHING"
    const int NOTHING "LINE_NOTHING"
    int line_send(const int *fd, object data, long long timeout) except -1
    object line_receive(const int *fd, Py_ssize_t most, long long timeout, long long *patience)
    int line_peek(int fd)

cdef int _generation

cdef class Line:
    cdef readonly object sock
    cdef readonly int fd
    cdef bint plain
    cdef int born
    cdef long long patience
    cpdef object send(self, bytes data, object timeout)
    cpdef bytes receive(self, Py_ssize_t most, object timeout)
    cpdef bint usable(self) except -1
    cpdef bint quiet(self) except -1
    cpdef bint said(self) except -1
    cpdef object close(self)

cdef inline long long nanoseconds(object timeout) except? -1:
    return -1 if timeout is None else <long long>(<double>timeout * 1e9)

cdef inline object send(Line line, bytes data, object timeout):
    if line.plain:
        line_send(&line.fd, data, nanoseconds(timeout))
    else:
        line.sock.settimeout(timeout)
        line.sock.sendall(data)

cdef inline bytes receive(Line line, Py_ssize_t most, object timeout):
    if line.plain:
        return line_receive(&line.fd, most, nanoseconds(timeout), &line.patience)
    line.sock.settimeout(timeout)
    return line.sock.recv(most)

cdef inline int peek(Line line):
    return line_peek(line.fd)
