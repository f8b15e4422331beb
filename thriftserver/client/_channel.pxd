# Types for the compiled form of channel.py.
cimport cython

from thriftserver.client._conversation cimport Conversation
from thriftserver.client._deadline cimport Deadline
from thriftserver.client._line cimport Line

cdef Py_ssize_t INBOX
cdef Py_ssize_t LARGE

cdef class Channel:
    cdef readonly str peer
    cdef object _where
    cdef Conversation _conversation
    cdef object _keepalive
    cdef object _tls
    cdef readonly Line _line
    cdef bint _busy
    cpdef object close(self)
    @cython.locals(line=Line)
    cpdef object abort(self)
    @cython.locals(line=Line)
    cpdef object ready(self, Deadline deadline)
    @cython.locals(conversation=Conversation, message=bytes)
    cpdef object call(self, object plan, object args, Deadline deadline)
    @cython.locals(conversation=Conversation, line=Line, request=bytes, answered=cython.bint)
    cdef bytes _exchange(self, object plan, object args, Deadline deadline)
    cdef object _send(self, Line line, bytes request, Deadline deadline, bint answered)
    @cython.locals(conversation=Conversation, data=bytes, held=bytearray, size=cython.Py_ssize_t, claimed=cython.Py_ssize_t)
    cdef bytes _receive(self, Line line, Deadline deadline)
    @cython.locals(data=bytes)
    cdef bytes _some(self, Line line, Deadline deadline, object held, Py_ssize_t most=*)
