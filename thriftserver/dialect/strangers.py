"""What is not spoken here looks like from its first bytes, and the refusals that it can read.

It decodes no values and serves nothing; which bytes are looked at, and when, ``recognise`` knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from thriftserver.wire import EXCEPTION, MAX_NAME, Application

_PLAIN: Final = "this port speaks Thrift"
_NO_HTTP: Final = "start the server with --http, or use a framed transport in the client"
_BINARY: Final = "use the binary protocol in the client"
_FRAMED: Final = "use a framed transport and the binary protocol in the client"

#: Bytes in which a header is looked for: the longest name, and what stands around it.
_HEAD: Final = 4 * MAX_NAME


class Stranger(NamedTuple):
    """``fits`` looks at first bytes; ``refuse(request, message)`` is what such a peer understands (empty: nothing)."""

    name: str
    advice: str
    fits: Callable[[bytes], object]
    refuse: Callable[[bytes, str], bytes] = lambda _request, _message: b""


def find(start: bytes, dialects: tuple[Stranger, ...]) -> Stranger | None:
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

_HTTP_TEXT = b"This port speaks Thrift, and not over HTTP: start the server with --http.\n"
_HTTP_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_HTTP_TEXT), _HTTP_TEXT)
)


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


# What streams begin with.

_VERBS = (b"GET ", b"POST", b"PUT ", b"HEAD", b"DELE", b"OPTI", b"PATC", b"CONN", b"TRAC")
_SASL = re.compile(rb"\x01\0\0\0($|[\x01-\x40])", re.DOTALL)

STREAMS: Final = (
    Stranger(
        "a TLS handshake",
        "this port speaks plain Thrift; start the server with --certfile, or connect without TLS",
        _begins(b"\x16\x03"),
    ),
    Stranger(
        "Thrift over SASL",
        f"{_PLAIN} without SASL (auth=NOSASL in clients of Hive)",
        _SASL.match,
        lambda _request, message: b"\x03" + _frame(message.encode()),
    ),
    Stranger("Thrift compressed by zlib", _FRAMED, _begins(b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")),
    Stranger("HTTP/2", f"use HTTP/1.1 there and {_NO_HTTP}", _begins(b"PRI ")),
    Stranger("HTTP", _NO_HTTP, _begins(*_VERBS), lambda _request, _message: _HTTP_ANSWER),
    Stranger(
        "HTTP",
        _NO_HTTP,
        re.compile(rb"[A-Z]{3,20} [^\r\n]* HTTP/1\.[01]\r?\n").match,
        lambda _request, _message: _HTTP_ANSWER,
    ),
    Stranger(
        "the PROXY protocol",
        "start the server with --proxy-protocol and the network that this proxy is in",
        _begins(b"PROX", b"\r\n\r\n\0\r\nQUIT\n"),
    ),
    Stranger("SSH", _PLAIN, _begins(b"SSH-")),
    Stranger("the protocol of Redis", _PLAIN, re.compile(rb"\*\d{1,7}\r?\n?").match),
    Stranger("JSON", f"{_PLAIN}", re.compile(rb'\s*\{\s*["}]').match),
)


# What stands in frames.


def _is_thriftpy2_json(frame: bytes) -> bool:
    return frame.startswith(_METADATA)


def _is_framed_thriftpy2_json(frame: bytes) -> bool:
    return _is_thriftpy2_json(frame[4:]) and int.from_bytes(frame[:4], "big") == len(frame) - 4


def _is_frame(frame: bytes) -> bool:
    return frame[4:6] == b"\x80\x01" and int.from_bytes(frame[:4], "big") == len(frame) - 4


FRAMES: Final = (
    Stranger("thriftpy2's JSON", _FRAMED, _is_thriftpy2_json, _thriftpy2_exception),
    Stranger(
        "thriftpy2's JSON in frames",
        _BINARY,
        _is_framed_thriftpy2_json,
        lambda request, message: (answer := _thriftpy2_exception(request, message)) and _frame(answer),
    ),
    Stranger("TTHeader", "use plain frames in the client (Kitex: transport.Framed)", _begins(b"\x10\0")),
    Stranger(
        "the mesh header of Kitex", "use plain frames in the client (Kitex: transport.Framed)", _begins(b"\xff\xaf")
    ),
    Stranger("framed Thrift compressed by zlib", _BINARY, _begins(b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")),
    Stranger("a frame within a frame", "use one framed transport in the client", _is_frame),
    Stranger("JSON", _BINARY, re.compile(rb'\s*\{\s*["}]').match),
)
