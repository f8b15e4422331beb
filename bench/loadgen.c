/* loadgen: replay pre-encoded framed Thrift calls over many connections.
 *
 * Depends on nothing but Linux and libc.  See --help and README.md.
 * Every reply is compared byte for byte; TApplicationExceptions are counted by
 * type, each with latencies of its own: under overload they are the answer.
 *
 * Closed loop (default): every connection keeps DEPTH calls outstanding.
 * Open loop (--rate R): calls are due at fixed (or --poisson) instants, taken
 * by any connection with a free slot; latency runs from the instant a call
 * was DUE, so a stalled server is charged for the calls it kept waiting
 * (no coordinated omission).
 *
 * With --sync the program prints READY when connected and warmed up, waits for
 * a line on stdin, runs the measured part, prints DONE with the connections
 * still open, waits for another line, then closes and prints the JSON result.
 * The driver reads the server's CPU clock at those two points.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include "calls.h"

static u32 live(void)
{
    u32 n = 0;
    for (u32 i = 0; i < nconns; i++) n += !conns[i].dead;
    return n;
}

/* Closed loop.  per_conn: each connection issues exactly that many calls;
 * otherwise `total` calls are shared by whoever is free. */
static int run_closed(u64 per_conn, u64 total, double limit_s, int measured)
{
    u64 left = per_conn ? per_conn * nconns : total;
    u64 outstanding = 0, end = now_ns() + (u64)(limit_s * 1e9);
    struct epoll_event evs[512];

    for (u32 i = 0; i < nconns; i++) conns[i].budget = per_conn ? per_conn : ~0ull;
#define REFILL(c) do { \
        u64 t_ = 0; \
        while (!(c)->dead && left && (c)->budget && (c)->count < depth) { \
            if (!t_) t_ = now_ns(); \
            left--; (c)->budget--; \
            outstanding += (u64)issue((c), t_); \
        } \
        if ((c)->out_at < (c)->out_len && !(c)->dead) { \
            u32 n_ = (c)->count; flush_out(c); if ((c)->dead) outstanding -= n_; } \
    } while (0)
    for (u32 i = 0; i < nconns; i++) REFILL(&conns[i]);
    while (outstanding) {
        int n = epoll_wait(epfd, evs, 512, 200);
        if (now_ns() > end) return 1;
        for (int i = 0; i < n; i++) {
            struct conn *c = evs[i].data.ptr;
            if (c->dead) continue;
            if (evs[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                u32 before = c->count;
                u32 got = take_replies(c, measured);
                outstanding -= c->dead ? before : got;
                if (c->dead && c->budget != ~0ull) left -= c->budget;
            }
            if (!c->dead) REFILL(c);
        }
        if (n < 0 && errno != EINTR) die("epoll_wait");
    }
    if (left && live()) { st.unsent += left; }
    return 0;
}

static u64 rng = 88172645463325252ull;
static double uniform(void)
{
    rng ^= rng << 13; rng ^= rng >> 7; rng ^= rng << 17;
    return ((double)(rng >> 11) + 0.5) / 9007199254740992.0;
}

