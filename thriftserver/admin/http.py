"""HTTP/1.1 as the admin address speaks it: bytes to a request, a response to bytes. It holds no socket and no clock.

Strict, because nothing but tools and one page talks to it: what is ambiguous is refused with a sentence.
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

#: Bytes of a request's line and headers, and of its body.
MAX_HEAD, MAX_BODY = 16_384, 1 << 20

#: Nothing is loaded from anywhere else, nothing may frame or talk to the page, no inline script or style runs.
SAFE = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
]

_END = re.compile(rb"\r?\n\r?\n")
_FIRST = re.compile(r"([A-Z]{1,20}) (/[!-~]*) HTTP/1\.([01])")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*?)[ \t]*")
_HOST = re.compile(r"([A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
#: Headers of which there is one at most: what two of them mean is anybody's guess.
_SINGLE = ("host", "content-length", "origin")


class Refusal(Exception):
    """A request that is answered with an error; ``headers`` go with it."""

    def __init__(self, status: str, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.headers = list(headers)

    def response(self) -> Response:
        return as_json({"error": str(self)}, self.status, *self.headers)


def bad(message: str) -> Refusal:
    return Refusal("400 Bad Request", message)


@dataclass
class Request:
    """``host`` is the name in the Host header, lower case, or an IP address; header names are lower case."""

    method: str
    path: str
    query: str
    host: str
    headers: dict[str, str]
    size: int
    """Bytes of the body."""
    lasting: bool
    """The client wants to ask more on the same connection."""
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    status: str
    body: bytes
    type: str
    headers: list[tuple[str, str]] = field(default_factory=list)


def as_json(data: Any, status: str = "200 OK", *headers: tuple[str, str]) -> Response:
    body = json.dumps(data, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace") + b"\n"
    return Response(status, body, "application/json", list(headers))


def end_of_head(data: bytes | bytearray) -> int:
    """How many bytes the head of a request has; 0 when it is not complete. Raises Refusal when it is too long."""
    found = _END.search(data, 0, MAX_HEAD)
    if found is None and len(data) >= MAX_HEAD:
        raise Refusal("431 Request Header Fields Too Large", f"a request's head may have {MAX_HEAD} bytes")
    return found.end() if found else 0


def read_head(data: bytes) -> Request:
    """The request that a complete head begins. Raises Refusal."""
    first, *lines = data.decode("latin-1").rstrip("\r\n").split("\n")
    asked = _FIRST.fullmatch(first.removesuffix("\r"))
    if asked is None:
        raise bad("this is no HTTP/1.1 request: begin with METHOD /path HTTP/1.1")
    method, target, version = asked.groups()
    headers: dict[str, str] = {}
    for line in lines:
        found = _FIELD.fullmatch(line.removesuffix("\r"))
        if found is None:
            raise bad("a header line is malformed: write Name: value")
        name, value = found[1].lower(), found[2]
        if name in headers and name in _SINGLE:
            raise bad(f"the header {name} is there twice")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    path, _, query = target.partition("?")
    wish = headers.get("connection", "close" if version == "0" else "").lower()
    return Request(method, path, query, host_of(headers), headers, _size(headers), "close" not in wish)


def host_of(headers: dict[str, str]) -> str:
    """The name or address that the client believes to talk to. Raises Refusal when there is none."""
    if "host" not in headers:
        raise bad("a request needs a Host header")
    found = _HOST.fullmatch(headers["host"])
    if found is None or int(found[2] or 0) > 65535:
        raise bad("the Host header is malformed: write NAME, NAME:PORT or [IPV6]:PORT")
    name = found[1]
    if name.startswith("["):
        try:
            return str(ipaddress.IPv6Address(name[1:-1]))
        except ValueError:
            raise bad("the Host header is malformed: there is no IPv6 address in the brackets") from None
    return name.lower().rstrip(".")


def _size(headers: dict[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise Refusal("411 Length Required", "send the body in one piece, with a Content-Length")
    text = headers.get("content-length", "0")
    if not re.fullmatch(r"[0-9]+", text):
        raise bad("Content-Length must be a number")
    if len(text) > 20 or int(text) > MAX_BODY:
        raise Refusal("413 Content Too Large", f"a request may have {MAX_BODY} bytes here")
    return int(text)


def encode(response: Response, *, head_only: bool = False, lasting: bool = False) -> bytes:
    """A response as bytes, with the headers that keep browsers safe."""
    headers = [
        ("Date", formatdate(usegmt=True)),
        ("Content-Type", response.type),
        ("Content-Length", str(len(response.body))),
        ("Connection", "keep-alive" if lasting else "close"),
        *SAFE,
        *response.headers,
    ]
    lines = [f"HTTP/1.1 {response.status}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace") + (b"" if head_only else response.body)
