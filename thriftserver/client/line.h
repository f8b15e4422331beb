/* Sends and receives of line.py, on sockets that block the thread which waits for them.
 *
 * What cannot wait is done with the interpreter held: to give it away and get it back takes other threads' time, and for
 * as long as it is held nobody closes the descriptor in between. `fd` points to the line's own, which is -1 from its
 * close on. Times are nanoseconds, negative ones for ever.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

/* Bytes that one system call may copy with the interpreter held. */
#define LINE_SHORT 16384
/* Bytes that are received into memory of the thread's own, and copied: it costs less than memory that shrinks. */
#define LINE_INBOX 65536

enum { LINE_END = -1, LINE_NOTHING = 0, LINE_ANYTHING = 1 };

static inline int line_failed(int wrong)
{
    errno = wrong;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

static inline long long line_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Wait until there may be something to do; -1 with an exception set, TimeoutError among them. */
static int line_wait(const int *fd, short events, long long end)
{
    for (;;) {
        struct pollfd asked = {*fd, events, 0};
        struct timespec limit, *left = NULL;
        int found, wrong;
        if (*fd < 0) return line_failed(EBADF);
        if (end >= 0) {
            long long ns = end - line_clock();
            if (ns < 0) ns = 0;
            limit.tv_sec = ns / 1000000000LL;
            limit.tv_nsec = ns % 1000000000LL;
            left = &limit;
        }
        Py_BEGIN_ALLOW_THREADS
        found = ppoll(&asked, 1, left, NULL);
        wrong = errno;
        Py_END_ALLOW_THREADS
        if (found > 0) return 0;
        if (found == 0) {
            PyErr_SetString(PyExc_TimeoutError, "timed out");
            return -1;
        }
        if (wrong != EINTR) return line_failed(wrong);
        if (PyErr_CheckSignals()) return -1;
    }
}

static int line_send(const int *fd, PyObject *data, long long timeout)
{
    const char *at = PyBytes_AS_STRING(data);
    size_t left = (size_t)PyBytes_GET_SIZE(data);
    long long end = -1;
    while (left > 0) {
        int number = *fd, wrong;
        ssize_t sent;
        if (number < 0) return line_failed(EBADF);
        if (left <= LINE_SHORT) {
            sent = send(number, at, left, MSG_DONTWAIT | MSG_NOSIGNAL);
            wrong = errno;
        } else {
            Py_BEGIN_ALLOW_THREADS
            sent = send(number, at, left, MSG_DONTWAIT | MSG_NOSIGNAL);
            wrong = errno;
            Py_END_ALLOW_THREADS
        }
        if (sent >= 0) {
            at += sent;
            left -= (size_t)sent;
        } else if (wrong == EAGAIN || wrong == EWOULDBLOCK) {
            if (timeout >= 0 && end < 0) end = line_clock() + timeout;
            if (line_wait(fd, POLLOUT, end)) return -1;
        } else if (wrong != EINTR) {
            return line_failed(wrong);
        } else if (PyErr_CheckSignals()) {
            return -1;
        }
    }
    return 0;
}

/* Whether the kernel itself ends a receive early enough. It is told once for all receives of a socket, and less than the
 * first timeout, because they get a little shorter from one to the next; the rest is waited for otherwise.
 */
static int line_patient(int fd, long long *patience, long long timeout)
{
    if (*patience == 0) {
        long long ns = timeout - timeout / 8;
        struct timeval most = {ns / 1000000000LL, ns % 1000000000LL / 1000};
        int set = ns >= 1000000 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most) == 0;
        *patience = set ? ns : -1;
    }
    return *patience > 0 && timeout >= *patience;
}

/* Mostly it is one system call, which waits and receives; where the kernel might wait too long in it, there are two. */
static PyObject *line_receive(const int *fd, Py_ssize_t most, long long timeout, long long *patience)
{
    static _Thread_local char inbox[LINE_INBOX];
    PyObject *made = NULL;
    char *into = inbox;
    long long end = timeout < 0 ? -1 : line_clock() + timeout;
    int waited = timeout >= 0 && !line_patient(*fd, patience, timeout);
    if (most > LINE_INBOX) {
        made = PyBytes_FromStringAndSize(NULL, most);
        if (made == NULL) return NULL;
        into = PyBytes_AS_STRING(made);
    }
    if (waited && line_wait(fd, POLLIN, end)) goto failed;
    for (;;) {
        int number = *fd, wrong;
        ssize_t got;
        if (number < 0) {
            line_failed(EBADF);
            goto failed;
        }
        if (waited && most <= LINE_INBOX) {
            got = recv(number, into, (size_t)most, MSG_DONTWAIT);
            wrong = errno;
        } else {
            Py_BEGIN_ALLOW_THREADS
            got = recv(number, into, (size_t)most, waited ? MSG_DONTWAIT : 0);
            wrong = errno;
            Py_END_ALLOW_THREADS
        }
        if (got >= 0) {
            if (made == NULL) return PyBytes_FromStringAndSize(inbox, got);
            _PyBytes_Resize(&made, got);
            return made;
        }
        if (wrong == EINTR) {
            if (PyErr_CheckSignals()) goto failed;
        } else if (wrong != EAGAIN && wrong != EWOULDBLOCK) {
            line_failed(wrong);
            goto failed;
        }
        waited = 1; /* the kernel would begin anew */
        if (line_wait(fd, POLLIN, end)) goto failed;
    }
failed:
    Py_XDECREF(made);
    return NULL;
}

static inline int line_peek(int fd)
{
    char byte;
    ssize_t found = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (found > 0) return LINE_ANYTHING;
    return found < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? LINE_NOTHING : LINE_END;
}
