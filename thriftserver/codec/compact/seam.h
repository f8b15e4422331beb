/* Values of the compact protocol. No checks of what callers have checked. */
#ifndef THRIFTSERVER_SEAM_H
#define THRIFTSERVER_SEAM_H

#include "values.h"

/* Wire types by compact types and the other way round, as in types.py. */
static const uint8_t WIRES[16] = {32, 2, 2, 3, 6, 8, 10, 4, 11, 15, 14, 13, 12, 16, 46, 47};
static const uint8_t TYPES[17] = {0, 0, 1, 3, 7, 0, 4, 0, 5, 0, 6, 8, 12, 11, 10, 9, 13};

/* Eight bytes, the first one lowest. */
static inline uint64_t load_eight(const char *at) {
    uint64_t v;
    memcpy(&v, at, 8);
    return __builtin_bswap64(BE64(v));
}
static inline void store_eight(char *at, uint64_t v) {
    v = BE64(__builtin_bswap64(v));
    memcpy(at, &v, 8);
}
/* Doubles are the other way round than in the binary protocol. */
static inline double load_little(const char *at) {
    uint64_t v = load_eight(at);
    double d;
    memcpy(&d, &v, 8);
    return d;
}
static inline void store_little(char *at, double d) {
    uint64_t v;
    memcpy(&v, &d, 8);
    store_eight(at, v);
}

static inline long long unzigzag(uint64_t n) { return (long long)(n >> 1 ^ (0 - (n & 1))); }
static inline uint64_t zigzag(long long n) { return (uint64_t)n << 1 ^ (uint64_t)(n >> 63); }

/* The lower seven bits of eight bytes as one number, and the other way round: neighbours meet in three steps. */
static inline uint64_t squeeze(uint64_t v) {
    v = (v & 0x007F007F007F007F) | (v & 0x7F007F007F007F00) >> 1;
    v = (v & 0x00003FFF00003FFF) | (v & 0x3FFF00003FFF0000) >> 2;
    return (v & 0x000000000FFFFFFF) | (v & 0x0FFFFFFF00000000) >> 4;
}
static inline uint64_t spread(uint64_t v) {
    v = (v & 0x000000000FFFFFFF) | (v & 0x00FFFFFFF0000000) << 4;
    v = (v & 0x00003FFF00003FFF) | (v & 0x0FFFC0000FFFC000) << 2;
    return (v & 0x007F007F007F007F) | (v & 0x3F803F803F803F80) << 1;
}
#define HIGH 0x8080808080808080 /* of each byte, the bit that says that another one follows */

/* An unsigned number of at most ``most`` bytes, and where it ends; NULL for what is none: it goes on behind the end of the
   data, or is too long, or has more than 64 bits. */
static inline const char *load_varint(const char *at, const char *end, int most, unsigned long long *number) {
    if (at >= end) return NULL;
    uint64_t made = (uint8_t)*at;
    int size = 1;
    if (made < 0x80) {
        *number = made;
        return at + 1;
    }
    made &= 0x7F;
    if (end - at >= 8) { /* all at once: how many there are is no matter of luck to the processor then */
        uint64_t eight = load_eight(at), last = ~eight & HIGH;
        if (last != 0) {
            size = (__builtin_ctzll(last) >> 3) + 1;
            *number = squeeze(eight & (last ^ (last - 1)));
            return size <= most ? at + size : NULL;
        }
        made = squeeze(eight);
        size = 8;
    }
    if (end - at < most) most = (int)(end - at);
    for (; size < most; size++) {
        uint64_t byte = (uint8_t)at[size];
        made |= (byte & 0x7F) << 7 * size;
        if (byte >= 0x80) continue;
        if (size == 9 && byte > 1) return NULL;
        *number = made;
        return at + size + 1;
    }
    return NULL;
}
/* Writes at most 10 bytes; room for 8 is used however few the number takes, from three on. */
static inline char *store_varint(char *at, uint64_t number) {
    if (number >= 0x4000 && number >> 56 == 0) {
        int size = (70 - __builtin_clzll(number)) / 7;
        uint64_t eight = spread(number) | (HIGH >> 8 * (8 - size)) >> 8;
        store_eight(at, eight);
        return at + size;
    }
    for (; number >= 0x80; number >>= 7) *at++ = (char)(number | 0x80);
    *at = (char)number;
    return at + 1;
}

