/* Values of the binary protocol. No checks of what callers have checked. */
#ifndef THRIFTSERVER_SEAM_H
#define THRIFTSERVER_SEAM_H

#include "values.h"

/* One value; NULL and no exception if it needs a closer look, whose business it is to say what is wrong: the data ends too
   early, a text is no UTF-8, there is no memory, the type has a node of its own. ``members`` is an enum's dict of numbers.
   Moves ``from`` on. No foreign code runs. */
static inline PyObject *take_value(const char **from, const char *end, int kind, PyObject *members) {
    const char *at = *from;
    Py_ssize_t left = end - at, size;
    PyObject *made;
#define NEED(width) do { if (left < (width)) return NULL; size = (width); } while (0)
    switch (kind) {
    case 2:
        NEED(1);
        made = Py_NewRef(*at ? Py_True : Py_False);
        break;
    case 3:
        NEED(1);
        made = PyLong_FromLong((signed char)*at);
        break;
    case 4:
        NEED(8);
        made = PyFloat_FromDouble(load_double(at));
        break;
    case 6:
        NEED(2);
        made = PyLong_FromLong(load16(at));
        break;
    case 8:
        NEED(4);
        made = PyLong_FromLong(load32(at));
        break;
    case 10:
        NEED(8);
        made = new_long(load64(at));
        break;
    case KIND_ENUM: {
        NEED(4);
        made = PyLong_FromLong(load32(at));
        PyObject *member = made == NULL ? NULL : PyDict_GetItemWithError(members, made);
        if (member != NULL) Py_SETREF(made, Py_NewRef(member));
        break;
    }
    case 11:
    case KIND_NAME:
    case KIND_BINARY:
        NEED(4);
        size = load32(at);
        if (size < 0 || size > left - 4) return NULL;
        made = new_sized(at + 4, size, kind);
        size += 4;
        break;
    default:
        return NULL;
    }
#undef NEED
    if (made == NULL) {
        PyErr_Clear();
        return NULL;
    }
    *from = at + size;
    return made;
}
/* A short text of Latin letters, as UTF-8 behind its size. */
static inline char *put_latin(char *to, const char *end, PyObject *text) {
    Py_ssize_t size = PyUnicode_GET_LENGTH(text);
    if (size > SHORT || end - to < 4 + 2 * size) return NULL;
    char *at = store_latin(to + 4, text, size);
    store32(to, (int)(at - to - 4));
    return at;
}
/* Writes one value; gives the new end of what is written, NULL if it needs a closer look: another type, a value that does
   not fit, no room. No foreign code runs, so nothing can change meanwhile. */
static inline char *put_value(char *to, const char *end, PyObject *item, int kind, int wire) {
    long long n = 0;
    int overflow = 0;
    if (end - to < 8) return NULL;
    switch (kind) {
    case 2:
        if (item != Py_True && item != Py_False) return NULL;
        *to = item == Py_True;
        return to + 1;
    case 3:
    case 6:
    case 8:
    case 10:
    case KIND_ENUM:
        if (!plain_int(item)) return NULL;
        n = int_of(item, &overflow);
        if (overflow) return NULL;
        if (wire == 10) return store64(to, n), to + 8;
        if (wire == 8 && n == (int32_t)n) return store32(to, (int)n), to + 4;
        if (wire == 6 && n == (int16_t)n) return store16(to, (int)n), to + 2;
        if (wire == 3 && n == (int8_t)n) return *to = (char)n, to + 1;
        return NULL;
    case 4:
        if (!PyFloat_CheckExact(item)) return NULL;
        return store_double(to, PyFloat_AS_DOUBLE(item)), to + 8;
    case 11:
    case KIND_BINARY: {
        Py_ssize_t size;
        const char *from = held_bytes(item, kind, &size);
        if (from == NULL) return kind != KIND_BINARY && is_latin(item) ? put_latin(to, end, item) : NULL;
        if (end - to < 4 + size || size > INT32_MAX) return NULL;
        store32(to, (int)size);
        copy(to + 4, from, size);
        return to + 4 + size;
    }
    default:
        return NULL;
    }
}
#include "loops.h"

/* Writes fields of base types from ``index`` on, up to the first that needs a closer look: another type, a value that does
   not fit, no room. No foreign code runs, so nothing can change meanwhile. Gives the new end of what is written. */
static inline char *put_slots(char *at, const char *end, PyObject *value, const slot_row *row, Py_ssize_t count, Py_ssize_t *index) {
    Py_ssize_t i = *index;
    for (; i < count; i++) {
        const slot_row *field = &row[i];
        PyObject *item = SLOT(value, field->offset);
        if (item == Py_None && !field->required) continue;
        if (item == NULL || end - at < 3) break;
        char *to = put_value(at + 3, end, item, field->kind, field->wire);
        if (to == NULL) break;
        at[0] = (char)field->wire;
        store16(at + 1, field->id);
        at = to;
    }
    *index = i;
    return at;
}

