# Types for the compiled form of tunnel.py, and the C twins of what it takes from ready.py.
cimport cython

from thriftserver.tls._ends cimport Client, Worker

cdef extern from *:
    """
    #include <math.h>
    #include <sys/epoll.h>
    #include <time.h>
    #define FOUND_SIZE 256
    static struct epoll_event found[FOUND_SIZE];
    /* A signal ends the wait: what it is to bring about is the caller's. */
    static int find_ready(int epoll, int most, double timeout) {
        int n;
        Py_BEGIN_ALLOW_THREADS
        n = epoll_wait(epoll, found, most < FOUND_SIZE ? most : FOUND_SIZE, (int)ceil(timeout * 1e3));
        Py_END_ALLOW_THREADS
        return n < 0 ? 0 : n;
    }
    static inline double clock_seconds(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec + now.tv_nsec * 1e-9;
    }
    static inline int ready_count(int n) { return n; }
    static inline int ready_fd(int n, int i) { (void)n; return found[i].data.fd; }
    static inline int ready_mask(int n, int i) { (void)n; return (int)found[i].events; }
    """
    # The array is one for all: the process has one set, and nothing that goes on in a turn begins another turn.
    double clock "clock_seconds"() nogil
    int find "find_ready"(int epoll, int most, double timeout)
    int found_count "ready_count"(int found) nogil
    int found_fd "ready_fd"(int found, int index) nogil
    int found_mask "ready_mask"(int found, int index) nogil

cdef int _IN
cdef int _OUT
cdef int _GONE
cdef int _SUSPENDED
cdef int BATCH
cdef int BUSY
cdef double SPELL

cdef class Watch:
    cdef readonly object epoll
    cdef int epoll_fd
    cdef object home
    cdef list tunnels
    cdef bint returning
    cdef bint is_busy
    cdef public long long found
    cdef readonly double weighed
    @cython.locals(
        found=cython.int, index=cython.int, fd=cython.int, tunnel=Tunnel, until=cython.double, now=cython.double
    )
    cpdef list turn(self, double timeout)
    @cython.locals(is_busy=cython.bint)
    cpdef object weigh(self, double now)
    cdef object go_on(self, Tunnel tunnel, int fd, int mask)

cdef class Tunnel:
    cdef readonly Client client
    cdef readonly Worker worker
    cdef Watch watch
    cdef object home
    cdef int client_mask
    cdef int worker_mask
    cdef object on_ready(self, int fd, int mask)
    @cython.locals(client=Client, worker=Worker)
    cdef object on_client(self, int mask)
    @cython.locals(client=Client, worker=Worker)
    cdef object on_worker(self, int mask)
    @cython.locals(client=Client, worker=Worker, size=cython.Py_ssize_t)
    cdef object pull_in(self)
    @cython.locals(client=Client, worker=Worker, size=cython.Py_ssize_t)
    cdef object pull_out(self)
    @cython.locals(client=Client, worker=Worker)
    cdef object flush_worker(self)
    @cython.locals(client=Client)
    cdef object flush_client(self)
    cdef object client_dead(self)
    cdef object worker_over(self)
    @cython.locals(client=Client)
    cdef object say_good_bye(self)
    @cython.locals(client=Client, worker=Worker, mask=cython.int)
    cdef object settle(self)