/* One value; NULL and no exception if it needs a closer look, whose business it is to say what is wrong: the data ends too
   early, a number is too long, a text is no UTF-8, there is no memory, the type has a node of its own. ``members`` is an
   enum's dict of numbers. Moves ``from`` on. No foreign code runs. */
static inline PyObject *take_value(const char **from, const char *end, int kind, PyObject *members) {
    const char *at = *from;
    PyObject *made;
    unsigned long long number;
    switch (kind) {
    case 2:
        if (at >= end) return NULL;
        made = Py_NewRef(*at == 1 ? Py_True : Py_False);
        at++;
        break;
    case 3:
        if (at >= end) return NULL;
        made = PyLong_FromLong((signed char)*at);
        at++;
        break;
    case 4:
        if (end - at < 8) return NULL;
        made = PyFloat_FromDouble(load_little(at));
        at += 8;
        break;
    case 6:
    case 8:
    case KIND_ENUM:
        at = load_varint(at, end, 5, &number);
        if (at == NULL || number > (kind == 6 ? UINT16_MAX : UINT32_MAX)) return NULL;
        made = PyLong_FromLong((long)unzigzag(number));
        if (kind == KIND_ENUM && made != NULL) {
            PyObject *member = PyDict_GetItemWithError(members, made);
            if (member != NULL) Py_SETREF(made, Py_NewRef(member));
        }
        break;
    case 10:
        at = load_varint(at, end, 10, &number);
        if (at == NULL) return NULL;
        made = new_long(unzigzag(number));
        break;
    case 11:
    case KIND_NAME:
    case KIND_BINARY: {
        at = load_varint(at, end, 5, &number);
        if (at == NULL || number > INT32_MAX || (Py_ssize_t)number > end - at) return NULL;
        Py_ssize_t size = (Py_ssize_t)number;
        made = new_sized(at, size, kind);
        at += size;
        break;
    }
    default:
        return NULL;
    }
    if (made == NULL) {
        PyErr_Clear();
        return NULL;
    }
    *from = at;
    return made;
}
/* A short text of Latin letters, as UTF-8 behind its size, which is one byte. */
static inline char *put_latin(char *to, const char *end, PyObject *text) {
    Py_ssize_t size = PyUnicode_GET_LENGTH(text);
    if (size >= SHORT || end - to < 1 + 2 * size) return NULL;
    char *at = store_latin(to + 1, text, size);
    *to = (char)(at - to - 1);
    return at;
}
/* Writes one value; gives the new end of what is written, NULL if it needs a closer look: another type, a value that does
   not fit, no room. No foreign code runs, so nothing can change meanwhile. */
static inline char *put_value(char *to, const char *end, PyObject *item, int kind, int wire) {
    long long n = 0;
    int overflow = 0;
    if (end - to < 10) return NULL;
    switch (kind) {
    case 2:
        if (item != Py_True && item != Py_False) return NULL;
        *to = item == Py_True ? 1 : 2;
        return to + 1;
    case 3:
    case 6:
    case 8:
    case 10:
    case KIND_ENUM:
        if (!plain_int(item)) return NULL;
        n = int_of(item, &overflow);
        if (overflow) return NULL;
        if (wire == 3) return n == (int8_t)n ? (*to = (char)n, to + 1) : NULL;
        if ((wire == 8 && n != (int32_t)n) || (wire == 6 && n != (int16_t)n)) return NULL;
        return store_varint(to, zigzag(n));
    case 4:
        if (!PyFloat_CheckExact(item)) return NULL;
        return store_little(to, PyFloat_AS_DOUBLE(item)), to + 8;
    case 11:
    case KIND_BINARY: {
        Py_ssize_t size;
        const char *from = held_bytes(item, kind, &size);
        if (from == NULL) return kind != KIND_BINARY && is_latin(item) ? put_latin(to, end, item) : NULL;
        if (end - to < 5 + size || size > INT32_MAX) return NULL;
        to = store_varint(to, (uint64_t)size);
        copy(to, from, size);
        return to + size;
    }
    default:
        return NULL;
    }
}
#include "loops.h"

