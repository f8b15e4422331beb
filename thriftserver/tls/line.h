/* What is known of one client between two calls (openssl.h). */

#ifndef THRIFTSERVER_TLS_LINE
#define THRIFTSERVER_TLS_LINE

#include <stddef.h>

typedef struct {
    void *ssl, *bio;
    int fd;
    char at_end;   /* the kernel has no more to give, ever */
    char over;     /* the client has said all */
    char dead;     /* nothing reaches the client */
    char finished; /* our good-bye is said */
    unsigned char *kept; /* cipher text that the kernel has not taken */
    size_t size;
} Line;

#endif
