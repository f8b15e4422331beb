# Types for the compiled form of message.py.
cimport cython

from thriftserver.codec._seam cimport (
    Sink, Source, finish, finish_frame, new_sink, new_source, put_field, put_raw, put_size, put_text, put_u8, take_bytes,
    take_i16, take_i32, take_length, take_name, take_u8,
)
from thriftserver.codec._node cimport Node, skip
from thriftserver.codec._walk cimport Fields, Member, node_of

cdef long long _VERSION_1
cdef long long _VERSION_MASK
cdef int _MAX_NAME
cdef int _CALL
cdef int _REPLY
cdef int _EXCEPTION
cdef int _ONEWAY
cdef int _STRING
cdef int _I32
cdef dict _methods
cdef dict _structs
cdef object _MISSING_RESULT

@cython.final
cdef class Header:
    cdef public str name
    cdef public int kind
    cdef public int seqid
    cdef public bint strict
    cdef public Py_ssize_t body

@cython.final
cdef class Tally:
    cdef public Py_ssize_t skipped, repeated, misordered, trailing
    cdef int add(self, Source source) except -1

@cython.final
cdef class Method:
    cdef Fields args
    cdef list members
    cdef str name
    cdef bint oneway
    cdef dict outcomes
    cdef Member result
    cdef list throws

@cython.locals(method=Method)
cdef Method method_of(object plan)
@cython.locals(node=Node)
cdef Node struct_of(object cls)
@cython.locals(word=cython.int, kind=cython.int, size=cython.int, strict=cython.bint, header=Header, name=str)
cdef Header _header(Source source)
cdef Header take_header(Source source)
cdef list take_args(Method method, Source source)
cdef Sink put_result(Method method, Header header, object value)
cdef Sink put_declared(Method method, Header header, Py_ssize_t index, object exc)
@cython.locals(sink=Sink, data=bytes)
cdef Sink put_error(Header header, int type, object message)
@cython.locals(code=cython.int, member=Member, found=cython.bint)
cdef object _outcome(Method method, Source source)
@cython.locals(code=cython.int, id=cython.int)
cdef object _application_error(Source source)
cdef bytes _bytes(object data)
cdef int _open(Sink sink, bint strict, int kind, str name, int seqid) except -1
cdef int _put_member(Sink sink, Member member, object value) except -1
cdef object _read_member(Source source, Member member)

@cython.locals(source=Source)
cpdef object decode_args(object plan, object frame, Py_ssize_t body, Tally tally=*)
cpdef object encode_result(object plan, Header header, object value)
cpdef object encode_declared(object plan, Header header, Py_ssize_t index, object exc)
@cython.locals(sink=Sink)
cdef Sink _reply(Header header, Member member, object value)
cpdef object encode_error(Header header, int type, object message)
@cython.locals(method=Method, source=Source)
cpdef object decode_reply(object plan, object frame, Header header)
@cython.locals(node=Node, sink=Sink)
cpdef object encode_struct(object value)
@cython.locals(node=Node)
cpdef object decode_struct(object cls, object data)
