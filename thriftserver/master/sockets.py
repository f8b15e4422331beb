"""Listening sockets: from an address on the command line to a bound socket that workers inherit.

It binds and names; it accepts nothing.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct

from thriftserver.errors import BindError, ConfigError


class Address(Struct, frozen=True):
    """Where to listen. ``kind`` is ``tcp`` (host, port), ``unix`` (path in ``host``) or ``fd`` (number in ``port``)."""

    kind: str
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        if self.kind == "tcp":
            return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        return f"unix:{self.host}" if self.kind == "unix" else f"fd://{self.port}"


def parse(text: str, purpose: str = "listen on") -> Address:
    """``HOST:PORT``, ``[::1]:PORT``, ``unix:/path`` or ``fd://N``.

    Raises ConfigError with the forms there are; ``purpose`` completes "cannot ...".
    """
    if text.startswith("unix:") and len(text) > len("unix:"):
        return Address("unix", text.removeprefix("unix:"))
    if text.startswith("fd://") and text.removeprefix("fd://").isdecimal():
        return Address("fd", port=int(text.removeprefix("fd://")))
    host, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and int(port) < 65536 and not text.startswith(("unix:", "fd://")):
        if host.startswith("[") and host.endswith("]"):
            return Address("tcp", host[1:-1], int(port))
        if ":" not in host:
            return Address("tcp", host, int(port))
    raise ConfigError(f"cannot {purpose} {text!r}: write HOST:PORT, [::1]:PORT, unix:/path or fd://3")


class Listeners:
    """The master's listening sockets. ``close`` removes unix sockets from the file system if this process made them.

    ``unix_mode`` (octal text) and ``owner`` (user and group id) are what those get; without them, what is usual.
    An address that one of the sockets ``passed`` has is not bound again; without addresses, all of them are used.
    ``kept`` are sockets with their labels that a master before this one has bound: those with the label of an address
    are used, and stay ours to remove; the others stay in ``kept``.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        backlog: int,
        unix_mode: str = "",
        owner: tuple[int, int] | None = None,
        passed: Sequence[socket.socket] = (),
        kept: Sequence[tuple[str, socket.socket]] = (),
    ) -> None:
        self.sockets: list[socket.socket] = []
        self.kept = list(kept)
        #: What was bound here and by nobody before, with its label, for a later master to find it.
        self.bound: list[tuple[str, socket.socket]] = []
        self._made: list[tuple[str, int, int]] = []
        self._unix_mode = unix_mode
        self._unix_owner = owner
        self._owner = os.getpid()
        self._passed = passed
        try:
            for address in [parse(text) for text in addresses]:
                self.sockets.append(self._open(address, backlog))
            if not addresses:
                self.sockets += passed
                for sock in passed:
                    sock.setblocking(False)
        except BaseException:
            self.close()
            raise

    def names(self) -> list[str]:
        """The addresses in force: port 0 has become a number."""
        return [name(sock) for sock in self.sockets]

    def discard(self) -> list[str]:
        """Close what was kept and no address asks for; the labels."""
        dropped, self.kept = self.kept, []
        for label, sock in dropped:
            path = sock.getsockname() if sock.family == socket.AF_UNIX else ""
            if path and label == _label(Address("unix", path)):
                os.unlink(path)
            sock.close()
        return [label for label, _ in dropped]

    def close(self, *, stay: bool = False) -> None:
        """``stay``: a successor goes on with the same sockets."""
        for sock in self.sockets:
            sock.close()
        if os.getpid() == self._owner and not stay:
            for path, device, inode in self._made:
                with suppress(OSError):
                    found = os.stat(path)
                    if (found.st_dev, found.st_ino) == (device, inode):  # not one that was put there since
                        os.unlink(path)

    def _open(self, address: Address, backlog: int) -> socket.socket:
        try:
            found = next((sock for sock in self._passed if _is_at(sock, address)), None) or self._recall(address)
            sock = found or self._bind(address)
            sock.listen(backlog)
            if found is None and address.kind != "fd":
                self.bound.append((_label(address), sock))
        except OSError as error:
            raise BindError(f"cannot listen on {address}: {_reason(error, address)}") from None
        sock.setblocking(False)
        return sock

    def _recall(self, address: Address) -> socket.socket | None:
        """The socket that was kept for this address."""
        label = _label(address)
        for place, (kept, sock) in enumerate(self.kept):
            if kept == label:
                del self.kept[place]
                if address.kind == "unix":
                    self._remember(address.host)
                return sock
        return None

    def _remember(self, path: str) -> None:
        made = os.stat(path)
        self._made.append((path, made.st_dev, made.st_ino))

    def _bind(self, address: Address) -> socket.socket:
        if address.kind == "fd":
            return socket.socket(fileno=address.port)
        return self._open_unix(address) if address.kind == "unix" else _open_tcp(address)

    def _open_unix(self, address: Address) -> socket.socket:
        remove_stale(address.host)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # By the umask and not by chmod, so that the socket is never open to more people than it should be.
            before = os.umask(~int(self._unix_mode, 8) & 0o777) if self._unix_mode else None
            try:
                sock.bind(address.host)
            finally:
                if before is not None:
                    os.umask(before)
            self._remember(address.host)
            if self._unix_owner is not None:
                os.chown(address.host, *self._unix_owner)
        except BaseException:
            sock.close()
            raise
        return sock


