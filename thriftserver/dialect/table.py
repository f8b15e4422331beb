"""The dialects: one row each, in the order of their numbers; how each begins is decided here alone.

docs/dialects.md shows this table. It makes nothing: ``detect`` compares, ``transport``, ``theader`` and ``http`` pack.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from thriftserver.errors import ConfigError

_ANY: Final = frozenset(range(256))
_LETTER: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
#: The second byte of a compact message: the version, 1, in the lower five bits.
_COMPACT: Final = frozenset(byte for byte in range(256) if byte & 31 == 1)


def _bytes(*values: int) -> tuple[frozenset[int], ...]:
    return tuple(frozenset((value,)) for value in values)


#: The length of a method's name, 1 to 255 bytes or 256.
_SHORT: Final = (*_bytes(0, 0, 0), _ANY - {0})
_LONGEST: Final = _bytes(0, 0, 1, 0)


def _words(*words: bytes) -> tuple[tuple[frozenset[int], ...], ...]:
    return tuple(_bytes(*word) for word in words)


class Dialect(NamedTuple):
    """``begins`` are patterns of first bytes, behind a frame's length where ``framed``; any of them will do.

    ``title`` and ``advice`` are for the log: what such a client speaks, and what to change in it where that is refused.
    ``protocols`` are the names of those inside, of which the first is what a message cannot say for itself.
    """

    number: int
    name: str
    title: str
    framed: bool
    begins: tuple[tuple[frozenset[int], ...], ...]
    protocols: tuple[str, ...]
    transport: str
    advice: str


DIALECTS: Final = (
    Dialect(
        0,
        "framed-binary",
        "framed binary Thrift",
        True,
        (_bytes(0x80, 0x01), _SHORT, _LONGEST),
        ("binary",),
        "framed",
        "use another transport or protocol in the client",
    ),
    Dialect(
        1,
        "framed-compact",
        "framed compact Thrift",
        True,
        ((*_bytes(0x82), _COMPACT),),
        ("compact",),
        "framed",
        "use the binary protocol in the client",
    ),
    Dialect(
        2,
        "framed-json",
        "framed JSON Thrift",
        True,
        (_bytes(*b"["),),
        ("tjson",),
        "framed",
        "use the binary protocol in the client",
    ),
    Dialect(
        3,
        "unframed-binary",
        "unframed binary Thrift",
        False,
        (_bytes(0x80, 0x01), (*_SHORT, _LETTER), (*_LONGEST, _LETTER)),
        ("binary",),
        "unframed",
        "use a framed transport in the client",
    ),
    Dialect(
        4,
        "unframed-compact",
        "unframed compact Thrift",
        False,
        ((*_bytes(0x82), _COMPACT),),
        ("compact",),
        "unframed",
        "use a framed transport and the binary protocol in the client",
    ),
    Dialect(
        5,
        "unframed-json",
        "unframed JSON Thrift",
        False,
        (_bytes(*b"["),),
        ("tjson",),
        "unframed",
        "use a framed transport and the binary protocol in the client",
    ),
    Dialect(
        6,
        "header",
        "THeader",
        True,
        (_bytes(0x0F, 0xFF),),
        ("binary", "compact", "tjson"),
        "theader",
        "use a framed transport instead in the client",
    ),
    Dialect(
        7,
        "http",
        "HTTP",
        False,
        _words(b"POST ", b"OPTIONS ", b"GET ", b"HEAD "),
        ("binary", "compact", "tjson"),
        "http",
        "start the server with --http, or use a framed transport in the client",
    ),
)
BY_NAME: Final = {each.name: each for each in DIALECTS}


def chosen(names: Collection[str], http: bool) -> tuple[str, ...]:
    """The dialects that a port takes, by what ``--dialect`` and ``--http`` say."""
    every = not names or "auto" in names
    return tuple(name for name in BY_NAME if name in names or (http if name == "http" else every))


def require(names: Collection[str], http: bool, cors: str) -> None:
    """Raise ConfigError where HTTP is asked for and cannot be had, or is not and should be. Imports no h11."""
    if "http" in chosen(names, http):
        from importlib.util import find_spec  # few servers speak HTTP

        if find_spec("h11") is None:
            raise ConfigError("--http needs h11; install it with: pip install 'thriftserver[http]'")
    elif cors:
        raise ConfigError("--http-cors needs --http: it names whose pages may call over HTTP")