/* Reads fields of base types from ``index``, the one expected, on, up to what needs a closer look: a field of another type,
   out of order or unknown, a value that ``take_value`` leaves, the end of the struct. No foreign code runs: what the slots
   hold is what they were filled with at the beginning. */
static inline const char *take_slots(const char *at, const char *end, char *base, const slot_row *row, Py_ssize_t count, Py_ssize_t *index) {
    const slot_row *field = row + *index, *last = row + count;
    while (end - at > 3 && field < last) {
        const char *next = at + 3;
        int id = load16(at + 1);
        const slot_row *found = find_slot(field, last, id);
        if (found == NULL || found->wire != (uint8_t)at[0]) break;
        PyObject *item = take_value(&next, end, found->kind, found->members);
        if (item == NULL) break;
        fill_slot(base, found, item);
        field = found + 1;
        at = next;
    }
    *index = field - row;
    return at;
}

/* ---- many numbers at once; ``items`` is exactly a list or tuple, and nothing here runs foreign code that could change it ---- */

static inline PyObject *i32_list(const char *at, Py_ssize_t size) {
    PyObject *made = PyList_New(size);
    if (made == NULL) return NULL;
    for (Py_ssize_t i = 0; i < size; i++, at += 4) {
        PyObject *item = PyLong_FromLong(load32(at));
        if (item == NULL) {
            Py_DECREF(made);
            return NULL;
        }
        PyList_SET_ITEM(made, i, item);
    }
    return made;
}
static inline PyObject *i64_list(const char *at, Py_ssize_t size) {
    PyObject *made = PyList_New(size);
    if (made == NULL) return NULL;
    for (Py_ssize_t i = 0; i < size; i++, at += 8) {
        PyObject *item = new_long(load64(at));
        if (item == NULL) {
            Py_DECREF(made);
            return NULL;
        }
        PyList_SET_ITEM(made, i, item);
    }
    return made;
}
static inline PyObject *double_list(const char *at, Py_ssize_t size) {
    PyObject *made = PyList_New(size);
    if (made == NULL) return NULL;
    for (Py_ssize_t i = 0; i < size; i++, at += 8) {
        PyObject *item = PyFloat_FromDouble(load_double(at));
        if (item == NULL) {
            Py_DECREF(made);
            return NULL;
        }
        PyList_SET_ITEM(made, i, item);
    }
    return made;
}

/* How many were put, up to the first that needs a closer look. */
static inline Py_ssize_t put_i32_items(char *at, PyObject *items, Py_ssize_t size) {
    PyObject **item = PySequence_Fast_ITEMS(items);
    Py_ssize_t i = 0;
    for (; i < size; i++, at += 4) {
        int overflow;
        if (!PyLong_CheckExact(item[i])) break;
        long long n = PyLong_AsLongLongAndOverflow(item[i], &overflow);
        if (overflow || n < INT32_MIN || n > INT32_MAX) break;
        store32(at, (int)n);
    }
    return i;
}
static inline Py_ssize_t put_i64_items(char *at, PyObject *items, Py_ssize_t size) {
    PyObject **item = PySequence_Fast_ITEMS(items);
    Py_ssize_t i = 0;
    for (; i < size; i++, at += 8) {
        int overflow;
        if (!PyLong_CheckExact(item[i])) break;
        long long n = PyLong_AsLongLongAndOverflow(item[i], &overflow);
        if (overflow) break;
        store64(at, n);
    }
    return i;
}
static inline Py_ssize_t put_double_items(char *at, PyObject *items, Py_ssize_t size) {
    PyObject **item = PySequence_Fast_ITEMS(items);
    Py_ssize_t i = 0;
    for (; i < size; i++, at += 8) {
        if (!PyFloat_CheckExact(item[i])) break;
        store_double(at, PyFloat_AS_DOUBLE(item[i]));
    }
    return i;
}

/* Passes over whole fields of numbers and texts, up to the first that is something else or not whole. */
static inline const char *skip_fields(const char *at, const char *end) {
    static const uint8_t WIDTHS[17] = {0, 0, 1, 1, 8, 0, 2, 0, 4, 0, 8, 0, 0, 0, 0, 0, 16};
    while (end - at > 3) {
        uint8_t wire = (uint8_t)at[0];
        Py_ssize_t left = end - at - 3, size;
        if (wire > 16) break;
        size = WIDTHS[wire];
        if (wire == 11) {
            if (left < 4) break;
            size = load32(at + 3);
            if (size < 0) break;
            size += 4;
        }
        if (size == 0 || size > left) break;
        at += 3 + size;
    }
    return at;
}

#endif
