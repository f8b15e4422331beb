/* Loads and stores of big-endian numbers, and what Cython has no words for. No checks here: callers have made them. */
#ifndef THRIFTSERVER_SEAM_H
#define THRIFTSERVER_SEAM_H

#include <Python.h>
#include <stdint.h>
#include <string.h>

#if PY_VERSION_HEX >= 0x030C0000
#define SLOT_KIND Py_T_OBJECT_EX
#define DIGITS long_value.ob_digit
#else
#include <structmember.h>
#define SLOT_KIND T_OBJECT_EX
#define DIGITS ob_digit
#endif

#if PYLONG_BITS_IN_DIGIT == 30 && PY_VERSION_HEX < 0x030E0000 && !defined(Py_GIL_DISABLED)
#define DIGITS_KNOWN 1
#else
#define DIGITS_KNOWN 0
#endif

static inline uint16_t swap16(uint16_t v) { return (uint16_t)(v << 8 | v >> 8); }
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define BE16(v) (v)
#define BE32(v) (v)
#define BE64(v) (v)
#elif defined(__GNUC__)
#define BE16(v) swap16(v)
#define BE32(v) __builtin_bswap32(v)
#define BE64(v) __builtin_bswap64(v)
#else
#error "this compiler has no known byte swap: install without a compiler"
#endif

static inline int load16(const char *at) {
    uint16_t v;
    memcpy(&v, at, 2);
    return (int16_t)BE16(v);
}
static inline int load32(const char *at) {
    uint32_t v;
    memcpy(&v, at, 4);
    return (int32_t)BE32(v);
}
static inline long long load64(const char *at) {
    uint64_t v;
    memcpy(&v, at, 8);
    return (int64_t)BE64(v);
}
static inline double load_double(const char *at) {
    uint64_t v;
    double d;
    memcpy(&v, at, 8);
    v = BE64(v);
    memcpy(&d, &v, 8);
    return d;
}
static inline void store16(char *at, int n) {
    uint16_t v = BE16((uint16_t)n);
    memcpy(at, &v, 2);
}
static inline void store32(char *at, int n) {
    uint32_t v = BE32((uint32_t)n);
    memcpy(at, &v, 4);
}
static inline void store64(char *at, long long n) {
    uint64_t v = BE64((uint64_t)n);
    memcpy(at, &v, 8);
}
static inline void store_double(char *at, double d) {
    uint64_t v;
    memcpy(&v, &d, 8);
    v = BE64(v);
    memcpy(at, &v, 8);
}

/* ---- texts and numbers ---- */

/* The first and the last bytes of what is at most twice as long. */
#define copy_ends(to, from, size, width) (memcpy(to, from, width), memcpy((to) + (size) - (width), (from) + (size) - (width), width))
/* memcpy, without the call for what is short, as most texts are. */
static inline void copy(char *to, const char *from, Py_ssize_t size) {
    if (size > 32) memcpy(to, from, (size_t)size);
    else if (size >= 16) copy_ends(to, from, size, 16);
    else if (size >= 8) copy_ends(to, from, size, 8);
    else if (size >= 4) copy_ends(to, from, size, 4);
    else if (size > 0) {
        char middle = from[size / 2], last = from[size - 1];
        to[0] = from[0];
        to[size / 2] = middle;
        to[size - 1] = last;
    }
}

#define SHORT 64
/* A str of Latin letters from UTF-8, or NULL (and no exception) when there is anything else in it: CPython's decoder is
   general, and slow to start for the few bytes of a name. */
static inline PyObject *new_latin(const char *at, Py_ssize_t size) {
    Py_ssize_t wide = 0;
    for (Py_ssize_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)at[i];
        if (c < 0x80) continue;
        if ((c != 0xC2 && c != 0xC3) || ++i == size || ((unsigned char)at[i] & 0xC0) != 0x80) return NULL;
        wide++;
    }
    if (wide == 0 || size - wide < 2) return NULL; /* texts of one letter are shared, CPython knows where */
    PyObject *text = PyUnicode_New(size - wide, 255);
    if (text == NULL) {
        PyErr_Clear();
        return NULL;
    }
    Py_UCS1 *to = PyUnicode_1BYTE_DATA(text);
    for (Py_ssize_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)at[i];
        *to++ = c < 0x80 ? c : (Py_UCS1)(c << 6 | ((unsigned char)at[++i] & 0x3F));
    }
    return text;
}
/* Bytes of which one has its high bit set have it set here, too. What is not a multiple of eight ends in a word that overlaps
   the one before: no loop over single bytes, which would take longer than all the rest for a short text. */
