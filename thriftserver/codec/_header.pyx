# cython: language_level=3
"""The C twin of ``header``."""
cimport cython


# Nothing that it holds leads back to it, and there is one for each call, which the collector need not look at.
@cython.final
@cython.freelist(8)
@cython.no_gc
cdef class Header:
    def __init__(self, str name, int kind, int seqid, bint strict=True, Py_ssize_t body=0):
        self.name = name
        self.kind = kind
        self.seqid = seqid
        self.strict = strict
        self.body = body

    def __repr__(self):
        return (
            f"Header(name={self.name!r}, kind={self.kind}, seqid={self.seqid}, strict={self.strict}, body={self.body})"
        )
