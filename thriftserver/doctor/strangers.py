"""What speaks at an address that gives no answer in Thrift, by the first bytes of what it says instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple


class Stranger(NamedTuple):
    """``name`` is what it is, ``advice`` what a client of Thrift can do about it, ``fits`` looks at first bytes."""

    name: str
    advice: str
    fits: Callable[[bytes], object]


def _matches(pattern: bytes) -> Callable[[bytes], object]:
    return re.compile(pattern, re.DOTALL).match


_ELSEWHERE: Final = "that is another service: look for the right port"

STRANGERS: Final = (
    Stranger("TLS", "connect with TLS", _matches(rb"\x15\x03[\x00-\x04]\x00\x02")),
    Stranger(
        "SASL",
        "log in with SASL, or have the server run without (auth=NOSASL in Hive)",
        _matches(rb"[\x02-\x05]\0[\0-\x01].."),
    ),
    Stranger("HTTP/2, as gRPC speaks it", _ELSEWHERE, _matches(rb"\0\0.\x04\0\0\0\0\0")),
    Stranger("SSH", _ELSEWHERE, _matches(rb"SSH-")),
    Stranger("Redis", _ELSEWHERE, _matches(rb"-(ERR|NOAUTH|DENIED)")),
    Stranger("MySQL", _ELSEWHERE, _matches(rb"..\0\0\x0a\d+\.")),
    Stranger("SMTP or FTP", _ELSEWHERE, _matches(rb"(220|421)[ -]")),
    Stranger("memcached", _ELSEWHERE, _matches(rb"ERROR\r\n")),
)


def recognise(start: bytes) -> Stranger | None:
    """Who begins an answer like this; None if nobody knows, or it is HTTP/1."""
    return next((each for each in STRANGERS if each.fits(start)), None)


class Http(NamedTuple):
    """The head of an HTTP response: ``status`` as in ``404 Not Found``, the server's own name, who is between."""

    status: str
    server: str
    via: str


def read_http(start: bytes) -> Http | None:
    """The head of a response that begins like this, as far as it has come; None if it is none."""
    found = re.match(rb"HTTP/1\.[01] (\d{3}[^\r\n]{0,100})", start)
    if found is None:
        return None
    head = start.partition(b"\r\n\r\n")[0].decode("latin-1")
    fields = {
        name.strip().lower(): value.strip()
        for name, colon, value in (line.partition(":") for line in head.splitlines()[1:])
        if colon
    }
    return Http(found[1].decode("latin-1").strip(), fields.get("server", ""), fields.get("via", ""))