static inline uint64_t high_bits(const char *at, Py_ssize_t size) {
    uint64_t seen = 0, word = 0;
    if (size >= 8) {
        for (Py_ssize_t i = 0; i < size - 8; i += 8) {
            memcpy(&word, at + i, 8);
            seen |= word;
        }
        memcpy(&word, at + size - 8, 8);
    } else if (size >= 4) {
        uint32_t half;
        memcpy(&half, at, 4);
        memcpy(&word, at + size - 4, 4);
        seen = half;
    } else if (size > 0) seen = (unsigned char)(at[0] | at[size / 2] | at[size - 1]);
    return (seen | word) & 0x8080808080808080ULL;
}
/* A str of ASCII from more than one byte, made in place where the layout is known: CPython's own call has to ask what for. */
static inline PyObject *new_ascii(const char *at, Py_ssize_t size) {
#if PY_VERSION_HEX < 0x030E0000 && !defined(Py_GIL_DISABLED)
    PyASCIIObject *made = (PyASCIIObject *)PyObject_Malloc(sizeof(PyASCIIObject) + (size_t)size + 1);
    if (made == NULL) return PyErr_NoMemory();
    PyObject_Init((PyObject *)made, &PyUnicode_Type);
    made->length = size;
    made->hash = -1;
    memset(&made->state, 0, sizeof made->state);
    made->state.kind = PyUnicode_1BYTE_KIND;
    made->state.compact = made->state.ascii = 1;
#if PY_VERSION_HEX < 0x030C0000
    made->state.ready = 1;
    made->wstr = NULL;
#endif
    char *to = (char *)(made + 1);
    to[size] = 0;
#else
    PyObject *made = PyUnicode_New(size, 127);
    if (made == NULL) return NULL;
    char *to = (char *)PyUnicode_DATA(made);
#endif
    copy(to, at, size);
    return (PyObject *)made;
}
/* A str from UTF-8; None (and no exception) when it is not UTF-8. ASCII, the common case, is copied as it is. */
static inline PyObject *new_text(const char *at, Py_ssize_t size) {
    if (size > 1 && !high_bits(at, size)) return new_ascii(at, size);
    PyObject *text = size <= SHORT ? new_latin(at, size) : NULL;
    if (text != NULL) return text;
    text = PyUnicode_DecodeUTF8(at, size, NULL);
    if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    return text;
}
/* The same for short texts that come again and again (keys of maps): the last 512 different ones are kept. */
#define KNOWN 512
static PyObject *known_texts[KNOWN];
static inline PyObject *known_text(const char *at, Py_ssize_t size) {
    uint32_t mix = 2166136261u;
    for (Py_ssize_t i = 0; i < size; i++) mix = (mix ^ (unsigned char)at[i]) * 16777619u;
    PyObject **place = &known_texts[(mix ^ mix >> 16) % KNOWN];
    PyObject *text = *place;
    if (text != NULL && PyUnicode_GET_LENGTH(text) == size && memcmp(PyUnicode_DATA(text), at, (size_t)size) == 0)
        return Py_NewRef(text);
    text = new_text(at, size);
    if (text != NULL && text != Py_None && PyUnicode_IS_COMPACT_ASCII(text)) Py_XSETREF(*place, Py_NewRef(text));
    return text;
}
static inline int is_ascii(PyObject *value) { return PyUnicode_Check(value) && PyUnicode_IS_COMPACT_ASCII(value); }
static inline const char *ascii_utf8(PyObject *text, Py_ssize_t *size) {
    *size = PyUnicode_GET_LENGTH(text);
    return (const char *)PyUnicode_DATA(text);
}
static inline const char *text_utf8(PyObject *text, Py_ssize_t *size) { return PyUnicode_AsUTF8AndSize(text, size); }
/* An int or of a subclass, as members of enums are; what a subclass says of itself does not matter, as in operator.index. */
static inline int plain_int(PyObject *value) {
    return PyLong_CheckExact(value) || (PyLong_Check(value) && !PyBool_Check(value));
}
static inline int exact_float(PyObject *value) { return PyFloat_CheckExact(value); }
static inline double float_of(PyObject *value) { return PyFloat_AS_DOUBLE(value); }
/* The number of an int or of a subclass. One or two digits (60 bits) are read in place, where the layout is known. */
static inline long long int_of(PyObject *value, int *overflow) {
#if DIGITS_KNOWN
    PyLongObject *from = (PyLongObject *)value;
#if PY_VERSION_HEX >= 0x030C0000
    uintptr_t count = from->long_value.lv_tag >> 3;
    int negative = (from->long_value.lv_tag & 3) == 2;
#else
    Py_ssize_t count = Py_SIZE(from);
    int negative = count < 0;
    if (negative) count = -count;
#endif
    if (count <= 2) {
        long long n = count == 0 ? 0 : from->DIGITS[0];
        if (count == 2) n |= (long long)from->DIGITS[1] << 30;
        *overflow = 0;
        return negative ? -n : n;
    }
#endif
    return PyLong_AsLongLongAndOverflow(value, overflow);
}
/* ---- values of base types ---- */

