# Types for the compiled form of slot.py, and the C twins of memory.py.
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.string cimport memcpy

ctypedef unsigned long long word

cdef extern from *:
    """
    #define publish_word(at, value) __atomic_store_n((at), (value), __ATOMIC_RELEASE)
    #define bits_of(n) ((n) ? 64 - __builtin_clzll(n) : 0)
    """
    void publish_word(word *at, word value) nogil
    int bits_of(word n) nogil

cdef long long _UNSIGNED
cdef int _PAGE
cdef int _CALL
cdef int _INFLIGHT
cdef int _CALLS
cdef int _HISTOGRAM
cdef int _BUCKETS
cdef int _DECLARED
cdef int _DECLARED_BY
cdef int _DECLARED_KINDS
cdef int _FINEST

@cython.final
cdef class Slot:
    cdef readonly object view
    cdef readonly object plan
    cdef word *words
    cdef Py_ssize_t queue
    cdef Py_ssize_t first_call
    cdef Py_ssize_t first_method
    cdef int limit
    cdef list free
    cpdef int put(self, int word, unsigned long long value) except -1
    cpdef int add(self, int word, long long count) except -1
    @cython.locals(at=cython.Py_ssize_t, record=cython.int)
    cpdef int begin(self, int method, int seqid, Py_ssize_t size, long long received, long long started, bytes peer) except -2
    cpdef int end(self, int record) except -1
    @cython.locals(at=cython.Py_ssize_t)
    cpdef int finish(self, int method, int outcome, int kind, long long duration, long long queued, Py_ssize_t request, Py_ssize_t reply) except -1
    @cython.locals(steps=cython.longlong, shift=cython.int, place=cython.int)
    cdef int place(self, long long duration) except -1

cdef inline word *words_of(object view) except NULL:
    cdef unsigned long long[::1] typed = view
    return <word *>&typed[0]

cdef inline int publish(word *words, Py_ssize_t at, word value) except -1:
    publish_word(words + at, value)
    return 0

cdef inline int put_text(word *words, Py_ssize_t at, bytes text) except -1:
    memcpy(words + at, PyBytes_AS_STRING(text), 64)
    return 0

cdef inline int bits(word number) noexcept:
    return bits_of(number)
