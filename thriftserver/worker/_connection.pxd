# Types for the compiled form of connection.py, and the C twins of what it takes from io.py.
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING

from thriftserver.codec._message cimport Header, put_error, take_header
from thriftserver.codec._seam cimport Sink, Source, finish_frame, load32, new_source, recycle, seal
from thriftserver.rpc._call cimport Call
from thriftserver.rpc._processor cimport Entry, Processor, Seat, clock
from thriftserver.worker._pump cimport CAUTION, HASTE, SMALL, Pump
from thriftserver.worker._stream cimport START, Stream, length_of

cdef extern from "courier.h":
    Py_ssize_t HELD "COURIER_HELD"
    Py_ssize_t send_from(int fd, const char *at, Py_ssize_t size, int more) nogil
    bint courier_put(int fd, const char *at, Py_ssize_t size, long long since, long long patience) nogil
    Py_ssize_t recall "courier_take"(int fd) nogil

cdef extern from *:
    """
    #include <poll.h>
    static inline int peer_reset(int fd) {
        struct pollfd asked = {fd, 0, 0};
        return poll(&asked, 1, 0) > 0 && (asked.revents & (POLLERR | POLLHUP)) != 0;
    }
    """
    bint is_reset "peer_reset"(int fd) nogil

cdef unsigned int _READABLE
cdef long long PATIENT
cdef int SHARE
cdef int _BYTES_OUT

@cython.final
cdef class Ticket:
    cdef bint done
    cdef Seat seat
    cdef Sink reply
    cdef Py_ssize_t size

cdef class Connection(Stream):
    cdef readonly str peer
    cdef bytes label
    cdef readonly int running
    cdef bint condemned
    cdef bytes farewell
    cdef public bint lingering
    cdef readonly long long since
    cdef readonly Sink unsent
    cdef Call call
    cdef bint deferred
    cdef Py_ssize_t offset
    cdef Py_ssize_t size
    cdef object order
    cdef bint sending
    cpdef object on_ready(self, Seat seat)
    @cython.locals(pump=Pump)
    cpdef bint without_seat(self) except -1
    @cython.locals(mask=cython.uint)
    cdef bint is_free(self) except -1
    @cython.locals(data=bytes, size=cython.Py_ssize_t)
    cdef object read(self, Seat seat)
    cdef bint may_serve(self)
    @cython.locals(pump=Pump, length=cython.longlong, frame=bytes)
    cdef object serve_held(self, Seat seat)
    @cython.locals(
        pump=Pump, processor=Processor, ticket=Ticket, header=Header, source=Source, entry=Entry, reply=Sink, call=Call,
        size=cython.Py_ssize_t, now=cython.longlong, ended=cython.longlong,
    )
    cdef object serve(self, bytes data, Seat seat)
    @cython.locals(reply=Sink, call=Call, sent=cython.Py_ssize_t)
    cpdef object send_deferred(self)
    cdef object send(self, Sink reply, Py_ssize_t size)
    cdef object settle_sent(self, Sink reply, Py_ssize_t size, Py_ssize_t sent)
    @cython.locals(ticket=Ticket)
    cdef object send_in_order(self)
    @cython.locals(sent=cython.Py_ssize_t, sink=Sink)
    cdef object flush(self)
    cdef object rest(self)
    cdef object lose(self)
    cpdef object abandon(self)
    cdef object refuse_stream(self, bytes start, long long length)
    cdef object condemn(self, object problem, bytes farewell)
    cdef object part(self)
    cdef object discard(self)

cdef inline int frame_length(bytes data) noexcept:
    return load32(PyBytes_AS_STRING(data))

cdef inline bint defer(int fd, Sink sink, long long since, long long patience):
    return courier_put(fd, sink.start, sink.at - sink.start, since, patience)

cdef inline Py_ssize_t transmit(int fd, Sink sink, Py_ssize_t offset, bint more):
    return send_from(fd, sink.start + offset, sink.at - sink.start - offset, more)