/* What kind of value it is that a loop here may read or write: the wire type, or one of these where that says too little.
   0: a type that has to be left to its node. */
#define KIND_BINARY 128
#define KIND_ENUM 129
#define KIND_NAME 130 /* a text that probably comes again */

/* A Python int. One of more than one digit (30 bits) is made in place, where the layout is known: CPython's own call spends
   as long on counting digits as on the allocation. */
static inline PyObject *new_long(long long n) {
#if DIGITS_KNOWN
    uint64_t size = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    if (size >> 30) {
        Py_ssize_t count = size >> 60 ? 3 : 2;
        PyLongObject *made = (PyLongObject *)PyObject_Malloc(offsetof(PyLongObject, DIGITS) + count * sizeof(digit));
        if (made == NULL) return PyErr_NoMemory();
#if PY_VERSION_HEX >= 0x030C0000
        PyObject_Init((PyObject *)made, &PyLong_Type);
        made->long_value.lv_tag = (uintptr_t)count << 3 | (n < 0 ? 2 : 0);
#else
        PyObject_InitVar((PyVarObject *)made, &PyLong_Type, n < 0 ? -count : count);
#endif
        made->DIGITS[0] = (digit)(size & PyLong_MASK);
        made->DIGITS[1] = (digit)(size >> 30 & PyLong_MASK);
        if (count == 3) made->DIGITS[2] = (digit)(size >> 60);
        return (PyObject *)made;
    }
#endif
    return PyLong_FromLongLong(n);
}
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
        if (kind == KIND_BINARY) made = PyBytes_FromStringAndSize(at + 4, size);
        else if (kind == KIND_NAME && size > 1 && size <= 32) made = known_text(at + 4, size);
        else made = new_text(at + 4, size);
        if (made == Py_None) {
            Py_DECREF(made);
            return NULL;
        }
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

/* ---- slots of structs ---- */

/* The offset of an object slot that a class has under a name, else 0. */
static inline Py_ssize_t slot_offset(PyObject *cls, PyObject *name) {
    PyObject *found = PyObject_GetAttr(cls, name); /* a class gives its slot's descriptor */
    Py_ssize_t offset = 0;
    if (found == NULL) {
        PyErr_Clear();
        return 0;
    }
    if (Py_IS_TYPE(found, &PyMemberDescr_Type)) {
        struct PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
        if (member->type == SLOT_KIND && PyType_IsSubtype((PyTypeObject *)cls, PyDescr_TYPE(found)))
            offset = member->offset;
    }
    Py_DECREF(found);
    return offset;
}
#define SLOT(value, offset) (*(PyObject **)((char *)(value) + (offset)))
static inline PyObject *slot_at(PyObject *value, Py_ssize_t offset) { return SLOT(value, offset); }
static inline void slot_put(PyObject *value, Py_ssize_t offset, PyObject *item) {
    PyObject *old = SLOT(value, offset);
    SLOT(value, offset) = Py_NewRef(item);
    Py_XDECREF(old);
}
/* Classes whose instances have a dict or weak references in front of them: no class of ours. */
#if PY_VERSION_HEX >= 0x030C0000
#define MANAGED (Py_TPFLAGS_MANAGED_DICT | Py_TPFLAGS_MANAGED_WEAKREF)
#else
#define MANAGED Py_TPFLAGS_MANAGED_DICT
#endif
/* A new instance; without ``blank`` its slots are filled with None, but only by slots_done. The collector does not see it
   before that. */
