"""The PROXY protocol: what a proxy says in front of a connection that it passes on, and whom that is believed.

Versions 1 (a line of text) and 2 (binary, with what the proxy knows of TLS), as HAProxy defines them. What becomes of a
connection is for those to say who accept it.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from thriftserver.peers import Peer, Proxy, name_of

#: Bytes of a header, at most: those of real proxies have hundreds, with a certificate of their client's thousands.
LONGEST: Final = 8192
#: Seconds from a connection's beginning until its header is whole. Proxies send it at once; packets may be lost.
PATIENCE: Final = 10.0

_TEXT: Final = b"PROXY "
#: Bytes of a whole line, at most.
_LINE_END: Final = 107
_LINE = re.compile(rb"PROXY TCP([46]) ([0-9a-fA-F.:]+) ([0-9a-fA-F.:]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})\r\n")
_UNKNOWN = re.compile(rb"PROXY UNKNOWN( [^\r\n]*)?\r\n")
_BINARY: Final = b"\r\n\r\n\0\r\nQUIT\n"
_HEAD: Final = struct.Struct("!12sBBH")
#: Bytes of an address by its family, and of the addresses and ports of both ends.
_FAMILIES: Final = {1: (socket.AF_INET, 4), 2: (socket.AF_INET6, 16)}
_ADDRESSES: Final = {0: 0, 1: 12, 2: 36, 3: 216}
_AUTHORITY, _CRC32C, _SSL = 0x02, 0x03, 0x20
_SSL_VERSION, _SSL_CN = 0x21, 0x22
#: The client has shown its certificate in this connection, or in the session that it goes on with.
_SHOWN: Final = 0x02 | 0x04


class BrokenHeader(Exception):
    """Nothing that follows can be trusted; why, in words that go on after "the header ..."."""


class Heading(NamedTuple):
    """A whole header of ``size`` bytes. Without an ``address`` the proxy speaks for itself, as to see who is well."""

    size: int
    address: tuple[str, int] | None = None
    server_name: str = ""
    common_name: str = ""
    version: str = ""

    def peer(self, proxy: str) -> str:
        """Who is at the other end, by a proxy of that name."""
        if self.address is None:
            return proxy
        said = Proxy(proxy, self.server_name, self.common_name, self.version)
        return Peer(name_of(self.address), proxy=said)


class Announcement:
    """The header of one connection as it comes. ``heard`` are the bytes so far."""

    __slots__ = ("heard",)

    def __init__(self, heard: bytes = b"") -> None:
        self.heard = heard

    def hear(self, sock: socket.socket) -> Heading | None:
        """Take what belongs to the header, and no more, out of a socket that does not block; None: more is to come.

        Raises BrokenHeader, EOFError for a peer that has hung up before it said anything, and OSError.
        """
        heading = None
        while heading is None:  # to the end of what is there: who waits for more may not be told of it again
            try:
                data = sock.recv(LONGEST, socket.MSG_PEEK)
            except BlockingIOError:
                return None
            if not data and not self.heard:
                raise EOFError
            if not data:
                raise BrokenHeader("is cut off by the end of the stream")
            heading = read(self.heard + data)
            size = len(data) if heading is None else heading.size - len(self.heard)
            self.heard += sock.recv(size)
        return heading


class Trusted:
    """Networks whose members are believed; each has to begin a connection with a header."""

    def __init__(self, networks: Sequence[str]) -> None:
        if networks:
            import ipaddress  # most servers stand behind no proxy

            self._parse = ipaddress.ip_address
            self._networks = [ipaddress.ip_network(each) for each in networks]
        self._any = bool(networks)

    def __bool__(self) -> bool:
        return self._any

    def have(self, host: str) -> bool:
        """Is an IP address in one of them? IPv4 in IPv6 clothes is IPv4."""
        if not self._any:
            return False
        try:
            address = self._parse(host.partition("%")[0])
        except ValueError:  # systemd may pass sockets of families that have no such addresses
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)


def begins(data: bytes) -> bool:
    """Could this be the beginning of a header?"""
    return bool(data) and (_TEXT.startswith(data[: len(_TEXT)]) or _BINARY.startswith(data[: len(_BINARY)]))


def read(data: bytes) -> Heading | None:
    """The header that ``data`` begins with; None while it is not whole. Raises BrokenHeader once it can be none."""
    if data[:1] == _TEXT[:1] and begins(data):
        return _read_text(data)
    if begins(data):
        return _read_binary(data)
    raise BrokenHeader("is missing")


def _read_text(data: bytes) -> Heading | None:
    end = data.find(b"\n", 0, _LINE_END) + 1
    if not end:
        if len(data) >= _LINE_END:
            raise BrokenHeader(f"has no end of its line within {_LINE_END} bytes")
        return None
    line = data[:end]
    if _UNKNOWN.fullmatch(line):
        return Heading(end)
    match = _LINE.fullmatch(line)
    if match is None:
        raise BrokenHeader("is not PROXY TCP4 or TCP6 with two addresses and two ports")
    family = socket.AF_INET if match[1] == b"4" else socket.AF_INET6
    try:
        hosts = [socket.inet_ntop(family, socket.inet_pton(family, each.decode())) for each in match.group(2, 3)]
    except OSError:
        raise BrokenHeader("has an address that is none") from None
    ports = [int(each) for each in match.group(4, 5)]
    if max(ports) > 65535:
        raise BrokenHeader("has a port that is none")
    return Heading(end, (hosts[0], ports[0]))


def _read_binary(data: bytes) -> Heading | None:
    if len(data) < _HEAD.size:
        return None
    _, version, family, length = _HEAD.unpack_from(data)
    size = _HEAD.size + length
    if version >> 4 != 2 or version & 15 > 1 or family >> 4 > 3 or family & 15 > 2:
        raise BrokenHeader("has a version, command or family that is none")
    if size > LONGEST:
        raise BrokenHeader(f"has {size} bytes, more than {LONGEST}")
    if len(data) < size:
        return None
    block = data[_HEAD.size : size]
    skip = _ADDRESSES[family >> 4] if version & 15 else 0
    if len(block) < skip:
        raise BrokenHeader("is too short for its addresses")
    if not version & 15:  # LOCAL: whatever follows is to be thrown away
        return Heading(size)
    found = dict(_values(block[skip:]))
    _check(data[:size], found.get(_CRC32C))
    return Heading(size, _address(family, block), _text(found.get(_AUTHORITY, b"")), *_tls(found.get(_SSL, b"")))


def _address(family: int, block: bytes) -> tuple[str, int] | None:
    """Where the client is; None of what is no TCP."""
    if family & 15 != 1 or family >> 4 not in _FAMILIES:
        return None
    kind, width = _FAMILIES[family >> 4]
    (port,) = struct.unpack_from("!H", block, 2 * width)
    return socket.inet_ntop(kind, block[:width]), port


def _values(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Types, each with its value: a byte, a length in two, and as many."""
    at = 0
    while at < len(data):
        if at + 3 > len(data):
            raise BrokenHeader("ends within a value")
        kind, length = struct.unpack_from("!BH", data, at)
        at += 3 + length
        if at > len(data):
            raise BrokenHeader("ends within a value")
        yield kind, data[at - length : at]


def _tls(value: bytes) -> tuple[str, str]:
    """The common name of the client's certificate, if it was shown and is good; and the version of TLS."""
    if len(value) < 5:
        return "", ""
    client, verdict = struct.unpack_from("!BI", value)
    found = dict(_values(value[5:]))
    proven = client & _SHOWN and not verdict
    return _text(found.get(_SSL_CN, b"")) if proven else "", _text(found.get(_SSL_VERSION, b""))


def _text(value: bytes) -> str:
    return value[:256].decode("utf-8", "replace")


def _check(header: bytes, said: bytes | None) -> None:
    """Does the checksum fit, where there is one? It is taken over the header with zeros in its own place."""
    if said is None:
        return
    at = header.rindex(b"\x03\0\x04" + said) + 3 if len(said) == 4 else -1
    if at < 0 or _crc32c(header[:at] + bytes(4) + header[at + 4 :]) != int.from_bytes(said, "big"):
        raise BrokenHeader("does not fit its checksum")


def _crc32c(data: bytes) -> int:
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
    return rest ^ 0xFFFFFFFF