/* The header of a field, at most 4 bytes in room for 9: its type and the step from the id before it, or its id where that does
   not fit. */
static inline char *store_head(char *at, int type, int id, int last) {
    int step = id - last;
    if (step > 0 && step < 16) {
        *at = (char)(step << 4 | type);
        return at + 1;
    }
    *at = (char)type;
    return store_varint(at + 1, zigzag(id));
}
/* Writes fields of base types from ``index`` on, up to the first that needs a closer look: another type, a value that does
   not fit, no room. ``last`` is the id of the field before. No foreign code runs, so nothing can change meanwhile. Gives the
   new end of what is written. */
static inline char *put_slots(char *at, const char *end, PyObject *value, const slot_row *row, Py_ssize_t count, Py_ssize_t *index, int *last) {
    Py_ssize_t i = *index;
    for (; i < count; i++) {
        const slot_row *field = &row[i];
        PyObject *item = SLOT(value, field->offset);
        if (item == Py_None && !field->required) continue;
        if (item == NULL || end - at < 9) break;
        if (field->kind == 2) {
            if (item != Py_True && item != Py_False) break;
            at = store_head(at, item == Py_True ? 1 : 2, field->id, *last);
        } else {
            char *to = store_head(at, TYPES[field->wire], field->id, *last);
            to = put_value(to, end, item, field->kind, field->wire);
            if (to == NULL) break;
            at = to;
        }
        *last = field->id;
    }
    *index = i;
    return at;
}

/* Reads fields of base types from ``index``, the one expected, on, up to what needs a closer look: a field of another type,
   out of order or unknown, one with its whole id, a value that ``take_value`` leaves, the end of the struct. ``last`` is the
   id of the field before. No foreign code runs: what the slots hold is what they were filled with at the beginning. */
static inline const char *take_slots(const char *at, const char *end, char *base, const slot_row *row, Py_ssize_t count, Py_ssize_t *index, int *last) {
    const slot_row *field = row + *index, *behind = row + count;
    while (at < end && field < behind) {
        const char *next = at + 1;
        int type = *at & 15, step = (uint8_t)*at >> 4, id = *last + step;
        if (step == 0) break;
        const slot_row *found = find_slot(field, behind, id);
        if (found == NULL || found->wire != WIRES[type]) break;
        PyObject *item;
        if (found->wire == 2) item = Py_NewRef(type == 1 ? Py_True : Py_False);
        else item = take_value(&next, end, found->kind, found->members);
        if (item == NULL) break;
        fill_slot(base, found, item);
        *last = id;
        field = found + 1;
        at = next;
    }
    *index = field - row;
    return at;
}
/* Passes over whole fields of numbers and texts, up to the first that is something else or not whole. */
static inline const char *skip_fields(const char *at, const char *end) {
    while (at < end) {
        unsigned long long raw;
        int type = *at & 15;
        const char *next = at + 1;
        if (type == 0 || type > 8) break;
        if ((unsigned char)*at >> 4 == 0) {
            next = load_varint(next, end, 5, &raw);
            if (next == NULL || raw > 0xFFFF) break;
        }
        if (type == 3) next += 1;
        else if (type == 7) next += 8;
        else if (type > 3) {
            next = load_varint(next, end, type == 6 ? 10 : 5, &raw);
            if (next == NULL) break;
            if (type == 8) {
                if (raw > INT32_MAX || (Py_ssize_t)raw > end - next) break;
                next += raw;
            } else if (type != 6 && raw > (type == 4 ? 0xFFFFULL : 0xFFFFFFFFULL)) break;
        }
        if (next > end) break;
        at = next;
    }
    return at;
}

#endif
