/* The C twin of crowd.py: what a set or dict would spend on keys, found by replaying where its table puts them. */
#ifndef THRIFTSERVER_CROWD_H
#define THRIFTSERVER_CROWD_H

#include <Python.h>
#include <stdint.h>

typedef struct {
    PyObject *keys;
    Py_hash_t *hashes;
    uint32_t *table; /* 1 + the place of a key among the keys; 0 is free */
    size_t mask;
    size_t linear;
    Py_ssize_t budget, step;
} crowd;

/* Where a key belongs: its slot, or NULL when an equal one is there, or (with an exception) comparing failed. Of a table
   that is made anew (``fresh``) the keys are known to differ. */
static inline uint32_t *crowd_slot(crowd *c, Py_ssize_t place, int fresh) {
    Py_hash_t hash = c->hashes[place];
    size_t perturb = (size_t)hash, i = perturb & c->mask;
    for (;;) {
        size_t more = i + c->linear <= c->mask ? c->linear : 0;
        for (size_t j = i; j <= i + more; j++) {
            uint32_t *slot = &c->table[j];
            if (*slot == 0) return slot;
            c->budget -= c->step;
            if (!fresh && c->hashes[*slot - 1] == hash) {
                PyObject *one = PyList_GET_ITEM(c->keys, *slot - 1), *other = PyList_GET_ITEM(c->keys, place);
                if (one == other) return NULL;
                int same = PyObject_RichCompareBool(one, other, Py_EQ);
                if (same) return NULL;
                if (!PyLong_Check(other) && !PyFloat_Check(other)) c->budget -= 64;
            }
            if (c->budget < 0) return slot;
        }
        perturb >>= 5;
        i = (i * 5 + 1 + perturb) & c->mask;
    }
}

/* The same keys in a table of another size; a set takes them in the order of its table, a dict in the order of arrival. */
static inline int crowd_grow(crowd *c, size_t size, uint32_t *order, size_t used, int mapping) {
    uint32_t *old = c->table;
    size_t old_size = c->mask + 1;
    c->table = PyMem_Calloc(size, sizeof(uint32_t));
    c->mask = size - 1;
    if (c->table == NULL) {
        PyMem_Free(old);
        PyErr_NoMemory();
        return -1;
    }
    if (mapping) {
        for (size_t k = 0; k < used && c->budget >= 0; k++) *crowd_slot(c, order[k], 1) = order[k] + 1;
    } else {
        for (size_t k = 0; k < old_size && c->budget >= 0; k++)
            if (old[k] != 0) *crowd_slot(c, old[k] - 1, 1) = old[k];
    }
    PyMem_Free(old);
    return 0;
}

static inline int crowd_replay(crowd *c, uint32_t *order, Py_ssize_t count, int mapping) {
    size_t used = 0;
    for (Py_ssize_t place = 0; place < count && c->budget >= 0; place++) {
        if (mapping && used == (c->mask + 1) * 2 / 3) {
            size_t size = 8;
            while (size < used * 3) size <<= 1;
            if (crowd_grow(c, size, order, used, 1) < 0) return -1;
        }
        uint32_t *slot = crowd_slot(c, place, 0);
        if (slot == NULL) {
            if (PyErr_Occurred()) return -1;
            continue;
        }
        *slot = (uint32_t)place + 1;
        order[used++] = (uint32_t)place;
        if (!mapping && used * 5 >= c->mask * 3) {
            size_t size = 8, wanted = used > 50000 ? used * 2 : used * 4;
            while (size <= wanted) size <<= 1;
            if (crowd_grow(c, size, order, used, 0) < 0) return -1;
        }
    }
    return c->budget < 0;
}

static inline int crowded(PyObject *given, int mapping) {
    crowd c;
    int result = -1;
    c.keys = PyList_GetSlice(given, 0, PyList_GET_SIZE(given)); /* hashing may run code that finds and changes the list */
    if (c.keys == NULL) return -1;
    Py_ssize_t count = PyList_GET_SIZE(c.keys);
    PyObject_GC_UnTrack(c.keys);
    uint32_t *order = PyMem_Malloc((size_t)(count ? count : 1) * sizeof(uint32_t));
    c.hashes = PyMem_Malloc((size_t)(count ? count : 1) * sizeof(Py_hash_t));
    c.table = PyMem_Calloc(8, sizeof(uint32_t));
    c.mask = 7;
    c.linear = mapping ? 0 : 9;
    c.budget = 512 * count;
    c.step = mapping ? 8 : 1;
    if (order == NULL || c.hashes == NULL || c.table == NULL || count >= UINT32_MAX) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t place = 0; place < count; place++) {
        c.hashes[place] = PyObject_Hash(PyList_GET_ITEM(c.keys, place));
        if (c.hashes[place] == -1) goto done;
    }
    result = crowd_replay(&c, order, count, mapping);
done:
    PyMem_Free(order);
    PyMem_Free(c.hashes);
    PyMem_Free(c.table);
    Py_DECREF(c.keys);
    return result;
}

/* Is every item of exactly one of two classes? */
static inline int all_of(PyObject *items, PyObject *first, PyObject *second) {
    for (Py_ssize_t i = 0, n = PyList_GET_SIZE(items); i < n; i++) {
        PyObject *type = (PyObject *)Py_TYPE(PyList_GET_ITEM(items, i));
        if (type != first && type != second) return 0;
    }
    return 1;
}

#endif
