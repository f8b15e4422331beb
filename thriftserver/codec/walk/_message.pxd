# Types for the compiled form of message.py.
cimport cython

from thriftserver.codec._memory cimport Sink, Source, finish, finish_frame, new_sink, new_source
from thriftserver.codec._header cimport Header
from thriftserver.codec._protocol cimport Codec, Protocol, Scanner, Tally

from ._header cimport begin_message, close_message, end_message, take_message
from ._node cimport Node, skip
from ._record cimport Fields, Member, node_of
from ._scan cimport Scan
from ._seam cimport (
    begin_struct, close_field, close_struct, end_field, end_struct, open_struct, put_field, put_i32, put_text, take_field,
    take_i32, take_loose,
)

cdef int _CALL
cdef int _REPLY
cdef int _EXCEPTION
cdef int _ONEWAY
cdef int _STRING
cdef int _I32
cdef dict _methods
cdef dict _structs
cdef object _MISSING_RESULT

cdef class Method(Codec):
    cdef Fields args
    cdef list members
    cdef str name
    cdef bint oneway
    cdef dict outcomes
    cdef Member result
    cdef list throws
    @cython.locals(sink=Sink, outer=cython.int, member=Member)
    cpdef Sink put_call(self, Header header, object args)
    @cython.locals(source=Source)
    cpdef object take_reply(self, Header header)
    @cython.locals(args=list)
    cdef list take_args(self, Source source)
    cdef Sink put_result(self, Header header, object value)
    cdef Sink put_declared(self, Header header, Py_ssize_t index, object exc)

cdef class Messages(Protocol):
    cpdef Codec codec_of(self, object plan)
    @cython.locals(header=Header)
    cpdef Header take_header(self, Source source)
    cpdef Scanner new_scanner(self)
    cpdef Sink put_error(self, Header header, int type, object message)

@cython.locals(method=Method)
cdef Method method_of(object plan)
@cython.locals(node=Node)
cdef Node struct_of(object cls)
cdef Messages _nameless
@cython.locals(sink=Sink, outer=cython.int)
cdef Sink put_error(Header header, int type, object message)
@cython.locals(code=cython.int, outer=cython.int, member=Member, found=cython.bint)
cdef object _outcome(Method method, Source source)
@cython.locals(code=cython.int, outer=cython.int)
cdef object _application_error(Source source)
cdef bytes _bytes(object data)
@cython.locals(sink=Sink)
cdef Sink _open(Header header, int kind)
cdef int _put_member(Sink sink, Member member, object value) except -1
cdef object _read_member(Source source, Member member)

@cython.locals(source=Source)
cpdef object decode_args(object plan, object frame, Py_ssize_t body, Tally tally=*)
cpdef object encode_result(object plan, Header header, object value)
cpdef object encode_declared(object plan, Header header, Py_ssize_t index, object exc)
@cython.locals(sink=Sink, outer=cython.int)
cdef Sink _reply(Header header, Member member, object value)
cpdef object encode_error(Header header, int type, object message)
cpdef object decode_reply(object plan, object frame, Header header)
@cython.locals(node=Node, sink=Sink)
cpdef object encode_struct(object value)
@cython.locals(node=Node)
cpdef object decode_struct(object cls, object data)
