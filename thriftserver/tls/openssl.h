/* The OpenSSL that Python's ssl module has loaded, called without Python in between.

   Its functions are looked up in what _ssl is linked to, so there is one OpenSSL in the process, and none is needed to
   compile this. No layout of an object of Python's is known here: OpenSSL itself tells of each SSL that it makes, and
   which object of Python's that belongs to.

   OpenSSL does not touch the descriptor. It reads what one recv has brought and writes what one send takes along; both
   buffers are one for all connections, and hold nothing between two calls from outside. One thread uses all of this. */

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "line.h"

/* Bytes of plain text of one turn, of cipher text that one recv brings, and of what one turn may have to say. */
#define ROOM (128 * 1024)
#define RAW (64 * 1024)
#define SAID (ROOM + 64 * 1024)
/* With more than this unsent, which is more than one turn has to say, nothing is read from a client: it lets us answer
   key updates, and does not read the answers. */
#define STUCK SAID

/* What of OpenSSL is needed; the same in 1.1.1 and in all of 3. */
#define FUNCTIONS(F) \
    F(int, SSL_read, (void *ssl, void *into, int size)) \
    F(int, SSL_write, (void *ssl, const void *data, int size)) \
    F(int, SSL_shutdown, (void *ssl)) \
    F(int, SSL_pending, (const void *ssl)) \
    F(int, SSL_get_error, (const void *ssl, int result)) \
    F(int, SSL_up_ref, (void *ssl)) \
    F(void, SSL_free, (void *ssl)) \
    F(void, SSL_set_bio, (void *ssl, void *in, void *out)) \
    F(void *, SSL_get_ex_data, (const void *ssl, int index)) \
    F(int, SSL_set_ex_data, (void *ssl, int index, void *value)) \
    F(int, CRYPTO_get_ex_new_index, (int kind, long number, void *pointer, void *made, void *copied, void *freed)) \
    F(int, CRYPTO_set_ex_data, (void *data, int index, void *value)) \
    F(void *, CRYPTO_get_ex_data, (const void *data, int index)) \
    F(int, BIO_get_new_index, (void)) \
    F(void *, BIO_meth_new, (int kind, const char *name)) \
    F(int, BIO_meth_set_read, (void *method, int (*)(void *, char *, int))) \
    F(int, BIO_meth_set_write, (void *method, int (*)(void *, const char *, int))) \
    F(int, BIO_meth_set_ctrl, (void *method, long (*)(void *, int, long, void *))) \
    F(void *, BIO_new, (const void *method)) \
    F(void, BIO_set_data, (void *bio, void *value)) \
    F(void *, BIO_get_data, (void *bio)) \
    F(void, BIO_set_flags, (void *bio, int flags)) \
    F(void, BIO_clear_flags, (void *bio, int flags)) \
    F(unsigned long, ERR_peek_error, (void)) \
    F(void, ERR_clear_error, (void))

#define DECLARED(result, name, arguments) result (*name) arguments;
static struct { FUNCTIONS(DECLARED) } lib;

/* Their constants, which are part of its ABI. */
enum { OF_SSL = 0, OF_PYTHON = 0 };                                  /* CRYPTO_EX_INDEX_SSL; Python's SSL_set_app_data */
enum { SOURCE_SINK = 0x400, RETRY_READ = 0x09, ANY_RETRY = 0x0f };   /* BIO_TYPE_SOURCE_SINK, BIO_FLAGS_... */
enum { ASKED_EOF = 2, ASKED_FLUSH = 11 };                            /* BIO_CTRL_... */
enum { WANT_READ = 2, WANT_WRITE = 3, ZERO_RETURN = 6 };             /* SSL_ERROR_... */

static unsigned char inbox[ROOM];
static unsigned char raw[RAW], said[SAID];
static size_t raw_at, raw_end, said_size;
static int may_receive; /* once a turn, so that all of what comes finds room */

/* Every SSL in the process that nobody has claimed yet. */

typedef struct Made {
    struct Made *before, *after;
    void *ssl;
} Made;

static Made unclaimed = {&unclaimed, &unclaimed, NULL};
static pthread_mutex_t claiming = PTHREAD_MUTEX_INITIALIZER; /* Python makes them without its lock */
static int made_index = -1;

static void unlink_made(Made *made) {
    made->before->after = made->after;
    made->after->before = made->before;
    free(made);
}

