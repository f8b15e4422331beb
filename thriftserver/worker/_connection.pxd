# Types for the compiled form of connection.py, and the C twins of what it takes from io.py.
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

from thriftserver.codec._memory cimport Sink, Source, recycle, waiting
from thriftserver.codec._header cimport Header
from thriftserver.dialect._transport cimport START, Transport
from thriftserver.rpc._call cimport Call, Entry, Seat
from thriftserver.rpc._processor cimport Processor, clock
from thriftserver.worker._pump cimport Pump
from thriftserver.worker._stream cimport Stream

cdef extern from *:
    """
    #include <errno.h>
    #include <poll.h>
    #include <sys/socket.h>
    #define SEND_BROKEN -2
    static inline Py_ssize_t send_from(int fd, const char *at, Py_ssize_t size, int more) {
        Py_ssize_t n = send(fd, at, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
        if (n >= 0) return n;
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? -1 : SEND_BROKEN;
    }
    static inline int peer_reset(int fd) {
        struct pollfd asked = {fd, 0, 0};
        return poll(&asked, 1, 0) > 0 && (asked.revents & (POLLERR | POLLHUP)) != 0;
    }
    """
    const Py_ssize_t BROKEN "SEND_BROKEN"
    Py_ssize_t send_from(int fd, const char *at, Py_ssize_t size, int more) nogil
    bint is_reset "peer_reset"(int fd) nogil

cdef unsigned int _READABLE
cdef long long PATIENT
cdef int SHARE
cdef int _SPOKEN
cdef int _BYTES_OUT

@cython.final
cdef class Ticket:
    cdef bint done
    cdef Seat seat
    cdef Sink reply
    cdef Py_ssize_t size

cdef class Connection(Stream):
    cdef readonly object peer
    cdef bytes label
    cdef readonly int running
    cdef int width
    cdef bint condemned
    cdef bytes farewell
    cdef public bint lingering
    cdef readonly long long since
    cdef readonly Sink unsent
    cdef Py_ssize_t offset
    cdef Py_ssize_t size
    cdef object order
    cdef bint sending
    cpdef object on_ready(self, Seat seat)
    @cython.locals(pump=Pump)
    cpdef bint without_seat(self) except -1
    @cython.locals(mask=cython.uint)
    cdef bint is_free(self) except -1
    @cython.locals(data=bytes, known=cython.bint)
    cdef object read(self, Seat seat)
    cdef bint may_serve(self)
    @cython.locals(transport=Transport, length=cython.Py_ssize_t, frame=bytes)
    cdef object serve_held(self, Seat seat)
    @cython.locals(
        pump=Pump, processor=Processor, ticket=Ticket, header=Header, transport=Transport, entry=Entry, reply=Sink, call=Call,
        size=cython.Py_ssize_t, now=cython.longlong,
    )
    cdef object serve(self, bytes data, Seat seat)
    @cython.locals(pump=Pump, source=Source, entry=Entry)
    cdef object overhear(self, Header header, Call call, bytes data, Sink reply)
    @cython.locals(processor=Processor)
    cdef Sink wrap(self, Transport transport, Header header, Sink reply, Call call)
    cdef object follow(self, Transport transport)
    @cython.locals(sent=cython.Py_ssize_t)
    cdef object send(self, Sink reply, Py_ssize_t size)
    @cython.locals(ticket=Ticket)
    cdef object send_in_order(self)
    @cython.locals(sent=cython.Py_ssize_t, sink=Sink)
    cdef object flush(self)
    cdef object rest(self)
    cdef object lose(self)
    cpdef object abandon(self)
    cdef object refuse_stream(self, bytes start)
    cdef object say(self, bytes interim)
    cdef object condemn(self, object problem, bytes farewell)
    cdef object part(self)
    cdef object discard(self)

cdef inline Py_ssize_t transmit(int fd, Sink sink, Py_ssize_t offset, bint more):
    return send_from(fd, sink.start + sink.first + offset, sink.at - sink.start - sink.first - offset, more)

cdef inline int utter(int fd, bytes data):
    send_from(fd, PyBytes_AS_STRING(data), len(data), False)
    return 0

cdef inline bytes copied(Sink sink):
    return PyBytes_FromStringAndSize(sink.start + sink.first, waiting(sink))
