# Types for the compiled form of parking.py, and the C twins of what it takes from io.py.
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING

from thriftserver.client._line cimport Line
from thriftserver.rpc._processor cimport clock
from thriftserver.worker._outgoing cimport NEVER, End, Outgoing

cdef extern from *:
    """
    #include <errno.h>
    #include <sys/socket.h>
    #define HELD_SIZE 65536
    static inline int is_not_yet(void) { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }
    static inline Py_ssize_t send_at(int fd, const char *at, Py_ssize_t size) {
        Py_ssize_t sent = send(fd, at, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) return sent;
        if (is_not_yet()) return 0;
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    /* Between the read and the copy nothing runs that could read over it: the buffer is one for all. */
    static PyObject *receive_at(int fd, Py_ssize_t most) {
        static char held[HELD_SIZE];
        PyObject *made = NULL;
        char *into = held;
        Py_ssize_t got;
        if (most > HELD_SIZE) {
            made = PyBytes_FromStringAndSize(NULL, most);
            if (made == NULL) return NULL;
            into = PyBytes_AS_STRING(made);
        }
        got = recv(fd, into, (size_t)most, MSG_DONTWAIT);
        if (got >= 0) {
            if (made == NULL) return PyBytes_FromStringAndSize(held, got);
            _PyBytes_Resize(&made, got);
            return made;
        }
        Py_XDECREF(made);
        if (is_not_yet()) Py_RETURN_NONE;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    """
    Py_ssize_t send_at(int fd, const char *at, Py_ssize_t size) except -1
    object receive_at(int fd, Py_ssize_t most)

cdef long long FRESH

cdef class Parking(Line):
    cdef End _end
    cdef Outgoing _outgoing
    @cython.locals(sent=cython.Py_ssize_t)
    cpdef object send(self, bytes data, object timeout)
    @cython.locals(end=End, until=cython.double, data=bytes)
    cpdef bytes receive(self, Py_ssize_t most, object timeout)
    cpdef bint usable(self) except -1
    @cython.locals(end=End)
    cpdef bint quiet(self) except -1
    cpdef object close(self)
    @cython.locals(end=End, outgoing=Outgoing)
    cdef object _when_writable(self, double until, object is_done)

cdef double _until(object timeout) except? -1

cdef inline Py_ssize_t send_some(object sock, int fd, bytes data, Py_ssize_t start) except -1:
    return send_at(fd, PyBytes_AS_STRING(data) + start, len(data) - start)

cdef inline bytes receive_some(object sock, int fd, Py_ssize_t most):
    return receive_at(fd, most)
