"""Reading under the walkers: single values of the JSON protocol, and what stands around them.

``source.state`` is the separator that has to come before the next value, 0 for none, and ``_KEY`` where that value is a
key, whose numbers are in quotes.
"""

from __future__ import annotations

import re
from binascii import a2b_base64

from thriftserver.codec.fault import Fault
from thriftserver.codec.memory import Source
from thriftserver.codec.tjson import grammar
from thriftserver.codec.tjson.grammar import CODES, DIGITS, LONGEST

_COMMA, _COLON, _QUOTE = b',:"'
#: A bit of ``state``, beside the separator.
_KEY = 0x100

_past_space = re.compile(rb"[ \t\r\n]*").match
#: Node's library pads numbers beyond 32 bits with zeros.
_integer = re.compile(rb"(-?)0*([0-9]+)").match
_number = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?").match
_string = re.compile(rb'"([^"\\]*)"').match
_escaped = re.compile(rb'"((?:[^"\\]++|\\.)*+)"', re.DOTALL).match
_escape = re.compile(rb'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_base64 = re.compile(rb"([A-Za-z0-9+/]*)(=*)").match
_bracket = re.compile(rb'["{}\[\]]').search
_quote = re.compile(rb'["\\]').search
_uuid = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch

_UNESCAPED = {b'"': b'"', b"\\": b"\\", b"/": b"/", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
#: Doubles that JSON has no numbers for, and bare words of JavaScript and Python that some libraries write for them.
_NAMED = {b"NaN": float("nan"), b"Infinity": float("inf"), b"-Infinity": float("-inf")}
_BARE = _NAMED | {b"nan": float("nan"), b"inf": float("inf"), b"-inf": float("-inf")}
_bare = re.compile(rb"NaN|nan|-?(?:Infinity|inf)").match


# What stands between values.


def _at(source: Source, pos: int) -> int:
    return source.data[pos] if pos < source.end else -1


def _next(source: Source, pos: int) -> int:
    """Where the next byte is that is no white space."""
    return _past_space(source.data, pos, source.end).end()  # type: ignore[union-attr]


def demand(source: Source, byte: int) -> None:
    """Pass over this byte and white space before it."""
    pos = _next(source, source.pos)
    found = _at(source, pos)
    if found != byte:
        raise grammar.expected(repr(chr(byte)), pos, found)
    source.pos = pos + 1


def _begin(source: Source) -> int:
    """Pass over what has to come before the next value; where that begins."""
    separator = source.state & 0xFF
    if separator:
        demand(source, separator)
    return _next(source, source.pos)


def _open(source: Source, bracket: int) -> None:
    """Pass over the bracket that begins a container, and what has to come before it."""
    _begin(source)
    source.state = 0
    demand(source, bracket)


def _close(source: Source, bracket: int) -> None:
    demand(source, bracket)
    source.state = _COMMA


# Values.


def _take_integer(source: Source, low: int, high: int, kind: str) -> int:
    pos = _begin(source)
    quoted = source.state & _KEY
    if quoted:
        if _at(source, pos) != _QUOTE:
            raise grammar.expected("'\"'", pos, _at(source, pos))
        pos += 1
    match = _integer(source.data, pos, source.end)
    if match is None:
        raise grammar.expected("an integer", pos, _at(source, pos))
    end = match.end()
    if _at(source, end) in (0x2E, 0x45, 0x65):
        raise grammar.fraction(pos)
    text = match[0]
    value = int(match[1] + match[2]) if len(match[2]) <= DIGITS else high + 1
    if not low <= value <= high:
        raise grammar.out_of_range(text, kind)
    if quoted:
        if _at(source, end) != _QUOTE:
            raise grammar.expected("'\"'", end, _at(source, end))
        end += 1
    source.pos = end
    source.state = _COMMA
    return value


def take_bool(source: Source) -> bool:
    return take_i64(source) != 0


def take_i8(source: Source) -> int:
    return _take_integer(source, -0x80, 0x7F, "i8")


def take_i16(source: Source) -> int:
    return _take_integer(source, -0x8000, 0x7FFF, "i16")


def take_i32(source: Source) -> int:
    return _take_integer(source, -0x80000000, 0x7FFFFFFF, "i32")


def take_i64(source: Source) -> int:
    return _take_integer(source, -0x8000000000000000, 0x7FFFFFFFFFFFFFFF, "i64")


def take_length(source: Source) -> int:
    """A size that cannot be negative."""
    size = take_i32(source)
    if size < 0:
        raise Fault(f"negative size {size}")
    return size


def take_double(source: Source) -> float:
    pos = _begin(source)
    if _at(source, pos) == _QUOTE:
        text = _take_span(source, pos)
        if text in _NAMED:
            return _NAMED[text]
        match = _number(text)
        if match is None or match.end() != len(text):
            raise grammar.bad_double(text, pos)
    else:
        if source.state & _KEY:
            raise grammar.expected("'\"'", pos, _at(source, pos))
        match = _bare(source.data, pos, source.end) or _number(source.data, pos, source.end)
        if match is not None and match[0] in _BARE:
            source.pos = match.end()
            source.state = _COMMA
            return _BARE[bytes(match[0])]
        if match is None:
            raise grammar.expected("a number", pos, _at(source, pos))
        text = match[0]
        source.pos = pos + len(text)
        source.state = _COMMA
    value = float(text) if len(text) <= LONGEST else float("inf")
    if value - value != 0:  # an infinity, as no number gives NaN
        raise grammar.out_of_range(text, "double")
    return value


def _take_span(source: Source, pos: int) -> bytes:
    """What stands between the quotes of the string at ``pos``, which is passed over."""
    if _at(source, pos) != _QUOTE:
        raise grammar.expected("'\"'", pos, _at(source, pos))
    match = _string(source.data, pos, source.end) or _escaped(source.data, pos, source.end)
    if match is None:
        raise grammar.unending(pos)
    source.pos = match.end()
    source.state = _COMMA
    return match[1]


def _take_string(source: Source) -> bytes:
    """The bytes that a string stands for."""
    pos = _begin(source)
    return _unescaped(_take_span(source, pos), pos + 1)


def _unescaped(data: bytes, start: int) -> bytes:
    """The same without escapes; it began at byte ``start``."""
    parts = []
    done = 0
    while (place := data.find(b"\\", done)) >= 0:
        parts.append(data[done:place])
        match = _escape.match(data, place)
        if match is None:
            raise grammar.bad_escape(start + place)
        done = match.end()
        if match[2]:
            parts.append(_UNESCAPED[match[2]])
            continue
        unit = int(match[1], 16)
        if 0xD800 <= unit < 0xE000:
            match = _escape.match(data, done) if unit < 0xDC00 else None
            low = int(match[1], 16) if match is not None and match[1] else 0
            if match is None or not 0xDC00 <= low < 0xE000:
                raise grammar.lone_surrogate(start + place)
            done = match.end()
            unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
        parts.append(chr(unit).encode())
    parts.append(data[done:])
    return b"".join(parts)


def take_text(source: Source) -> str:
    return grammar.decoded(_take_string(source))


def take_name(source: Source) -> str:
    return take_text(source)


def take_loose(source: Source) -> str:
    return _take_string(source).decode("utf-8", "replace")


def take_short(source: Source, most: int) -> str:
    """A text of at most so many bytes; a Fault tells how many a longer one has."""
    pos = _begin(source)
    text = _take_span(source, pos)
    size = len(text)
    if size <= most * grammar.ESCAPED:
        data = _unescaped(text, pos + 1)
        size = len(data)
        if size <= most:
            return grammar.decoded(data)
    raise Fault(f"a method name of {size} bytes")


def take_binary(source: Source) -> bytes:
    data = _take_string(source)
    body, padding = _base64(data).groups()  # type: ignore[union-attr]
    rest = len(body) % 4
    missing = -len(body) % 4
    if rest == 1 or len(body) + len(padding) != len(data) or len(padding) not in (0, missing):
        raise grammar.bad_base64(len(body), len(data))
    return a2b_base64(body + b"=" * missing)


def take_uuid(source: Source) -> bytes:
    pos = _begin(source)
    text = _take_span(source, pos)
    if not _uuid(text):
        raise grammar.bad_uuid(text, pos)
    return bytes.fromhex(text.replace(b"-", b"").decode())


def pass_value(source: Source, code: int) -> bool:
    """Pass over a number or text; False for a container or struct."""
    if code == 2 or code == 3 or code == 6 or code == 8 or code == 10:
        take_i64(source)
    elif code == 4:
        take_double(source)
    elif code == 11 or code == 16:
        _take_span(source, _begin(source))
    else:
        return False
    return True


# What stands around them.


def _take_type(source: Source) -> int:
    pos = _begin(source)
    name = grammar.decoded(_unescaped(_take_span(source, pos), pos + 1))
    if name not in CODES:
        raise grammar.bad_type(name, pos)
    return CODES[name]


def open_struct(source: Source) -> int:
    _open(source, 0x7B)
    return 0


def take_field(source: Source) -> int:
    pos = _next(source, source.pos)
    if _at(source, pos) == 0x7D:
        source.pos = pos + 1
        source.state = _COMMA
        return 0
    source.state |= _KEY
    source.field = take_i16(source)
    source.state = _COLON
    _open(source, 0x7B)
    code = _take_type(source)
    source.state = _COLON
    return code


def close_field(source: Source) -> None:
    _close(source, 0x7D)


def close_struct(source: Source, outer: int) -> None:
    """The bracket was found where a field might have been."""


def open_list(source: Source) -> int:
    _open(source, 0x5B)
    source.code = _take_type(source)
    return take_length(source)


def close_list(source: Source) -> None:
    _close(source, 0x5D)


def open_map(source: Source) -> int:
    _open(source, 0x5B)
    source.key_code = _take_type(source)
    source.code = _take_type(source)
    size = take_length(source)
    _open(source, 0x7B)
    return size


def open_key(source: Source) -> None:
    source.state |= _KEY


def close_key(source: Source) -> None:
    source.state = _COLON


def close_map(source: Source) -> None:
    demand(source, 0x7D)
    _close(source, 0x5D)


def next_mark(source: Source, quoted: bool) -> int:
    """Pass over all up to a quote or bracket, in a string up to a quote or backslash: which, or -1 at the end."""
    match = (_quote if quoted else _bracket)(source.data, source.pos, source.end)
    if match is None:
        source.pos = source.end
        return -1
    source.pos = match.end()
    return source.data[source.pos - 1]


def past_gap(source: Source) -> int:
    """Pass over white space: the byte behind it, which is not passed over, or -1 at the end."""
    source.pos = _next(source, source.pos)
    return _at(source, source.pos)
