"""What other dialects of Thrift, and other protocols, look like from their first bytes, and the refusals they can read.

It decodes no values and serves nothing; which bytes are looked at, and when, ``framing`` knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from thriftserver.wire import CALL, EXCEPTION, MAX_NAME, Application

_PLAIN: Final = "this port speaks framed Thrift"
_BINARY: Final = "use the binary protocol in the client"
_FRAMED: Final = "use a framed transport and the binary protocol in the client"

#: Bytes in which a header is looked for: the longest name, and what stands around it.
_HEAD: Final = 4 * MAX_NAME


class Dialect(NamedTuple):
    """``fits`` looks at first bytes; ``refuse(request, message)`` is what such a peer understands (empty: nothing)."""

    name: str
    advice: str
    fits: Callable[[bytes], object]
    refuse: Callable[[bytes, str], bytes] = lambda _request, _message: b""


def find(start: bytes, dialects: tuple[Dialect, ...]) -> Dialect | None:
    """The first of them that begins like this."""
    return next((each for each in dialects if each.fits(start)), None)


def beginning(data: bytes) -> str:
    """The first bytes of something that nobody knows, for a message."""
    shown = data[:12]
    text = f" ({shown.decode()!r})" if _is_text(shown) else ""
    return f"{shown.hex(' ')}{' ...' if len(data) > len(shown) else ''}{text}" if data else "nothing"


def _is_text(data: bytes) -> bool:
    return len(data) >= 4 and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data)


def _begins(*prefixes: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(prefixes)


def _frame(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


# Refusals.

_HTTP_TEXT = b"This port speaks framed binary Thrift, not HTTP.\n"
_HTTP_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_HTTP_TEXT), _HTTP_TEXT)
)


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes((*made, number))


def _take_varint(data: bytes, at: int) -> tuple[int, int]:
    """A varint and where it ends. Raises IndexError, ValueError."""
    value = 0
    for place in range(10):
        value |= (data[at + place] & 127) << 7 * place
        if data[at + place] < 128:
            return value, at + place + 1
    raise ValueError


def _compact_exception(request: bytes, message: str, type: Application = Application.INVALID_PROTOCOL) -> bytes:
    """The refusal of a compact call, without a frame: its number and name come back as they are."""
    try:
        if request[1] >> 5 != CALL:
            return b""
        _, at = _take_varint(request, 2)
        size, at = _take_varint(request, at)
    except (IndexError, ValueError):
        return b""
    if size > MAX_NAME or at + size > len(request):
        return b""
    text = message.encode()
    body = b"\x18" + _varint(len(text)) + text + b"\x15" + _varint(2 * type) + b"\0"
    return bytes((0x82, EXCEPTION << 5 | 1)) + request[2 : at + size] + body


def _binary_exception(request: bytes, message: str, type: Application) -> bytes:
    """The same for strict binary."""
    size = int.from_bytes(request[4:8], "big")
    end = 8 + size + 4
    if request[:4] != bytes((0x80, 1, 0, CALL)) or size > MAX_NAME or end > len(request):
        return b""
    text = b"\x0b\0\x01" + _frame(message.encode())
    return b"\x80\x01\0" + bytes((EXCEPTION,)) + request[4:end] + text + b"\x08\0\x02" + type.to_bytes(4, "big") + b"\0"


_JSON_HEADER = re.compile(rb'\s*\[\s*1\s*,\s*("(?:[^"\\]|\\.){0,256}")\s*,\s*1\s*,\s*(-?\d{1,11})\s*,')


def _json_exception(request: bytes, message: str) -> bytes:
    """The same in Apache's JSON."""
    found = _JSON_HEADER.match(request[:_HEAD])
    if found is None:
        return b""
    body = json.dumps({"1": {"str": message}, "2": {"i32": Application.INVALID_PROTOCOL}}, separators=(",", ":"))
    return b"[1,%s,%d,%s,%s]" % (found[1], EXCEPTION, found[2], body.encode())


_METADATA: Final = b'{"metadata"'
_NAME, _SEQID = re.compile(rb'"name":\s*("(?:[^"\\]|\\.){0,256}")'), re.compile(rb'"seqid":\s*(-?\d{1,11})\s*[,}]')


def _thriftpy2_exception(request: bytes, message: str) -> bytes:
    """The same in thriftpy2's own JSON, which is a length and an object."""
    head = request[:_HEAD]
    name, seqid = _NAME.search(head), _SEQID.search(head)
    if name is None or seqid is None or not re.search(rb'"ttype":\s*1\b', head):
        return b""
    metadata = b'{"version": 1, "name": %s, "ttype": %d, "seqid": %s}' % (name[1], EXCEPTION, seqid[1])
    payload = json.dumps({"message": message, "type": Application.INVALID_PROTOCOL}).encode()
    return _frame(_METADATA + b': %s, "payload": %s}' % (metadata, payload))


