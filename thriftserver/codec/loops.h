/* Loops over values that need no closer look, by the take_value and put_value of the protocol whose seam.h includes this. */
/* A list of values in a row, up to the first that needs a closer look. Moves ``from`` on. */
static inline PyObject *take_values(const char **from, const char *end, Py_ssize_t size, int kind, PyObject *members) {
    PyObject *items = PyList_New(size);
    if (items == NULL) return NULL;
    Py_ssize_t i = 0;
    for (PyObject *item; i < size && (item = take_value(from, end, kind, members)) != NULL; i++) PyList_SET_ITEM(items, i, item);
    Py_SET_SIZE(items, i); /* nobody has seen the rest: no foreign code has run */
    return items;
}
/* Pairs of a text and a value, put into a dict up to the first that needs a closer look; adds to ``index``. */
static inline const char *take_pairs(const char *at, const char *end, PyObject *items, Py_ssize_t size, int kind, PyObject *members, Py_ssize_t *index) {
    for (const char *next = at; *index < size; at = next, ++*index) {
        PyObject *name = take_value(&next, end, KIND_NAME, NULL);
        if (name == NULL) break;
        PyObject *item = take_value(&next, end, kind, members);
        int failed = item == NULL ? 0 : PyDict_SetItem(items, name, item);
        Py_DECREF(name);
        if (item == NULL) break;
        Py_DECREF(item);
        if (failed) return NULL;
    }
    return at;
}

/* Writes values of exactly a list or tuple from ``index`` on, up to the first that needs a closer look. */
static inline char *put_values(char *at, const char *end, PyObject *items, int kind, int wire, Py_ssize_t *index) {
    PyObject **item = PySequence_Fast_ITEMS(items);
    Py_ssize_t size = PySequence_Fast_GET_SIZE(items);
    for (char *next; *index < size && (next = put_value(at, end, item[*index], kind, wire)) != NULL; ++*index) at = next;
    return at;
}
/* Writes pairs of a text and a value; NULL if one of them needs a closer look. */
static inline char *put_pairs(char *at, const char *end, PyObject *items, int kind, int wire) {
    PyObject *name, *item;
    Py_ssize_t place = 0;
    while (at != NULL && PyDict_Next(items, &place, &name, &item)) {
        if (!PyUnicode_CheckExact(name)) return NULL;
        at = put_value(at, end, name, 11, 11);
        if (at != NULL) at = put_value(at, end, item, kind, wire);
    }
    return at;
}
