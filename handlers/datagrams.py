"""Calls that come as datagrams, one unframed compact message in each, as Jaeger's tracers send them to an agent.

A worker's server has no such address. Each worker listens on it beside its work, and the kernel chooses who gets a
datagram; nobody is answered, and what cannot be read is told in the log.
"""

import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from thriftserver.compiled import choose
from thriftserver.errors import WireError

#: ``thriftserver.deserialize`` is of the binary protocol; this is its twin for the compact one.
_decode = choose("codec.compact.message").decode_struct
#: No datagram is longer.
LONGEST = 65_535
#: The kernel keeps so many bytes of datagrams that have not been heard yet, if the system allows as many.
ROOM = 4 << 20
_COMPACT, _VERSION, _LONGEST_NAME = 0x82, 1, 256

log = structlog.get_logger()


class Ear:
    """Listens at ``host:port`` until it is closed.

    Of each method, ``methods`` has a struct that is like its arguments, and what is called with one.
    """

    def __init__(self, at: str, methods: Mapping[str, tuple[type, Callable[[Any], None]]]) -> None:
        host, _, port = at.rpartition(":")
        self._methods, self._open = methods, True
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        self._socket.bind((host.strip("[]"), int(port)))
        self._listener = threading.Thread(target=self._listen, daemon=True, name="datagrams")
        self._listener.start()

    def close(self) -> None:
        """What has come by now is still taken."""
        self._open = False
        self._socket.settimeout(0)
        while self._hear():
            pass
        self._socket.close()

    def _listen(self) -> None:
        while self._open:
            self._hear()

    def _hear(self) -> bool:
        try:
            data, (host, port, *_) = self._socket.recvfrom(LONGEST)
        except OSError:  # nothing there, or closed
            return False
        try:
            self._take(data)
        except Exception as error:  # noqa: BLE001 - the next datagrams are heard, whatever is wrong with this one
            log.warning("datagram_ignored", peer=f"{host}:{port}", bytes=len(data), reason=str(error))
        return True

    def _take(self, data: bytes) -> None:
        name, begin = _header(data)
        if name not in self._methods:
            raise WireError(f"there is no oneway method {name!r}")
        arguments, call = self._methods[name]
        call(_decode(arguments, data[begin:]))


def _header(data: bytes) -> tuple[str, int]:
    """The method's name, and where its arguments begin."""
    if len(data) < 4 or data[0] != _COMPACT or data[1] & 0x1F != _VERSION:
        raise WireError("this is no message of the compact protocol")
    _, place = _varint(data, 2)
    length, place = _varint(data, place)
    if length > _LONGEST_NAME:
        raise WireError(f"a method's name of {length} bytes")
    return data[place : place + length].decode("utf-8", "replace"), place + length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    for byte in data[place : place + 5]:
        value |= (byte & 0x7F) << shift
        shift, place = shift + 7, place + 1
        if byte < 0x80:
            return value, place
    raise WireError("a number without an end")
