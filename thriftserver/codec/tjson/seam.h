/* Texts of the JSON protocol as values and back. Each function stops at the end it is given; who calls says what is wrong. */
#ifndef THRIFTSERVER_SEAM_H
#define THRIFTSERVER_SEAM_H

#include <float.h>
#include <math.h>

#include "values.h"

/* The byte there; -1 at the end. */
static inline int byte_at(const char *at, const char *end) { return at < end ? (unsigned char)*at : -1; }
static inline const char *past_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
    return at;
}
static inline int is_digit(int c) { return c >= '0' && c <= '9'; }

/* ---- numbers ---- */

/* An integer; NULL if there is none. It does not fit when it has no place in 64 bits. */
static inline const char *scan_integer(const char *at, const char *end, long long *number, int *fits) {
    int negative = byte_at(at, end) == '-';
    at += negative;
    if (!is_digit(byte_at(at, end))) return NULL;
    while (*at == '0' && is_digit(byte_at(at + 1, end))) at++; /* Node's library pads numbers beyond 32 bits with zeros */
    const char *first = at;
    uint64_t size = 0;
    for (; at < end && is_digit(*at); at++) size = size * 10 + (uint64_t)(*at - '0');
    *fits = at - first <= 19 && size <= (uint64_t)INT64_MAX + (uint64_t)negative; /* 19 digits cannot overflow it */
    *number = (long long)(negative ? 0 - size : size);
    return at;
}
/* The bare words of JavaScript and Python that some libraries write for doubles that JSON has no numbers for; NULL if there is
   none of them. */
static inline const char *scan_bare(const char *at, const char *end, double *number) {
    static const struct { const char *word; int size; double number; } bare[] = {
        {"NaN", 3, NAN}, {"nan", 3, NAN}, {"Infinity", 8, INFINITY}, {"-Infinity", 9, -INFINITY}, {"inf", 3, INFINITY},
        {"-inf", 4, -INFINITY}};
    for (size_t i = 0; i < sizeof bare / sizeof *bare; i++)
        if (end - at >= bare[i].size && memcmp(at, bare[i].word, (size_t)bare[i].size) == 0) {
            *number = bare[i].number;
            return at + bare[i].size;
        }
    return NULL;
}
static inline const char *past_digits(const char *at, const char *end, uint64_t *size, int *count) {
    for (; at < end && is_digit(*at); at++) {
        if (*count < 20 && (*size || *at != '0')) ++*count;
        if (*count < 20) *size = *size * 10 + (uint64_t)(*at - '0');
    }
    return at;
}
/* A number; NULL if there is none. When it is exactly a product or quotient of two numbers that a double holds, as most are
   that people write, then ``exact`` is 1 and the number is known; else it takes ``whole_double``. */
