# Types for the compiled form of processor.py, and the C twins of within.py.
cimport cython
from cpython.object cimport PyObject

from thriftserver.codec._memory cimport FRONT, Sink, Source, finish, length, new_source, seal
from thriftserver.codec._header cimport Header
from thriftserver.codec._protocol cimport Codec, Protocol, put_error
from thriftserver.rpc._call cimport Call, Current, Entry, Seat
from thriftserver.scoreboard._slot cimport Slot

cdef extern from *:
    """
    #include <time.h>
    static inline long long monotonic_ns(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000000LL + t.tv_nsec;
    }
    /* The list is call.args, which others may change meanwhile: what is called must not lose its arguments. */
    static inline PyObject *call_list(PyObject *target, PyObject *args) {
        PyObject *held[8], *result;
        Py_ssize_t count = PyList_GET_SIZE(args);
        if (count > 8) {
            PyObject *all = PyList_AsTuple(args);
            if (all == NULL) return NULL;
            result = PyObject_Call(target, all, NULL);
            Py_DECREF(all);
            return result;
        }
        for (Py_ssize_t i = 0; i < count; i++) held[i] = Py_NewRef(PyList_GET_ITEM(args, i));
        result = PyObject_Vectorcall(target, held, (size_t)count, NULL);
        for (Py_ssize_t i = 0; i < count; i++) Py_DECREF(held[i]);
        return result;
    }
    static inline Py_ssize_t holders_of(PyObject *fiber) {
        return fiber == Py_None ? 0 : Py_REFCNT(fiber);
    }
    static inline int memory_of(PyObject *fiber) {
        Py_ssize_t dict = Py_TYPE(fiber)->tp_dictoffset, weak = Py_TYPE(fiber)->tp_weaklistoffset;
        PyObject *at = dict > 0 ? *(PyObject **)((char *)fiber + dict) : NULL;
        return (at != NULL && PyDict_GET_SIZE(at) > 0) || (weak > 0 && *(PyObject **)((char *)fiber + weak) != NULL);
    }
    /* What a context maps, as the collector is told of it: how it lies in memory is CPython's own business. */
    static int last_found(PyObject *found, void *last) { *(PyObject **)last = found; return 0; }
    static PyObject *last_of(PyObject *object) {
        PyObject *last = NULL;
        if (object != NULL && Py_TYPE(object)->tp_traverse != NULL) Py_TYPE(object)->tp_traverse(object, last_found, &last);
        return last;
    }
    static int is_tree(PyObject *object) { return strncmp(Py_TYPE(object)->tp_name, "hamt", 4) == 0; }
    static int find_tree(PyObject *found, void *any) { return is_tree(found); }
    /* The same if it is one node, and None otherwise. Whatever is derived from one node has a copy of it, and with that a
       reference to each value. */
    static PyObject *one_node(PyObject *context) {
        PyObject *map = last_of(context), *node = map == NULL || !is_tree(map) ? NULL : last_of(map);
        int one = node != NULL && is_tree(node) && !Py_TYPE(node)->tp_traverse(node, find_tree, NULL);
        return Py_NewRef(one ? map : Py_None);
    }
    /* Can nothing that was kept of a context tell what it is for next? Nobody has it, or what it maps, or a copy of that
       (which would have ``value``), and nothing was set in it. */
    static inline int is_untouched(PyObject *context, PyObject *map, PyObject *value) {
        Py_ssize_t weak = Py_TYPE(context)->tp_weaklistoffset;
        return Py_REFCNT(context) == 1 && Py_REFCNT(map) == 2 && Py_REFCNT(value) == 2 && last_of(context) == map
            && (weak <= 0 || *(PyObject **)((char *)context + weak) == NULL);
    }
    """
    long long monotonic_ns() nogil
    Py_ssize_t holders "holders_of"(object fiber)
    bint has_memory "memory_of"(object fiber)
    object call_list(object target, list args)
    object PyContext_CopyCurrent()
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1
    object PyContextVar_Set(object var, object value)
    object one_node(object context)
    bint is_untouched(PyObject *context, PyObject *map, PyObject *value)

