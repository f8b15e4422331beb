# Types for the compiled form of pump.py, and the C twins of what it takes from io.py.
cimport cython

from thriftserver.rpc._processor cimport Processor, Seat, clock
from thriftserver.scoreboard._slot cimport Slot

cdef extern from *:
    """
    #include <sys/epoll.h>
    #define FOUND_SIZE 256
    static struct epoll_event found[FOUND_SIZE];
    static inline int find_ready(int epoll, int most) {
        int n = epoll_wait(epoll, found, most < FOUND_SIZE ? most : FOUND_SIZE, 0);
        return n < 0 ? 0 : n;
    }
    static inline int ready_fd(int i) { return found[i].data.fd; }
    static inline unsigned int ready_mask(int i) { return found[i].events; }
    """
    int find "find_ready"(int epoll, int most) nogil
    int found_fd "ready_fd"(int index) nogil
    unsigned int found_mask "ready_mask"(int index) nogil

cdef unsigned int _WATCHED
cdef unsigned int _WRITABLE
cdef unsigned int _ENDING
cdef int BATCH
cdef long long NOTICE
cdef int BURST
cdef long long HASTE
cdef int CAUTION

cdef class Member:
    cdef public int fd
    cdef unsigned int mask
    cdef bint queued
    cdef long long ready_at
    cdef bint ending
    cdef bint gave_up
    cdef public bint urgent
    cpdef object on_ready(self, Seat seat)
    cpdef object send_deferred(self)

cdef class Pump:
    cdef readonly object epoll
    cdef readonly int epoll_fd
    cdef readonly Processor processor
    cdef readonly Slot slot
    cdef readonly Py_ssize_t max_frame
    cdef readonly int max_inflight
    cdef readonly int pipeline
    cdef public bint draining
    cdef public bint closing
    cdef public bint stalled
    cdef public bint kicked
    cdef long long polled
    cdef list queue
    cdef Py_ssize_t head
    cdef list outbox
    cdef list urgent
    cdef long long burst_since
    cdef int caution
    cdef readonly list members
    cdef readonly dict partial
    cdef readonly dict blocked
    @cython.locals(count=cython.int, index=cython.int, now=cython.longlong, member=Member, fd=cython.int, mask=cython.uint)
    cpdef object collect(self)
    @cython.locals(processor=Processor, member=Member, queue=list)
    cpdef object turn(self, Seat seat)
    @cython.locals(limit=cython.longlong)
    @cython.locals(now=cython.longlong)
    cdef bint may_defer(self)
    @cython.locals(outbox=list, member=Member)
    cpdef object send_outbox(self)
    cdef bint overdue(self, Member member)
    @cython.locals(queue=list)
    cdef object step(self)
    cpdef Py_ssize_t waiting(self)
    @cython.locals(urgent=list, member=Member)
    cdef object admit(self)
    cpdef object again(self, Member member)
    cpdef object look(self, Member member)
