"""Headers as proxies make them, by the protocol's specification and not by our reader."""

from __future__ import annotations

import socket
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def text(source: str = "192.0.2.7", port: int = 4711, to: str = "192.0.2.1", to_port: int = 443) -> bytes:
    kind = "TCP6" if ":" in source else "TCP4"
    return f"PROXY {kind} {source} {to} {port} {to_port}\r\n".encode()


def value(kind: int, data: bytes) -> bytes:
    return struct.pack("!BH", kind, len(data)) + data


def binary(source: str = "192.0.2.7", port: int = 4711, *values: bytes, command: int = 1, protocol: int = 1) -> bytes:
    family, number = (socket.AF_INET6, 2) if ":" in source else (socket.AF_INET, 1)
    to = socket.inet_pton(family, "2001:db8::1" if ":" in source else "192.0.2.1")
    block = socket.inet_pton(family, source) + to + struct.pack("!HH", port, 443) + b"".join(values)
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, number << 4 | protocol, len(block)) + block


def local() -> bytes:
    """What a proxy says that looks who is well."""
    return SIGNATURE + b"\x20\0\0\0"


def tls(name: str, version: str = "TLSv1.3", client: int = 7, verdict: int = 0) -> bytes:
    inner = value(0x21, version.encode()) + value(0x22, name.encode())
    return value(0x20, struct.pack("!BI", client, verdict) + inner)