cdef Protocol BINARY
cdef int _CALL
cdef int _ONEWAY
cdef int _SUCCESS
cdef int _DECLARED
cdef int _UNDECLARED
cdef int _BAD_REQUEST
cdef int _BAD_RESULT
cdef int _APPLICATION
cdef int _TIMEOUT
cdef int _SHED
cdef int _FORBIDDEN
cdef int _UNRECORDED
cdef int _GONE
cdef int _UNKNOWN_METHOD
cdef int _BAD_MESSAGE
cdef int _FIELDS_SKIPPED
cdef int _FIELDS_REPEATED
cdef int _FIELDS_MISORDERED
cdef int _BYTES_TRAILING

cdef class Processor:
    cdef public Slot slot
    cdef public object on_failure
    cdef public Py_ssize_t max_frame
    cdef public long long queue_timeout
    cdef public list observers
    cdef public object on_broken
    cdef public bint debug
    cdef public int active
    cdef public long long served
    cdef public long long now
    cdef public long long spent_after
    cdef public object on_spent
    cdef public object on_expired
    cdef public object on_shortened
    cdef public object beyond
    cdef public dict entries
    cdef public str default
    cdef public list services
    cdef object guesses
    @cython.locals(reply=Sink, seat=Seat, source=Source, header=Header, size=cython.Py_ssize_t, now=cython.longlong)
    cpdef object process(self, bytes frame, Py_ssize_t start=*)
    @cython.locals(entry=Entry)
    cdef Entry find(self, Header header)
    @cython.locals(call=Call, source=Source, size=cython.Py_ssize_t, args=list, reply=Sink, known=cython.Py_ssize_t)
    cdef Sink serve(
        self, Header header, Entry entry, Seat seat, str dialect, object peer, bytes label, long long received,
        long long started
    )
    cdef object shorten(self, Call call, str milliseconds)
    cdef object forgive(self, Source source)
    @cython.locals(entry=Entry, now=cython.longlong)
    cdef object settle(self, Call call, Py_ssize_t size, bint gone)
    cdef object observe(self, Call call)
    @cython.locals(call=Call, entry=Entry, reply=Sink)
    cdef Sink returned(self, Header header, Seat seat, object result)
    @cython.locals(call=Call, reply=Sink)
    cdef Sink raised(self, Header header, Seat seat, object error)
    @cython.locals(entry=Entry, reply=Sink)
    cdef Sink put_raised(self, Header header, Call call, object error)
    cdef Sink spoilt(self, Header header, Seat seat, object error, int outcome)
    @cython.locals(size=cython.Py_ssize_t)
    cdef Sink checked(self, Header header, Call call, Sink reply)
    cdef Sink internal(self, Header header, Call call, object error, int outcome)
    cdef object fail(self, Call call, object error, int outcome)
    cdef Sink deny(self, Header header, Call call, int ending, int type, str text)
    @cython.locals(entry=Entry)
    cdef Sink late(self, Header header, Call call)
    @cython.locals(codec=Codec)
    cdef Sink refuse(self, Header header, object peer)

cdef Codec codec_of(Entry entry, Header header)

cdef inline long long clock() noexcept:
    return monotonic_ns()

# To set a variable costs more than all else here: a seat's calls have one context, as long as nobody can tell.
cdef inline object run_within(object var, Seat seat, Call call, object target, list args, bint chained):
    context = new_context(var, seat) if seat.context is None else seat.context
    seat.context = None
    seat.current.call = call
    PyContext_Enter(context)
    try:
        return target(call) if chained else call_list(target, args)
    finally:
        PyContext_Exit(context)
        if is_untouched(<PyObject *>context, <PyObject *>seat.variables, <PyObject *>seat.current):
            seat.current.call = None
            seat.context = context

cdef inline object new_context(object var, Seat seat):
    seat.current = Current.__new__(Current)
    context = PyContext_CopyCurrent()
    PyContext_Enter(context)
    PyContextVar_Set(var, seat.current)
    PyContext_Exit(context)
    seat.variables = one_node(context)
    return context
