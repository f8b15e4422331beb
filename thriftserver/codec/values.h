/* Python objects from bytes and back, for every protocol: loads and stores of numbers, texts, ints, the slots of structs.
   No checks here: callers have made them. */
#ifndef THRIFTSERVER_VALUES_H
#define THRIFTSERVER_VALUES_H

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

/* A text or binary of so many bytes; NULL if it is no UTF-8, or there is no memory. */
static inline PyObject *new_sized(const char *at, Py_ssize_t size, int kind) {
    PyObject *made;
    if (kind == KIND_BINARY) return PyBytes_FromStringAndSize(at, size);
    made = kind == KIND_NAME && size > 1 && size <= 32 ? known_text(at, size) : new_text(at, size);
    if (made != Py_None) return made;
    Py_DECREF(made);
    return NULL;
}
/* What a text of ASCII or a binary holds; NULL for anything else. */
static inline const char *held_bytes(PyObject *item, int kind, Py_ssize_t *size) {
    if (kind != KIND_BINARY) return is_ascii(item) ? ascii_utf8(item, size) : NULL;
    if (!PyBytes_Check(item)) return NULL;
    *size = PyBytes_GET_SIZE(item);
    return PyBytes_AS_STRING(item);
}
static inline int is_latin(PyObject *item) {
    return PyUnicode_Check(item) && PyUnicode_IS_COMPACT(item) && PyUnicode_KIND(item) == PyUnicode_1BYTE_KIND;
}
/* A text of so many Latin letters as UTF-8, which is at most twice as long; where it ends. */
static inline char *store_latin(char *at, PyObject *text, Py_ssize_t size) {
    const Py_UCS1 *from = PyUnicode_1BYTE_DATA(text);
    for (Py_ssize_t i = 0; i < size; i++) {
        if (from[i] >= 0x80) *at++ = (char)(0xC0 | from[i] >> 6);
        *at++ = (char)(from[i] < 0x80 ? from[i] : 0x80 | (from[i] & 0x3F));
    }
    return at;
}
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

/* What the offsets of rows count from: an instance, or else the items of a list. */
static inline char *slots_base(PyObject *values, int direct) {
    return direct ? (char *)values : (char *)((PyListObject *)values)->ob_item;
}
/* Fields that may be passed over to find the one that comes: most structs leave few out, and an unknown one costs little. */
#define AHEAD 8
/* The field with this id, from the one expected on; NULL if it is none of the next ones. */
static inline const slot_row *find_slot(const slot_row *field, const slot_row *last, int id) {
    if (field->id == id) return field;
    const slot_row *most = last - field > AHEAD ? field + AHEAD : last;
    while (field < most && field->id < id) field++;
    return field < most && field->id == id ? field : NULL;
}
/* Takes over what is put in. */
static inline void fill_slot(char *base, const slot_row *row, PyObject *item) {
    PyObject *old = SLOT(base, row->offset);
    SLOT(base, row->offset) = item;
    Py_XDECREF(old);
}

#endif
