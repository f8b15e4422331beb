/* Replies that wait for company leave on time, whatever the call does that runs meanwhile.

   The loop puts a reply here when it is to wait for others, and takes it back when its turn is over, mostly unsent. Only
   when that takes longer than the reply may wait, because a handler computes, blocks or is slow for once, a thread sends
   it. The thread knows no Python and needs no interpreter lock. While replies come all the time it looks at the clock once
   in each such time; when none come it sleeps. */
#ifndef THRIFTSERVER_COURIER_H
#define THRIFTSERVER_COURIER_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#define COURIER_ROOM 64
#define COURIER_STACK 65536
/* What became of a letter: bytes sent, or as send_from says, or it is here still. */
#define COURIER_HELD -3

static struct {
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct { int fd; const char *at; Py_ssize_t size, sent; } letters[COURIER_ROOM];
    int count;
    int running;      /* 1: the thread is there, -1: it cannot be made */
    int asleep;       /* it wants to be woken */
    long long due;    /* when the first letter must leave */
} courier = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline Py_ssize_t send_from(int fd, const char *at, Py_ssize_t size, int more) {
    Py_ssize_t n = send(fd, at, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? -1 : -2;
}

static long long courier_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void courier_wait(long long until) {
    struct timespec t = {until / 1000000000LL, until % 1000000000LL};
    pthread_cond_timedwait(&courier.news, &courier.lock, &t);
}

static void *courier_run(void *patience) {
    long long rest = *(long long *)patience;
    prctl(PR_SET_NAME, "courier");
    prctl(PR_SET_TIMERSLACK, 1000);
    pthread_mutex_lock(&courier.lock);
    for (;;) {
        if (courier.count == 0) { /* one more look before it sleeps: under load there are letters again by then */
            courier_wait(courier_clock() + rest);
            if (courier.count > 0) continue;
        } else if (courier_clock() < courier.due) {
            courier_wait(courier.due);
            continue;
        }
        for (int i = 0; i < courier.count; i++)
            if (courier.letters[i].sent == COURIER_HELD)
                courier.letters[i].sent = send_from(courier.letters[i].fd, courier.letters[i].at, courier.letters[i].size, 0);
        courier.asleep = 1;
        while (courier.asleep) pthread_cond_wait(&courier.news, &courier.lock);
    }
    return NULL;
}

static int courier_start(long long patience) {
    static long long rest;
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_condattr_t clock;
    pthread_t thread;
    rest = patience;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&courier.news, &clock);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, COURIER_STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for threads that know Python */
    courier.running = pthread_create(&thread, &attributes, courier_run, &rest) == 0 ? 1 : -1;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return courier.running;
}

/* Leave a reply here; it leaves ``patience`` nanoseconds after ``since`` unless it is taken back. 0: there is no room. */
static inline int courier_put(int fd, const char *at, Py_ssize_t size, long long since, long long patience) {
    if (courier.running == 0) courier_start(patience);
    if (courier.running < 0) return 0;
    int kept = 0;
    pthread_mutex_lock(&courier.lock);
    if (courier.count < COURIER_ROOM) {
        if (courier.count == 0) courier.due = since + patience;
        courier.letters[courier.count].fd = fd;
        courier.letters[courier.count].at = at;
        courier.letters[courier.count].size = size;
        courier.letters[courier.count].sent = COURIER_HELD;
        courier.count++;
        kept = 1;
        if (courier.asleep) {
            courier.asleep = 0;
            pthread_cond_signal(&courier.news);
        }
    }
    pthread_mutex_unlock(&courier.lock);
    return kept;
}

/* Take a reply back; what became of it. */
static inline Py_ssize_t courier_take(int fd) {
    Py_ssize_t sent = COURIER_HELD;
    pthread_mutex_lock(&courier.lock);
    for (int i = 0; i < courier.count; i++)
        if (courier.letters[i].fd == fd) {
            sent = courier.letters[i].sent;
            courier.letters[i] = courier.letters[--courier.count];
            break;
        }
    pthread_mutex_unlock(&courier.lock);
    return sent;
}

#endif