static inline PyObject *slots_new(PyObject *cls, PyObject *blank, const Py_ssize_t *offsets) {
    PyTypeObject *type = (PyTypeObject *)cls;
    PyObject *made;
    if (PyType_IS_GC(type) && !(type->tp_flags & MANAGED)) { /* as PyType_GenericAlloc does, but not tracked yet */
        made = PyObject_GC_New(PyObject, type);
        if (made == NULL) return NULL;
        memset(made + 1, 0, (size_t)type->tp_basicsize - sizeof(PyObject));
    } else {
        made = type->tp_alloc(type, 0);
        if (made == NULL) return NULL;
        if (PyType_IS_GC(type)) PyObject_GC_UnTrack(made);
    }
    for (Py_ssize_t i = 0, n = PyList_GET_SIZE(blank); i < n; i++)
        SLOT(made, offsets[i]) = Py_NewRef(PyList_GET_ITEM(blank, i));
    return made;
}
static inline void list_put(PyObject *values, Py_ssize_t place, PyObject *item) {
    PyObject *old = PyList_GET_ITEM(values, place);
    PyList_SET_ITEM(values, place, Py_NewRef(item));
    Py_XDECREF(old);
}

/* A field: where its slot is, and what it is on the wire. ``members`` is borrowed from its node. */
typedef struct {
    Py_ssize_t offset;
    PyObject *members;
    int16_t id;
    uint8_t wire, kind, required;
} slot_row;

/* Every slot is filled. As msgspec does: only an instance that could be part of a cycle is shown to the collector, which no
   value of a base type makes it. */
static inline void slots_done(PyObject *made, const slot_row *row, Py_ssize_t count) {
    int cyclic = 0;
    for (const slot_row *last = row + count; row < last; row++) {
        PyObject *item = SLOT(made, row->offset);
        if (item == NULL) SLOT(made, row->offset) = Py_NewRef(Py_None);
        else if (row->kind == 0 && !cyclic && PyType_IS_GC(Py_TYPE(item)))
            cyclic = !PyTuple_CheckExact(item) || PyObject_GC_IsTracked(item);
    }
    if (cyclic && PyType_IS_GC(Py_TYPE(made))) PyObject_GC_Track(made);
}

/* A short text of Latin letters, as UTF-8 behind its size. */
static inline char *put_latin(char *to, const char *end, PyObject *text) {
    Py_ssize_t size = PyUnicode_GET_LENGTH(text);
    if (size > SHORT || end - to < 4 + 2 * size) return NULL;
    const Py_UCS1 *from = PyUnicode_1BYTE_DATA(text);
    char *at = to + 4;
    for (Py_ssize_t i = 0; i < size; i++) {
        if (from[i] >= 0x80) *at++ = (char)(0xC0 | from[i] >> 6);
        *at++ = (char)(from[i] < 0x80 ? from[i] : 0x80 | (from[i] & 0x3F));
    }
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
        const char *from;
        if (kind == KIND_BINARY) {
            if (!PyBytes_Check(item)) return NULL;
            from = PyBytes_AS_STRING(item), size = PyBytes_GET_SIZE(item);
        } else if (is_ascii(item)) from = ascii_utf8(item, &size);
        else if (PyUnicode_Check(item) && PyUnicode_IS_COMPACT(item) && PyUnicode_KIND(item) == PyUnicode_1BYTE_KIND)
            return put_latin(to, end, item);
        else return NULL;
        if (end - to < 4 + size || size > INT32_MAX) return NULL;
        store32(to, (int)size);
        copy(to + 4, from, size);
        return to + 4 + size;
    }
    default:
        return NULL;
    }
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

/* What the offsets of rows count from: an instance, or else the items of a list. */
static inline char *slots_base(PyObject *values, int direct) {
    return direct ? (char *)values : (char *)((PyListObject *)values)->ob_item;
}
/* Fields that may be passed over to find the one that comes: most structs leave few out, and an unknown one costs little. */
#define AHEAD 8
/* Reads fields of base types from ``index``, the one expected, on, up to what needs a closer look: a field of another type,
   out of order or unknown, a value that ``take_value`` leaves, the end of the struct. No foreign code runs: what the slots
   hold is what they were filled with at the beginning. */
static inline const char *take_slots(const char *at, const char *end, char *base, const slot_row *row, Py_ssize_t count, Py_ssize_t *index) {
    const slot_row *field = row + *index, *last = row + count;
    while (end - at > 3 && field < last) {
        const char *next = at + 3;
        int id = load16(at + 1);
        const slot_row *found = field;
        if (found->id != id) {
            const slot_row *most = last - found > AHEAD ? found + AHEAD : last;
            while (found < most && found->id < id) found++;
            if (found == most || found->id != id) break;
        }
        if (found->wire != (uint8_t)at[0]) break;
        PyObject *item = take_value(&next, end, found->kind, found->members);
        if (item == NULL) break;
        PyObject *old = SLOT(base, found->offset);
        SLOT(base, found->offset) = item;
        Py_XDECREF(old);
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

#endif
