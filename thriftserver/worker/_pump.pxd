# Types for the compiled form of pump.py, and the C twins of what it takes from io.py.
cimport cython

from thriftserver.rpc._call cimport Seat
from thriftserver.rpc._processor cimport Processor, clock
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
    static inline int ready_count(int n) { return n; }
    static inline int ready_fd(int n, int i) { (void)n; return found[i].data.fd; }
    static inline unsigned int ready_mask(int n, int i) { (void)n; return found[i].events; }
    """
    # Between find and the last found_mask no object is made and no foreign code runs: the array is one for all.
    int find "find_ready"(int epoll, int most) nogil
    int found_count "ready_count"(int found) nogil
    int found_fd "ready_fd"(int found, int index) nogil
    unsigned int found_mask "ready_mask"(int found, int index) nogil

cdef unsigned int _WATCHED
cdef unsigned int _WRITABLE
cdef unsigned int _ENDING
cdef unsigned int _RESET
cdef int BATCH
cdef long long NOTICE

cdef class Member:
    cdef public int fd
    cdef unsigned int mask
    cdef bint queued
    cdef long long ready_at
    cdef readonly bint ending
    cdef bint reset
    cdef public bint urgent
    cpdef object on_ready(self, Seat seat)
    cpdef bint without_seat(self) except -1

cdef class Pump:
    cdef readonly object epoll
    cdef readonly int epoll_fd
    cdef readonly Processor processor
    cdef readonly Slot slot
    cdef readonly object ear
    cdef public object tap
    cdef public long long untapped
    cdef readonly int max_inflight
    cdef readonly int pipeline
    cdef public bint draining
    cdef public bint closing
    cdef public bint stalled
    cdef public bint kicked
    cdef long long polled
    cdef list queue
    cdef Py_ssize_t head
    cdef object parked
    cdef list urgent
    cdef readonly list members
    cdef readonly dict partial
    cdef readonly dict blocked
    cdef readonly dict untold
    @cython.locals(found=cython.int, index=cython.int, now=cython.longlong, member=Member, mask=cython.uint)
    cpdef object collect(self)
    @cython.locals(processor=Processor, member=Member, seated=cython.bint)
    cpdef object turn(self, Seat seat)
    cdef object serve_standing(self, Member member)
    cpdef object unpark(self)
    @cython.locals(limit=cython.longlong)
    cdef bint overdue(self, Member member)
    @cython.locals(queue=list)
    cdef object step(self)
    cpdef Py_ssize_t waiting(self)
    @cython.locals(urgent=list, member=Member)
    cdef object admit(self)
    cpdef object again(self, Member member)
    cpdef object look(self, Member member)
