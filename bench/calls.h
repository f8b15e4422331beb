/* Connections and the calls on them: issue one, take replies, say where each one's latency belongs. */
#pragma once
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "frames.h"

struct slot { u64 t0; u32 seq; u32 msg; };

struct conn {
    int fd, dead, want_out;
    unsigned char *in, *out;
    u32 in_cap, in_len, out_cap, out_len, out_at;
    struct slot *ring;          /* outstanding, oldest first */
    u32 head, count;
    u32 next_msg;
    u64 done;                   /* replies in the measured part */
    u64 budget;                 /* calls this connection may still issue (warmup) */
};

static struct conn *conns;
static u32 nconns = 1, depth = 1;
static int epfd;
static u32 seq_counter = 1;

static struct latency ok, refused[NTYPES];

static struct {
    u64 issued, replies, oneways, conn_errors, bad_frame, bad_type, bad_name,
        bad_seq, bad_body, exceptions, unsent;
} st;

static u64 now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

static void kill_conn(struct conn *c)
{
    if (c->dead) return;
    c->dead = 1;
    st.conn_errors += c->count ? c->count : 1;
    c->count = 0;
    epoll_ctl(epfd, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
}

static void flush_out(struct conn *c)
{
    while (c->out_at < c->out_len) {
        ssize_t r = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
        if (r < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) break;
            kill_conn(c);
            return;
        }
        c->out_at += (u32)r;
    }
    int want = c->out_at < c->out_len;
    if (!want) c->out_at = c->out_len = 0;
    if (want != c->want_out) {
        struct epoll_event ev = { .events = EPOLLIN | (want ? EPOLLOUT : 0), .data.ptr = c };
        epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &ev);
        c->want_out = want;
    }
}

/* Queue one call; returns 1 if a reply is awaited. */
static int issue(struct conn *c, u64 t0)
{
    struct message *m = &msgs[c->next_msg];
    u32 seq = seq_counter++ & 0x7fffffff;
    if (c->out_len + m->len > c->out_cap) {
        c->out_cap = (c->out_len + m->len) * 2;
        c->out = realloc(c->out, c->out_cap);
    }
    memcpy(c->out + c->out_len, m->data, m->len);
    if (!opaque) put32(c->out + c->out_len + m->seq_at, seq);
    c->out_len += m->len;
    st.issued++;
    if (m->oneway) {
        st.oneways++;
    } else {
        struct slot *s = &c->ring[(c->head + c->count++) % depth];
        s->t0 = t0;
        s->seq = seq;
        s->msg = c->next_msg;
    }
    c->next_msg = (c->next_msg + 1) % nmsgs;
    return !m->oneway;
}

/* Compare a reply with what is expected; where its latency belongs. */
static struct latency *check_reply(const unsigned char *p, u32 len, const struct slot *s)
{
    const struct message *m = &msgs[s->msg];
    if (opaque) {
        u32 from = constant_from(m);
        st.bad_body += memcmp(p + from, m->body + from, len - from) != 0;
        return &ok;
    }
    if (len < 12 || (be32(p) & 0xffff0000u) != 0x80010000u) { st.bad_frame++; return &ok; }
    u32 type = be32(p) & 0xff, nl = be32(p + 4);
    if (nl > len - 12) { st.bad_frame++; return &ok; }
    if (type == T_EXCEPTION) return &refused[exception_type(p + 12 + nl, len - 12 - nl)];
    if (type != T_REPLY) st.bad_type++;
    else if (nl != m->name_len || memcmp(p + 8, m->name, nl)) st.bad_name++;
    else if (be32(p + 8 + nl) != s->seq) st.bad_seq++;
    else if (m->body && (len - 12 - nl != m->body_len || memcmp(p + 12 + nl, m->body, m->body_len))) st.bad_body++;
    return &ok;
}

/* Read what is there; returns the number of replies taken. */
static u32 take_replies(struct conn *c, int measured)
{
    u32 got = 0;
    for (;;) {
        if (c->in_cap - c->in_len < 16384) {
            c->in_cap *= 2;
            c->in = realloc(c->in, c->in_cap);
        }
        u32 room = c->in_cap - c->in_len;
        ssize_t r = recv(c->fd, c->in + c->in_len, room, 0);
        if (r < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN) kill_conn(c);
            break;
        }
        if (r == 0) { kill_conn(c); break; }
        c->in_len += (u32)r;
        u64 t = now_ns();
        u32 at = 0;
        while (c->in_len - at >= (opaque ? 1 : 4)) {
            u32 head = opaque ? 0 : 4;
            if (!c->count) { st.bad_frame++; kill_conn(c); return got; }
            u32 len = opaque ? msgs[c->ring[c->head % depth].msg].body_len : be32(c->in + at);
            if (len > (256u << 20)) { st.bad_frame++; kill_conn(c); return got; }
            if (c->in_len - at - head < len) {
                if (len + head > c->in_cap) {
                    c->in_cap = len + head + 16384;
                    c->in = realloc(c->in, c->in_cap);
                }
                break;
            }
            struct slot s = c->ring[c->head % depth];
            c->head = (c->head + 1) % depth;
            c->count--;
            struct latency *kind = check_reply(c->in + at + head, len, &s);
            if (measured) {
                record(kind, t > s.t0 ? t - s.t0 : 0);
                st.replies++;
                st.exceptions += kind != &ok;
                c->done++;
            }
            got++;
            at += head + len;
        }
        if (at) {
            memmove(c->in, c->in + at, c->in_len - at);
            c->in_len -= at;
        }
        if ((u32)r < room) break;
    }
    return got;
}