def _label(address: Address) -> str:
    """What a socket is kept under. A unix socket's names its file too: without that one nobody finds the socket."""
    if address.kind != "unix":
        return str(address)
    try:
        file = os.stat(address.host)
    except OSError:
        return ""
    return f"unix:{os.path.abspath(address.host)} {file.st_dev}.{file.st_ino}"


def _is_at(sock: socket.socket, address: Address) -> bool:
    if address.kind == "fd":
        return sock.fileno() == address.port
    if address.kind == "unix":
        return sock.family == socket.AF_UNIX and sock.getsockname() == os.path.abspath(address.host)
    if sock.family == socket.AF_UNIX:
        return False
    family, *_, where = _look_up(address)
    return sock.family == family and sock.getsockname()[:2] == where[:2]


def _look_up(address: Address) -> tuple[int, int, int, str, tuple[Any, ...]]:
    # As bytes, where that is the same: a text makes Python import its tables of international names first.
    host = address.host.encode() if address.host.isascii() else address.host
    return socket.getaddrinfo(host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]


def _open_tcp(address: Address) -> socket.socket:
    family, kind, protocol, _, where = _look_up(address)
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
    except BaseException:
        sock.close()
        raise
    return sock


def remove_stale(path: str) -> None:
    """Remove a socket file on which nobody listens any more. Raises OSError (EADDRINUSE) for anything else there."""
    try:
        kind = os.stat(path).st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(kind):
        raise OSError(errno.EADDRINUSE, "there is a file of that name, and it is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a full backlog is an answer too
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EPROTOTYPE):
                raise
        raise OSError(errno.EADDRINUSE, f"a server{_listener(probe)} is listening there already")


def _listener(probe: socket.socket) -> str:
    """Who listens at the other end of a connection, as far as the kernel tells."""
    with suppress(OSError):
        pid = int.from_bytes(probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)
        return f" with pid {pid}" if pid else ""
    return ""


def _reason(error: OSError, address: Address) -> str:
    if error.errno == errno.EADDRINUSE and address.kind != "unix":
        return "the address is in use; is another server running? (--bind chooses another)"
    if error.errno == errno.EACCES:
        return "permission denied" + ("; ports below 1024 need privileges" if 0 < address.port < 1024 else "")
    return error.strerror or str(error)


def name(sock: socket.socket) -> str:
    """The address in force, as it is written."""
    where = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix:{where}"
    return str(Address("tcp", where[0], where[1]))
