"""The compiled twin of ``ends``: OpenSSL's own functions on the SSL that Python has made and shaken hands with."""

import os
import ssl

import _ssl

cdef extern from "openssl.h":
    """
    #include <sys/socket.h>

    /* Bytes that a worker has said, in the inbox; 0 at the end, -1 when there are none yet, -2 when it is gone. */
    static Py_ssize_t hear(int fd) {
        ssize_t got;
        do got = recv(fd, inbox, ROOM, MSG_DONTWAIT);
        while (got < 0 && errno == EINTR);
        return got >= 0 ? got : errno == EAGAIN || errno == EWOULDBLOCK ? -1 : -2;
    }
    """
    const size_t STUCK
    const char *look_up "reach"(const char *name)
    int line_open(Line *line, void *object, int fd)
    void line_close(Line *line)
    size_t line_read(Line *line)
    void line_write(Line *line, size_t size)
    void line_flush(Line *line)
    void line_finish(Line *line)
    void lose(unsigned char **kept, size_t *size)
    int keep(unsigned char **kept, size_t *size, unsigned char *data, size_t more)
    Py_ssize_t give(int fd, unsigned char *data, size_t size)
    Py_ssize_t hear(int fd)
    unsigned char *inbox
    int shutdown(int fd, int how)
    int SHUT_WR

cdef extern from "string.h":
    void *memmove(void *to, const void *data, size_t size)


def reach() -> str:
    """Why these ends cannot be used in this process; nothing where they can."""
    path = getattr(_ssl, "__file__", None)
    if path is None:
        return "_ssl is a part of this Python"
    missing = look_up(os.fsencode(path))
    if missing is not NULL:
        return f"{missing.decode()} is not there"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    probe = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    try:
        Client(probe, -1)
    except LookupError as error:
        return str(error)
    return ""


cdef class Client:
    def __init__(self, sock, fd=None):
        self.sock = sock
        self.fd = sock.fileno() if fd is None else fd
        made = getattr(sock, "_sslobj", None)
        # OpenSSL knows this object by its address alone: of another one, or none, it has no SSL.
        if line_open(&self.line, <void *>made, self.fd) < 0:
            raise LookupError("OpenSSL has told of no connection for the one that Python has made")

    def __dealloc__(self):
        line_close(&self.line)

    cpdef Py_ssize_t read(self) noexcept:
        cdef Py_ssize_t size = line_read(&self.line)
        self.look()
        return size

    cpdef void write(self, Py_ssize_t size) noexcept:
        line_write(&self.line, size)
        self.look()

    cpdef void flush(self) noexcept:
        line_flush(&self.line)
        self.look()

    cpdef void finish(self) noexcept:
        line_finish(&self.line)
        self.look()

    cdef void look(self) noexcept:
        self.over = self.line.over
        self.dead = self.line.dead
        self.full = self.line.size > 0
        self.stuck = self.line.size > STUCK

    cpdef object release(self):
        self.fd = -1
        line_close(&self.line)
        self.full = self.stuck = False
        return self.sock

    cpdef object close(self):
        self.release().close()


cdef class Worker:
    def __init__(self, sock):
        self.sock = sock
        self.fd = sock.fileno()

    def __dealloc__(self):
        lose(&self.kept, &self.size)

    cpdef Py_ssize_t read(self) noexcept:
        cdef Py_ssize_t size = hear(self.fd)
        if size > 0:
            return size
        self.over = size != -1
        return 0

    cpdef void write(self, Py_ssize_t size) noexcept:
        cdef Py_ssize_t sent = give(self.fd, inbox, size)
        if 0 <= sent < size:
            # Without memory for what is left, the stream ends where it was cut: a part of a message is never served.
            if keep(&self.kept, &self.size, inbox + sent, size - sent) < 0:
                self.finish()
        self.full = self.size > 0

    cpdef void flush(self) noexcept:
        cdef Py_ssize_t sent = give(self.fd, self.kept, self.size)
        if sent < 0 or <size_t>sent == self.size:
            lose(&self.kept, &self.size)
        else:
            self.size -= sent
            memmove(self.kept, self.kept + sent, self.size)
        self.full = self.size > 0

    cpdef void finish(self) noexcept:
        shutdown(self.fd, SHUT_WR)

    cpdef object close(self):
        self.fd = -1
        lose(&self.kept, &self.size)
        self.full = False
        self.sock.close()