static void on_made(void *ssl, void *value, void *data, int index, long number, void *pointer) {
    (void)value, (void)number, (void)pointer;
    Made *made = malloc(sizeof *made);
    if (made == NULL) return;
    if (!lib.CRYPTO_set_ex_data(data, index, made)) {
        free(made);
        return;
    }
    made->ssl = ssl;
    pthread_mutex_lock(&claiming);
    made->before = &unclaimed;
    made->after = unclaimed.after;
    made->after->before = unclaimed.after = made;
    pthread_mutex_unlock(&claiming);
}

/* A copy is an SSL of its own, which we were told of when it was made. */
static int on_copied(void *to, const void *from, void *value, int index, long number, void *pointer) {
    (void)from, (void)number, (void)pointer;
    *(void **)value = lib.CRYPTO_get_ex_data(to, index);
    return 1;
}

static void on_freed(void *ssl, void *value, void *data, int index, long number, void *pointer) {
    (void)ssl, (void)data, (void)index, (void)number, (void)pointer;
    if (value == NULL) return;
    pthread_mutex_lock(&claiming);
    unlink_made(value);
    pthread_mutex_unlock(&claiming);
}

/* The SSL of an object of Python's, with a reference of our own; NULL where OpenSSL knows of none. */
static void *claim(const void *object) {
    void *found = NULL;
    pthread_mutex_lock(&claiming);
    for (Made *made = unclaimed.after; made != &unclaimed; made = made->after) {
        if (lib.SSL_get_ex_data(made->ssl, OF_PYTHON) != object) continue;
        if (lib.SSL_up_ref(made->ssl)) {
            found = made->ssl;
            lib.SSL_set_ex_data(found, made_index, NULL);
            unlink_made(made);
        }
        break;
    }
    pthread_mutex_unlock(&claiming);
    return found;
}

/* What OpenSSL reads from and writes to. */

static void *line_method;

static int on_read(void *bio, char *into, int size) {
    Line *line = lib.BIO_get_data(bio);
    lib.BIO_clear_flags(bio, ANY_RETRY);
    if (line == NULL || size <= 0) return -1;
    if (raw_at == raw_end) {
        ssize_t got;
        if (!may_receive) {
            lib.BIO_set_flags(bio, RETRY_READ);
            return -1;
        }
        may_receive = 0;
        do got = recv(line->fd, raw, RAW, MSG_DONTWAIT);
        while (got < 0 && errno == EINTR);
        if (got <= 0) {
            if (got == 0) line->at_end = 1;
            else if (errno == EAGAIN || errno == EWOULDBLOCK) lib.BIO_set_flags(bio, RETRY_READ);
            return (int)got;
        }
        raw_at = 0;
        raw_end = (size_t)got;
    }
    if ((size_t)size > raw_end - raw_at) size = (int)(raw_end - raw_at);
    memcpy(into, raw + raw_at, (size_t)size);
    raw_at += (size_t)size;
    return size;
}

static int on_write(void *bio, const char *data, int size) {
    lib.BIO_clear_flags(bio, ANY_RETRY);
    if (size < 0 || (size_t)size > SAID - said_size) return -1;
    memcpy(said + said_size, data, (size_t)size);
    said_size += (size_t)size;
    return size;
}

static long on_asked(void *bio, int what, long number, void *pointer) {
    (void)number, (void)pointer;
    Line *line = lib.BIO_get_data(bio);
    if (what == ASKED_FLUSH) return 1;
    return what == ASKED_EOF && line != NULL && line->at_end;
}