static int run_open(u64 total, double rate, int poisson, double limit_s)
{
    struct epoll_event evs[512];
    u64 start = now_ns(), end = start + (u64)(limit_s * 1e9);
    double due = 0, gap = 1e9 / rate;       /* due: ns after start */
    u64 left = total, outstanding = 0;
    struct conn **idle = malloc(sizeof *idle * nconns * depth);
    u32 nidle = 0, at = 0;                   /* FIFO of free slots */
    u32 cap = nconns * depth;

    for (u32 d = 0; d < depth; d++)
        for (u32 i = 0; i < nconns; i++) idle[nidle++] = &conns[i];
    while (left || outstanding) {
        u64 t = now_ns();
        if (t > end) { free(idle); return 1; }
        while (left && nidle && start + (u64)due <= t) {
            struct conn *c = idle[at];
            at = (at + 1) % cap;
            nidle--;
            if (c->dead) continue;
            int awaited = issue(c, start + (u64)due);
            left--;
            due += poisson ? -log(uniform()) * gap : gap;
            u32 n = c->count;
            flush_out(c);
            if (c->dead) { outstanding -= n - (u32)awaited; continue; }
            if (awaited) outstanding++;
            else { idle[(at + nidle++) % cap] = c; }
        }
        struct timespec ts = { 0, 200000000 };
        if (left && nidle) {
            t = now_ns();
            u64 next = start + (u64)due, wait = next > t ? next - t : 0;
            if (wait < 200000000) ts.tv_nsec = (long)wait;
        }
        if (left && !nidle && !outstanding) break;      /* all dead */
        int n = epoll_pwait2(epfd, evs, 512, &ts, NULL);
        for (int i = 0; i < n; i++) {
            struct conn *c = evs[i].data.ptr;
            if (c->dead) continue;
            if (evs[i].events & EPOLLOUT) {
                u32 b = c->count;
                flush_out(c);
                if (c->dead) { outstanding -= b; continue; }
            }
            if (evs[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                u32 before = c->count, got = take_replies(c, 1);
                if (c->dead) { outstanding -= before; continue; }
                outstanding -= got;
                while (got--) idle[(at + nidle++) % cap] = c;
            }
        }
    }
    st.unsent += left;
    free(idle);
    return 0;
}

static void await_line(const char *say)
{
    int c;
    printf("%s\n", say);
    fflush(stdout);
    while ((c = getchar()) != EOF && c != '\n') ;
}

static void show(const char *name, u64 value)
{
    printf("\"%s\": %llu, ", name, (unsigned long long)value);
}

static void show_latency(const struct latency *l)
{
    printf("\"latency_us\": {\"min\": %.1f, \"mean\": %.1f, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, "
           "\"p999\": %.1f, \"max\": %.1f}", l->n ? (double)l->min / 1e3 : 0, l->n ? l->sum / (double)l->n / 1e3 : 0,
           quantile(l, .5) / 1e3, quantile(l, .9) / 1e3, quantile(l, .99) / 1e3, quantile(l, .999) / 1e3,
           (double)l->max / 1e3);
}

static void usage(void)
{
    puts("loadgen --frames FILE [options]\n"
         "  --host A         IPv4 address (127.0.0.1)     --port P\n"
         "  --frames FILE    framed requests, replayed in turn by each connection\n"
         "  --expect FILE    framed replies expected, one per request (empty = oneway)\n"
         "  --conns N        connections (1)              --depth D   calls in flight each (1)\n"
         "  --requests R     measured calls (1000)        --warmup K  calls per connection first (1)\n"
         "  --rate R         open loop, calls per second  --poisson   exponential gaps\n"
         "  --timeout S      bound on the measured part (30)\n"
         "  --cpu N          pin to a core                --sync      READY/DONE handshake on stdio\n"
         "  --opaque         messages of any dialect: sent and compared as they are, without the lengths in the files");
    exit(0);
}

int main(int argc, char **argv)
{
    static const struct option longopts[] = {
        {"host", 1, 0, 'h'}, {"port", 1, 0, 'p'}, {"frames", 1, 0, 'f'},
        {"expect", 1, 0, 'e'}, {"conns", 1, 0, 'c'}, {"depth", 1, 0, 'd'},
        {"requests", 1, 0, 'n'}, {"warmup", 1, 0, 'w'}, {"rate", 1, 0, 'r'},
        {"poisson", 0, 0, 'P'}, {"timeout", 1, 0, 't'}, {"cpu", 1, 0, 'C'},
        {"sync", 0, 0, 's'}, {"opaque", 0, 0, 'o'}, {"help", 0, 0, '?'}, {0, 0, 0, 0}};
    const char *host = "127.0.0.1", *frames = NULL, *expect = NULL;
    int port = 0, poisson = 0, sync = 0, cpu = -1, o;
    u64 requests = 1000, warmup = 1;
    double rate = 0, timeout = 30;

    while ((o = getopt_long(argc, argv, "", longopts, NULL)) != -1) switch (o) {
        case 'h': host = optarg; break;
        case 'p': port = atoi(optarg); break;
        case 'f': frames = optarg; break;
        case 'e': expect = optarg; break;
        case 'c': nconns = (u32)atoi(optarg); break;
        case 'd': depth = (u32)atoi(optarg); break;
        case 'n': requests = strtoull(optarg, NULL, 10); break;
        case 'w': warmup = strtoull(optarg, NULL, 10); break;
        case 'r': rate = atof(optarg); break;
        case 'P': poisson = 1; break;
        case 't': timeout = atof(optarg); break;
        case 'C': cpu = atoi(optarg); break;
        case 's': sync = 1; break;
        case 'o': opaque = 1; break;
        default: usage();
    }
    if (!frames || !port || !nconns || !depth) usage();
    signal(SIGPIPE, SIG_IGN);
    struct rlimit rl;
    if (!getrlimit(RLIMIT_NOFILE, &rl)) { rl.rlim_cur = rl.rlim_max; setrlimit(RLIMIT_NOFILE, &rl); }
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        sched_setaffinity(0, sizeof set, &set);
    }
    load_requests(frames);
    if (expect) load_replies(expect);

    epfd = epoll_create1(0);
    conns = calloc(nconns, sizeof *conns);
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    if (inet_pton(AF_INET, host, &sa.sin_addr) != 1) die(host);
    u64 tc = now_ns();
    for (u32 i = 0; i < nconns; i++) {
        struct conn *c = &conns[i];
        int one = 1;
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (c->fd < 0) die("socket");
        if (connect(c->fd, (struct sockaddr *)&sa, sizeof sa)) die("connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        c->in_cap = 65536;
        c->in = malloc(c->in_cap);
        c->ring = calloc(depth, sizeof *c->ring);
        struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
        epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &ev);
    }
    double connect_s = (double)(now_ns() - tc) / 1e9;

    int late = 0;
    if (warmup) late = run_closed(warmup, 0, timeout, 0);
    u64 warm_errors = st.conn_errors;
    st.issued = st.oneways = 0;
    if (late) fprintf(stderr, "loadgen: warmup timed out\n");
    if (sync) await_line("READY");

    struct rusage r0, r1;
    getrusage(RUSAGE_SELF, &r0);
    u64 t0 = now_ns();
    if (!late && requests)
        late = rate > 0 ? run_open(requests, rate, poisson, timeout)
                        : run_closed(0, requests, timeout, 1);
    u64 t1 = now_ns();
    getrusage(RUSAGE_SELF, &r1);
    if (sync) await_line("DONE");

    u64 dmin = ~0ull, dmax = 0;
    for (u32 i = 0; i < nconns; i++) {
        if (conns[i].done < dmin) dmin = conns[i].done;
        if (conns[i].done > dmax) dmax = conns[i].done;
        if (!conns[i].dead) close(conns[i].fd);
    }
    double wall = (double)(t1 - t0) / 1e9;
    double cpu_s = (double)(r1.ru_utime.tv_sec - r0.ru_utime.tv_sec + r1.ru_stime.tv_sec - r0.ru_stime.tv_sec)
        + (double)(r1.ru_utime.tv_usec - r0.ru_utime.tv_usec + r1.ru_stime.tv_usec - r0.ru_stime.tv_usec) / 1e6;
    u64 errors = st.conn_errors + st.bad_frame + st.bad_type + st.bad_name + st.bad_seq + st.bad_body + st.unsent;
    printf("{");
    show("requests", st.issued);
    show("replies", st.replies);
    show("ok", ok.n);
    show("oneways", st.oneways);
    show("errors", errors + st.exceptions);
    printf("\"error_kinds\": {");
    show("warmup_connection", warm_errors);
    show("bad_frame", st.bad_frame);
    show("bad_type", st.bad_type);
    show("bad_name", st.bad_name);
    show("bad_seqid", st.bad_seq);
    show("bad_body", st.bad_body);
    show("exception", st.exceptions);
    show("unsent", st.unsent);
    printf("\"connection\": %llu}, \"exceptions\": {", (unsigned long long)(st.conn_errors - warm_errors));
    const char *comma = "";
    for (u32 i = 0; i < NTYPES; i++) {
        if (!refused[i].n) continue;
        printf("%s\"%d\": {\"count\": %llu, ", comma, i < NTYPES - 1 ? (int)i : -1, (unsigned long long)refused[i].n);
        show_latency(&refused[i]);
        printf("}");
        comma = ", ";
    }
    printf("}, \"timed_out\": %s, ", late ? "true" : "false");
    show("conns", nconns);
    show("conn_replies_min", dmax ? dmin : 0);
    show("conn_replies_max", dmax);
    printf("\"wall_s\": %.6f, \"rps\": %.1f, \"connect_s\": %.6f, \"client_cpu_s\": %.6f, ",
           wall, wall > 0 ? (double)(st.replies + st.oneways) / wall : 0, connect_s, cpu_s);
    show_latency(&ok);
    printf("}\n");
    return errors || st.exceptions || late ? 1 : 0;
}