static inline const char *scan_double(const char *at, const char *end, double *number, int *exact) {
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    int negative = byte_at(at, end) == '-', count = 0;
    at += negative;
    uint64_t size = 0;
    Py_ssize_t power = 0;
    if (!is_digit(byte_at(at, end))) return NULL;
    at = *at == '0' ? at + 1 : past_digits(at, end, &size, &count);
    if (byte_at(at, end) == '.' && is_digit(byte_at(at + 1, end))) {
        const char *point = at;
        at = past_digits(at + 1, end, &size, &count);
        power = point + 1 - at;
    }
    if (byte_at(at, end) == 'e' || byte_at(at, end) == 'E') {
        int sign = byte_at(at + 1, end), signed_ = sign == '-' || sign == '+', more = 0;
        const char *from = at + 1 + signed_;
        if (is_digit(byte_at(from, end))) {
            for (at = from; at < end && is_digit(*at); at++) more = more < 10000 ? more * 10 + (*at - '0') : more;
            power += sign == '-' ? -more : more;
        }
    }
    *exact = FLT_EVAL_METHOD == 0 && count < 20 && size <= (UINT64_C(1) << 53) && power >= -22 && power <= 22;
    if (*exact) {
        double d = (double)size;
        d = power < 0 ? d / tens[-power] : d * tens[power];
        *number = negative ? -d : d;
    }
    return at;
}
#define LONGEST 512 /* as in grammar.py */
/* Any number, by Python's own conversion; an infinity for one that is out of range or too long to be looked at. */
static inline double whole_double(const char *at, Py_ssize_t size) {
    char text[LONGEST + 1];
    if (size > LONGEST) return HUGE_VAL;
    memcpy(text, at, (size_t)size);
    text[size] = 0;
    return PyOS_string_to_double(text, NULL, NULL);
}
static inline char *put_long(char *to, long long n) {
    char digits[20];
    int count = 0;
    uint64_t size = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    if (n < 0) *to++ = '-';
    do digits[count++] = (char)('0' + size % 10);
    while (size /= 10);
    while (count > 0) *to++ = digits[--count];
    return to;
}
/* Room for 32 bytes is needed. NULL, and an exception, without memory. */
static inline char *put_shortest(char *to, double d) {
    const char *name = isnan(d) ? "\"NaN\"" : isinf(d) ? (d < 0 ? "\"-Infinity\"" : "\"Infinity\"") : NULL;
    char *text = NULL;
    if (name == NULL) name = text = PyOS_double_to_string(d, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (name == NULL) return NULL;
    size_t size = strlen(name);
    memcpy(to, name, size);
    PyMem_Free(text);
    return to + size;
}

/* ---- strings ---- */

/* Where the quote is that ends a string; NULL if none does. */
static inline const char *string_end(const char *at, const char *end, int *escaped) {
    const char *near = end - at > 32 ? at + 32 : end;
    *escaped = 0;
    while (at < near && *at != '"' && *at != '\\') at++;
    if (at == near && at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        if (quote == NULL) quote = end;
        const char *slash = memchr(at, '\\', (size_t)(quote - at));
        at = slash == NULL ? quote : slash;
    }
    if (at < end && *at == '"') return at;
    *escaped = 1;
    while (at < end && *at != '"') at += *at == '\\' ? 2 : 1;
    return at < end ? at : NULL;
}
static inline int hex_value(int c) {
    if (is_digit(c)) return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
/* The code unit of an escape like \u20ac at ``at``; -1 if there is none. */
static inline int code_unit(const char *at, const char *end) {
    int unit = 0;
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return -1;
    for (int i = 2; i < 6; i++) {
        int value = hex_value((unsigned char)at[i]);
        if (value < 0) return -1;
        unit = unit << 4 | value;
    }
    return unit;
}
static inline char *put_utf8(char *to, uint32_t point) {
    if (point < 0x80) return *to++ = (char)point, to;
    if (point < 0x800) *to++ = (char)(0xC0 | point >> 6);
    else {
        if (point < 0x10000) *to++ = (char)(0xE0 | point >> 12);
        else {
            *to++ = (char)(0xF0 | point >> 18);
            *to++ = (char)(0x80 | (point >> 12 & 0x3F));
        }
        *to++ = (char)(0x80 | (point >> 6 & 0x3F));
    }
    *to++ = (char)(0x80 | (point & 0x3F));
    return to;
}
/* What the inside of a string stands for, which never is longer; NULL for a bad escape or half a pair of surrogates, which
   ``wrong`` points at then. */
static inline char *unescape(const char *at, const char *end, char *to, const char **wrong, int *lone) {
    while (at < end) {
        const char *slash = memchr(at, '\\', (size_t)(end - at));
        if (slash == NULL) slash = end;
        memcpy(to, at, (size_t)(slash - at));
        to += slash - at;
        if (slash == end) break;
        static const char names[] = "\"\\/bfnrt", stand[] = "\"\\/\b\f\n\r\t";
        const char *name = slash + 1 < end && slash[1] ? strchr(names, slash[1]) : NULL;
        int unit = name != NULL ? stand[name - names] : code_unit(slash, end);
        at = slash + (name != NULL ? 2 : 6);
        *wrong = slash;
        *lone = unit >= 0xD800 && unit < 0xE000;
        if (unit < 0) return NULL;
        uint32_t point = (uint32_t)unit;
        if (*lone) {
            int low = unit < 0xDC00 ? code_unit(at, end) : -1;
            if (low < 0xDC00 || low >= 0xE000) return NULL;
            point = 0x10000 + ((point - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
            at += 6;
        }
        to = put_utf8(to, point);
    }
    return to;
}
static inline int is_special(unsigned char c) { return (c < 0x20) | (c == '"') | (c == '\\'); }
/* How a special character is escaped, after the backslash; 'u' for those without a letter. */
static inline char escape_of(unsigned char c) {
    return c >= 0x20 ? (char)c : "uuuuuuuubtnufruuuuuuuuuuuuuuuuuu"[c];
}
/* Bytes that a text has more when it is escaped. */
static inline Py_ssize_t escapes(const char *at, Py_ssize_t size) {
    unsigned char any = 0;
    for (Py_ssize_t i = 0; i < size; i++) any |= (unsigned char)is_special((unsigned char)at[i]);
    if (!any) return 0;
    Py_ssize_t more = 0;
    for (Py_ssize_t i = 0; i < size; i++)
        if (is_special((unsigned char)at[i])) more += escape_of((unsigned char)at[i]) == 'u' ? 5 : 1;
    return more;
}
static inline char *put_escaped(char *to, const char *at, Py_ssize_t size) {
    for (const char *end = at + size; at < end; at++) {
        unsigned char c = (unsigned char)*at;
        if (!is_special(c)) {
            *to++ = (char)c;
            continue;
        }
        *to++ = '\\';
        *to++ = escape_of(c);
        if (to[-1] == 'u') {
            memcpy(to, "00", 2);
            to[2] = (char)('0' + (c >> 4));
            to[3] = "0123456789abcdef"[c & 15];
            to += 4;
        }
    }
    return to;
}

/* ---- bytes ---- */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static inline char *put_base64(char *to, const char *data, Py_ssize_t size) {
    const unsigned char *at = (const unsigned char *)data;
    for (; size >= 3; size -= 3, at += 3) {
        uint32_t v = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
        *to++ = base64_digits[v >> 18];
        *to++ = base64_digits[v >> 12 & 63];
        *to++ = base64_digits[v >> 6 & 63];
        *to++ = base64_digits[v & 63];
    }
    if (size > 0) {
        uint32_t v = (uint32_t)at[0] << 16 | (size > 1 ? (uint32_t)at[1] << 8 : 0);
        *to++ = base64_digits[v >> 18];
        *to++ = base64_digits[v >> 12 & 63];
        *to++ = size > 1 ? base64_digits[v >> 6 & 63] : '=';
        *to++ = '=';
    }
    return to;
}
static inline int base64_value(unsigned char c) {
    if (c >= 'a') return c <= 'z' ? c - 'a' + 26 : -1;
    if (c >= 'A') return c <= 'Z' ? c - 'A' : -1;
    if (c >= '0') return c <= '9' ? c - '0' + 52 : -1;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}
/* How many of the characters are digits; -1 - so many if what follows is no end. */
static inline Py_ssize_t base64_size(const char *at, Py_ssize_t size) {
    Py_ssize_t padding = 0;
    while (padding < 2 && padding < size && at[size - 1 - padding] == '=') padding++;
    Py_ssize_t digits = size - padding, count = 0;
    while (count < digits && base64_value((unsigned char)at[count]) >= 0) count++;
    return count < digits || count % 4 == 1 || (padding > 0 && size % 4 != 0) ? -1 - count : count;
}
static inline void take_base64(char *to, const char *at, Py_ssize_t digits) {
    uint32_t v = 0;
    for (Py_ssize_t i = 0; i < digits; i++) {
        v = v << 6 | (uint32_t)base64_value((unsigned char)at[i]);
        if (i % 4 == 3) {
            *to++ = (char)(v >> 16);
            *to++ = (char)(v >> 8);
            *to++ = (char)v;
        }
    }
    if (digits % 4 == 2) *to++ = (char)(v >> 4);
    if (digits % 4 == 3) *to++ = (char)(v >> 10), *to++ = (char)(v >> 2);
}
#define UUID_DASH(i) ((i) == 8 || (i) == 13 || (i) == 18 || (i) == 23)
/* The bytes of a uuid in its 36 characters; 0 if they are none. */
static inline int scan_uuid(char *to, const char *at) {
    for (int i = 0; i < 36; i++) {
        if (UUID_DASH(i)) {
            if (at[i] != '-') return 0;
            continue;
        }
        int high = hex_value((unsigned char)at[i]), low = hex_value((unsigned char)at[i + 1]);
        if (high < 0 || low < 0) return 0;
        *to++ = (char)(high << 4 | low);
        i++;
    }
    return 1;
}
static inline char *print_uuid(char *to, const char *data) {
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
        *to++ = "0123456789abcdef"[(unsigned char)data[i] >> 4];
        *to++ = "0123456789abcdef"[data[i] & 15];
    }
    return to;
}

/* ---- what stands around values ---- */

/* A bracket in the place of the last comma, if there is one: not where nothing is inside. */
static inline char *put_bracket(char *at, int bracket) {
    if (at[-1] == ',') at--;
    *at = (char)bracket;
    return at + 1;
}
/* A colon for the comma behind a key. A number gets quotes, for which there has to be room, as JSON wants texts for keys. */
static inline char *finish_key(char *at) {
    char *last = at - 1, *first = last;
    if (!is_digit(last[-1])) {
        *last = ':';
        return at;
    }
    while (is_digit(first[-1]) || first[-1] == '-' || first[-1] == '+' || first[-1] == '.' || first[-1] == 'e') first--;
    memmove(first + 1, first, (size_t)(last - first));
    *first = '"';
    memcpy(last + 1, "\":", 2);
    return last + 3;
}

static const char type_names[17][4] = {"", "", "tf", "i8", "dbl", "", "i16", "", "i32", "", "i64", "str", "rec", "map", "set", "lst", "uid"};
static inline char *put_type(char *to, int code) {
    size_t size = code <= 3 ? 2 : 3;
    *to++ = '"';
    memcpy(to, type_names[code], size);
    to[size] = '"';
    return to + size + 1;
}
/* The wire type whose quoted name is at ``at``, which moves behind it; 0 if it needs a closer look. */
static inline int scan_type(const char **at, const char *end) {
    const char *name = *at + 1;
    if (end - *at < 5 || **at != '"') return 0;
    if (name[2] == '"') {
        int code = name[0] == 't' && name[1] == 'f' ? 2 : name[0] == 'i' && name[1] == '8' ? 3 : 0;
        if (code) *at += 4;
        return code;
    }
    if (name[3] != '"') return 0;
    for (int code = 4; code <= 16; code++) {
        if (memcmp(type_names[code], name, 3) == 0) {
            *at += 5;
            return code;
        }
    }
    return 0;
}
/* The head of a field without white space, from its id's quote on, up to the value: NULL if it needs a closer look. */
static inline const char *scan_field(const char *at, const char *end, int *id, int *code) {
    long long number;
    int fits;
    if (byte_at(at, end) != '"' || (at = scan_integer(at + 1, end, &number, &fits)) == NULL) return NULL;
    if (!fits || number != (int16_t)number || end - at < 4 || memcmp(at, "\":{", 3) != 0) return NULL;
    at += 3;
    *id = (int)number;
    *code = scan_type(&at, end);
    return *code != 0 ? at : NULL;
}
#endif