def _theader_exception(request: bytes, message: str) -> bytes:
    """The same as THeader with the protocol of the request, whose content is not compressed."""
    size = 4 * int.from_bytes(request[8:10], "big")
    header, content = request[10 : 10 + size], request[10 + size : 10 + size + _HEAD]
    if len(header) < 2 or header[1] != 0:
        return b""
    refuse = {0: _binary_exception, 2: _compact_exception}.get(header[0])
    answer = refuse(content, message, Application.UNSUPPORTED_CLIENT_TYPE) if refuse else b""
    return _frame(b"\x0f\xff\0\0" + request[4:8] + b"\0\x01" + header[:1] + b"\0\0\0" + answer) if answer else b""


# What streams begin with.

_VERBS = (b"GET ", b"POST", b"PUT ", b"HEAD", b"DELE", b"OPTI", b"PATC", b"CONN", b"TRAC")
_SASL = re.compile(rb"\x01\0\0\0($|[\x01-\x40])", re.DOTALL)

STREAMS: Final = (
    Dialect("a TLS handshake", "this port speaks plain Thrift; connect without TLS", _begins(b"\x16\x03")),
    Dialect("unframed binary Thrift", "use a framed transport in the client", _begins(b"\x80\x01")),
    Dialect("unframed compact Thrift", _FRAMED, _begins(b"\x82")),
    Dialect("unframed JSON Thrift", _FRAMED, re.compile(rb"\s*\[\s*1\s*,").match, _json_exception),
    Dialect(
        "Thrift over SASL",
        f"{_PLAIN} without SASL (auth=NOSASL in clients of Hive)",
        _SASL.match,
        lambda _request, message: b"\x03" + _frame(message.encode()),
    ),
    Dialect("Thrift compressed by zlib", _FRAMED, _begins(b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")),
    Dialect("HTTP/2", f"{_PLAIN}, not HTTP", _begins(b"PRI ")),
    Dialect("HTTP", f"{_PLAIN}, not HTTP", _begins(*_VERBS), lambda _request, _message: _HTTP_ANSWER),
    Dialect(
        "HTTP",
        f"{_PLAIN}, not HTTP",
        re.compile(rb"[A-Z]{3,20} [^\r\n]* HTTP/1\.[01]\r?\n").match,
        lambda _request, _message: _HTTP_ANSWER,
    ),
    Dialect(
        "the PROXY protocol",
        f"{_PLAIN}; let the proxy in front of it pass connections on as they are",
        _begins(b"PROX", b"\r\n\r\n\0\r\nQUIT\n"),
    ),
    Dialect("SSH", _PLAIN, _begins(b"SSH-")),
    Dialect("the protocol of Redis", _PLAIN, re.compile(rb"\*\d{1,7}\r?\n?").match),
    Dialect("JSON", f"{_PLAIN} in the binary protocol", re.compile(rb'\s*\{\s*["}]').match),
)


# What stands in frames.


def _is_thriftpy2_json(frame: bytes) -> bool:
    return frame.startswith(_METADATA)


def _is_framed_thriftpy2_json(frame: bytes) -> bool:
    return _is_thriftpy2_json(frame[4:]) and int.from_bytes(frame[:4], "big") == len(frame) - 4


def _is_frame(frame: bytes) -> bool:
    return frame[4:6] == b"\x80\x01" and int.from_bytes(frame[:4], "big") == len(frame) - 4


_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_.:]*")

FRAMES: Final = (
    Dialect(
        "framed compact Thrift",
        _BINARY,
        lambda frame: frame[0] == 0x82 and frame[1] & 31 == 1,
        lambda request, message: (answer := _compact_exception(request[:_HEAD], message)) and _frame(answer),
    ),
    Dialect(
        "framed JSON Thrift",
        _BINARY,
        re.compile(rb"\s*\[\s*1\s*,").match,
        lambda request, message: (answer := _json_exception(request, message)) and _frame(answer),
    ),
    Dialect("thriftpy2's JSON", _FRAMED, _is_thriftpy2_json, _thriftpy2_exception),
    Dialect(
        "thriftpy2's JSON in frames",
        _BINARY,
        _is_framed_thriftpy2_json,
        lambda request, message: (answer := _thriftpy2_exception(request, message)) and _frame(answer),
    ),
    Dialect("THeader", "use a framed transport instead in the client", _begins(b"\x0f\xff"), _theader_exception),
    Dialect("TTHeader", "use plain frames in the client (Kitex: transport.Framed)", _begins(b"\x10\0")),
    Dialect(
        "the mesh header of Kitex", "use plain frames in the client (Kitex: transport.Framed)", _begins(b"\xff\xaf")
    ),
    Dialect("framed Thrift compressed by zlib", _BINARY, _begins(b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")),
    Dialect("a frame within a frame", "use one framed transport in the client", _is_frame),
    # Its first four bytes, the length of the name, were taken for a frame's.
    Dialect(
        "unframed binary Thrift in its old form",
        "use a framed transport in the client",
        lambda frame: len(frame) <= MAX_NAME and _WORD.fullmatch(frame),
    ),
    Dialect("JSON", _BINARY, re.compile(rb'\s*\{\s*["}]').match),
)
