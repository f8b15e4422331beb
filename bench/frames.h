/* Framed messages: the requests to replay, the replies to expect, and what an exception says. */
#pragma once
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "latency.h"

enum { T_CALL = 1, T_REPLY = 2, T_EXCEPTION = 3, T_ONEWAY = 4 };

struct message {                /* one pre-encoded request */
    unsigned char *data;        /* with the 4-byte length in front */
    u32 len;
    u32 name_len;
    const unsigned char *name;
    u32 seq_at;                 /* offset of the sequence id in data */
    int oneway;
    const unsigned char *body;  /* reply body expected (after seqid), or NULL */
    u32 body_len;
};

/* Messages are of any dialect: sent as they are, without the length in front, and answered with the bytes expected. */
static int opaque;
static struct message *msgs;
static u32 nmsgs;

static u32 be32(const unsigned char *p)
{
    return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static void put32(unsigned char *p, u32 v)
{
    p[0] = (unsigned char)(v >> 24); p[1] = (unsigned char)(v >> 16);
    p[2] = (unsigned char)(v >> 8); p[3] = (unsigned char)v;
}

static void die(const char *what)
{
    fprintf(stderr, "loadgen: %s: %s\n", what, errno ? strerror(errno) : "bad input");
    exit(2);
}

static unsigned char *slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f) die(path);
    size_t cap = 1 << 16, len = 0;
    unsigned char *b = malloc(cap);
    for (;;) {
        size_t r = fread(b + len, 1, cap - len, f);
        if (!r) break;
        len += r;
        if (len == cap) b = realloc(b, cap *= 2);
    }
    fclose(f);
    *n = len;
    return b;
}

static void load_requests(const char *path)
{
    size_t n, at = 0;
    unsigned char *b = slurp(path, &n);
    errno = 0;
    while (at + 4 <= n) {
        u32 len = be32(b + at);
        if ((len < 12 && !opaque) || at + 4 + len > n) die(path);
        msgs = realloc(msgs, (nmsgs + 1) * sizeof *msgs);
        struct message *m = &msgs[nmsgs++];
        memset(m, 0, sizeof *m);
        if (opaque) {
            m->data = b + at + 4;
            m->len = len;
            at += 4 + len;
            continue;
        }
        m->data = b + at;
        m->len = len + 4;
        u32 head = be32(b + at + 4);
        if ((head & 0xffff0000u) != 0x80010000u) die(path);
        m->oneway = (head & 0xff) == T_ONEWAY;
        m->name_len = be32(b + at + 8);
        if (m->name_len + 12 > len) die(path);
        m->name = b + at + 12;
        m->seq_at = 12 + m->name_len;
        at += 4 + len;
    }
    if (!nmsgs) die(path);
}

static void load_replies(const char *path)
{
    size_t n, at = 0;
    u32 i = 0;
    unsigned char *b = slurp(path, &n);
    errno = 0;
    while (at + 4 <= n && i < nmsgs) {
        u32 len = be32(b + at);
        if (at + 4 + len > n) die(path);
        if (opaque) {
            msgs[i].body = b + at + 4;
            msgs[i].body_len = len;
            msgs[i].oneway = !len;
        } else if (len) {
            u32 nl = be32(b + at + 8);
            msgs[i].body = b + at + 16 + nl;
            msgs[i].body_len = len - 12 - nl;
        }
        at += 4 + len;
        i++;
    }
    if (i != nmsgs) die(path);
}

/* Where the part of a reply begins that is always the same: behind the head of an HTTP response, which has the time in it. */
static u32 constant_from(const struct message *m)
{
    if (m->body_len < 5 || memcmp(m->body, "HTTP/", 5)) return 0;
    const unsigned char *end = memmem(m->body, m->body_len, "\r\n\r\n", 4);
    return end ? (u32)(end - m->body) : 0;
}

#define NTYPES 16                       /* TApplicationException types; the last one is all others */

/* The type in the body of a TApplicationException: {1: string message, 2: i32 type}. */
static u32 exception_type(const unsigned char *p, u32 len)
{
    u32 at = 0;
    while (at + 7 <= len && p[at]) {
        u32 v = be32(p + at + 3);
        if (p[at] == 8 && p[at + 2] == 2) return v < NTYPES - 1 ? v : NTYPES - 1;
        if (p[at] == 8) at += 7;
        else if (p[at] == 11 && v <= len) at += 7 + v;
        else break;
    }
    return NTYPES - 1;
}