/* Look everything up in the library of this name, which is loaded; what is not there, or NULL. */
static const char *reach(const char *name) {
    static int reached;
    if (reached) return NULL;
    void *library = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
    if (library == NULL) return name;
#define LOOKED_UP(result, name, arguments) \
    if ((lib.name = (result (*) arguments)dlsym(library, #name)) == NULL) return #name;
    FUNCTIONS(LOOKED_UP)
    line_method = lib.BIO_meth_new(lib.BIO_get_new_index() | SOURCE_SINK, "thriftserver");
    if (line_method == NULL || !lib.BIO_meth_set_read(line_method, on_read) ||
        !lib.BIO_meth_set_write(line_method, on_write) || !lib.BIO_meth_set_ctrl(line_method, on_asked))
        return "BIO_meth_new";
    made_index = lib.CRYPTO_get_ex_new_index(OF_SSL, 0, NULL, on_made, on_copied, on_freed);
    if (made_index < 0) return "CRYPTO_get_ex_new_index";
    reached = 1;
    return NULL;
}

static void lose(unsigned char **kept, size_t *size) {
    free(*kept);
    *kept = NULL;
    *size = 0;
}

/* Join the bytes to those that are kept. */
static int keep(unsigned char **kept, size_t *size, const unsigned char *data, size_t more) {
    unsigned char *grown = realloc(*kept, *size + more);
    if (grown == NULL) return -1;
    memcpy(grown + *size, data, more);
    *kept = grown;
    *size += more;
    return 0;
}

/* Bytes that the kernel has taken; -1 when the connection is dead. */
static ssize_t give(int fd, const unsigned char *data, size_t size) {
    ssize_t sent;
    do sent = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : sent;
}

/* Take over an SSL whose handshake is done. */
static int line_open(Line *line, const void *object, int fd) {
    memset(line, 0, sizeof *line);
    line->fd = fd;
    line->ssl = claim(object);
    if (line->ssl == NULL) return -1;
    line->bio = lib.BIO_new(line_method);
    if (line->bio == NULL) return -1;
    lib.BIO_set_data(line->bio, line);
    lib.SSL_set_bio(line->ssl, line->bio, line->bio);
    return 0;
}

static void line_close(Line *line) {
    if (line->bio != NULL) lib.BIO_set_data(line->bio, NULL); /* it lives as long as the SSL, which Python has too */
    if (line->ssl != NULL) lib.SSL_free(line->ssl);
    line->ssl = line->bio = NULL;
    lose(&line->kept, &line->size);
}

/* Send what OpenSSL has said, behind what is kept. */
static void line_send(Line *line) {
    size_t sent = 0;
    if (said_size == 0) return;
    if (line->size == 0) {
        ssize_t taken = give(line->fd, said, said_size);
        if (taken < 0) line->dead = 1;
        else sent = (size_t)taken;
    }
    if (!line->dead && sent < said_size && keep(&line->kept, &line->size, said + sent, said_size - sent) < 0)
        line->dead = 1;
    said_size = 0;
}

static void line_failed(Line *line, int result) {
    int why = lib.SSL_get_error(line->ssl, result);
    lib.ERR_clear_error();
    if (why == WANT_READ || why == WANT_WRITE) return;
    if (why == ZERO_RETURN || line->at_end) line->over = 1;
    else line->dead = 1;
}

/* Errors of others would be taken for those of this connection. */
static void line_begin(void) {
    if (lib.ERR_peek_error()) lib.ERR_clear_error();
}

/* Encrypt the first bytes of the inbox, and send them or keep what is too much. */
static void line_write(Line *line, size_t size) {
    if (line->ssl == NULL) return;
    line_begin();
    if (lib.SSL_write(line->ssl, inbox, (int)size) <= 0) { /* all of it or nothing: partial writes are off */
        line->dead = 1;
        lib.ERR_clear_error();
    }
    line_send(line);
}

/* Decrypt what the client has sent into the inbox; how many bytes that is. What is left is the kernel's to tell of. */
static size_t line_read(Line *line) {
    size_t total = 0;
    if (line->ssl == NULL) return 0;
    raw_at = raw_end = 0;
    may_receive = 1;
    for (;;) {
        size_t before = raw_at;
        line_begin();
        int got = lib.SSL_read(line->ssl, inbox + total, (int)(ROOM - total));
        if (got > 0) {
            total += (size_t)got;
            if (raw_at < raw_end || lib.SSL_pending(line->ssl) > 0) continue;
            break;
        }
        line_failed(line, got);
        if (line->over || line->dead || raw_at == raw_end || raw_at == before) break;
    }
    may_receive = 0;
    raw_at = raw_end; /* all was taken but for what follows an end */
    line_send(line);
    return total;
}

/* Send what is kept. */
static void line_flush(Line *line) {
    if (line->size == 0) return;
    ssize_t sent = give(line->fd, line->kept, line->size);
    if (sent < 0) line->dead = 1;
    else if ((size_t)sent == line->size) lose(&line->kept, &line->size);
    else memmove(line->kept, line->kept + sent, line->size -= (size_t)sent);
}

/* Say, inside TLS, that nothing follows. */
static void line_finish(Line *line) {
    if (line->ssl == NULL || line->finished) return;
    line->finished = 1;
    line_begin();
    if (lib.SSL_shutdown(line->ssl) < 0) lib.ERR_clear_error();
    line_send(line);
}
