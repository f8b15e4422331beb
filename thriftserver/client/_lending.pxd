# Types for the compiled form of lending.py, and the C twins of stack.py.
cimport cython

cdef extern from *:
    """
    /* As the methods of lists do, which give memory back when they take, and ask for it again when they append. */
    static inline int stack_push(PyObject *stack, PyObject *item) {
        PyListObject *list = (PyListObject *)stack;
        Py_ssize_t size = Py_SIZE(list);
        if (size >= list->allocated) return PyList_Append(stack, item);
        list->ob_item[size] = Py_NewRef(item);
        Py_SET_SIZE(list, size + 1);
        return 0;
    }
    static inline PyObject *stack_pop(PyObject *stack) {
        Py_ssize_t size = PyList_GET_SIZE(stack);
        if (size == 0) Py_RETURN_NONE;
        Py_SET_SIZE((PyListObject *)stack, size - 1);
        return PyList_GET_ITEM(stack, size - 1);
    }
    """
    int push "stack_push"(list stack, object item) except -1
    object pop "stack_pop"(list stack)

cdef class Place:
    cdef readonly set held
    cdef readonly list idle
    cdef public double cost
    cdef public bint odd

cpdef Py_ssize_t busy(Place place) except -1

cdef class Held:
    cdef readonly Place endpoint
    cdef public double until
    cdef public double used
    cdef public long long calls
    cdef public long long repeats

cdef class Lender:
    cdef public object pairs
    cdef public Place only
    cdef public double due
    cdef object _new
    cdef object _drop
    @cython.locals(only=Place, first=Place, second=Place, drawn=tuple)
    cpdef Place choose(self)
    @cython.locals(held=Held)
    cpdef Held take(self, double now)
    @cython.locals(held=Held)
    cpdef Held take_of(self, Place place, double now)
    @cython.locals(held=Held)
    cpdef Held borrow(self, Place place, double now)
    @cython.locals(place=Place)
    cpdef bint give(self, Held held) except -1
