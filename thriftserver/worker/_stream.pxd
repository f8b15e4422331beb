# Types for the compiled form of stream.py, and the C twins of what it takes from io.py.
cimport cython

from thriftserver.dialect._transport cimport MORE, START, UNTOLD, Transport
from thriftserver.rpc._processor cimport clock
from thriftserver.worker._pump cimport Member, Pump

cdef extern from *:
    """
    #include <errno.h>
    #include <sys/socket.h>
    #define INBOX_SIZE 65536
    static inline Py_ssize_t verdict(void) {
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? -1 : -2;
    }
    /* Between the read and the copy nothing runs that could read over it: the buffer is one for all. */
    static inline PyObject *receive_bytes(int fd) {
        static char inbox[INBOX_SIZE];
        Py_ssize_t n = recv(fd, inbox, INBOX_SIZE, 0);
        if (n >= 0) return PyBytes_FromStringAndSize(inbox, n);
        if (verdict() == -1) Py_RETURN_NONE;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    """
    const Py_ssize_t INBOX "INBOX_SIZE"
    bytes receive "receive_bytes"(int fd)

cdef int _BYTES_IN
cdef int _DIALECT

cdef class Stream(Member):
    cdef Pump pump
    cdef bint more
    cdef bint taken
    cdef bint ended
    cdef readonly bytearray held
    cdef bint whole
    cdef Py_ssize_t length
    cdef readonly Transport transport
    cdef long long received
    @cython.locals(data=bytes)
    cdef bytes take(self)
    @cython.locals(data=bytes)
    cdef object take_in(self)
    cpdef object hold(self, bytes data)
    cpdef object speak(self, Transport transport)
    cdef bint is_known(self, object data) except -1
    @cython.locals(length=cython.Py_ssize_t)
    cdef object measure(self)
    cdef object say(self, bytes interim)
    @cython.locals(data=bytes)
    cdef bint throw_away(self) except -1
