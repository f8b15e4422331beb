# Types for the compiled form of connection.py, and the C twins of what it takes from io.py.
cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize

from thriftserver.codec._message cimport Header, put_error, take_header
from thriftserver.codec._seam cimport Sink, Source, load32, new_source, recycle, seal, view_source
from thriftserver.rpc._call cimport Call
from thriftserver.rpc._processor cimport Seat, clock
from thriftserver.worker._pump cimport Member, Pump

cdef extern from *:
    """
    #include <errno.h>
    #include <sys/socket.h>
    #define INBOX_SIZE 65536
    static char inbox[INBOX_SIZE];
    static inline Py_ssize_t verdict(void) {
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? -1 : -2;
    }
    static inline Py_ssize_t receive_into(int fd) {
        Py_ssize_t n = recv(fd, inbox, INBOX_SIZE, 0);
        return n < 0 ? verdict() : n;
    }
    static inline Py_ssize_t send_from(int fd, const char *at, Py_ssize_t size, int more) {
        Py_ssize_t n = send(fd, at, (size_t)size, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        return n < 0 ? verdict() : n;
    }
    static inline int peer_left(int fd) {
        char byte;
        Py_ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        return n == 0 || (n < 0 && verdict() == -2);
    }
    """
    const Py_ssize_t INBOX "INBOX_SIZE"
    char *inbox
    Py_ssize_t receive "receive_into"(int fd) nogil
    Py_ssize_t send_from(int fd, const char *at, Py_ssize_t size, int more) nogil
    bint has_left "peer_left"(int fd) nogil

cdef unsigned int _READABLE
cdef long long PATIENT
cdef int SHARE
cdef int _BYTES_IN
cdef int _BYTES_OUT

@cython.final
cdef class Ticket:
    cdef bint done
    cdef Sink reply
    cdef Py_ssize_t size

cdef class Connection(Member):
    cdef readonly str peer
    cdef bytes label
    cdef Pump pump
    cdef readonly int running
    cdef bint more
    cdef bint ended
    cdef public bint lingering
    cdef readonly bytearray held
    cdef bint whole
    cdef long long received
    cdef readonly long long since
    cdef readonly Sink unsent
    cdef Call call
    cdef bint deferred
    cdef Py_ssize_t offset
    cdef Py_ssize_t size
    cdef object order
    @cython.locals(mask=cython.uint)
    cpdef object on_ready(self, Seat seat)
    @cython.locals(size=cython.Py_ssize_t)
    cdef object read(self, Seat seat)
    cpdef object hold(self, bytes data)
    @cython.locals(size=cython.Py_ssize_t, length=cython.longlong)
    cdef object measure(self)
    @cython.locals(pump=Pump, length=cython.longlong)
    cdef object serve_held(self, Seat seat)
    cdef bint may_serve(self)
    @cython.locals(pump=Pump, ticket=Ticket, reply=Sink, size=cython.Py_ssize_t, waited=cython.bint, now=cython.longlong, call=Call)
    cdef object serve(self, Source source, Seat seat)
    @cython.locals(reply=Sink, call=Call)
    cpdef object send_deferred(self)
    @cython.locals(sent=cython.Py_ssize_t)
    cdef object send(self, Sink reply, Py_ssize_t size)
    @cython.locals(ticket=Ticket)
    cdef object send_in_order(self)
    @cython.locals(sent=cython.Py_ssize_t)
    cdef object flush(self)
    cdef object rest(self)
    @cython.locals(reply=Sink, header=Header)
    cdef object refuse_stream(self, bytes start, long long length)
    cdef object fail(self, object error, bytes answer)
    @cython.locals(size=cython.Py_ssize_t)
    cdef object discard(self)

cdef inline int inbox_length() noexcept:
    return load32(inbox)

cdef inline Source inbox_frame(Py_ssize_t size):
    return view_source(None, inbox + 4, size - 4)

cdef inline bytes inbox_bytes(Py_ssize_t size):
    return PyBytes_FromStringAndSize(inbox, size)

cdef inline Py_ssize_t transmit(int fd, Sink sink, Py_ssize_t offset, bint more):
    return send_from(fd, sink.start + offset, sink.at - sink.start - offset, more)
