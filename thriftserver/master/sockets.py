"""Listening sockets: from an address on the command line to a bound socket that workers inherit.

It binds and names; it accepts nothing.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial

from msgspec import Struct

from thriftserver import places
from thriftserver.errors import BindError, ConfigError
from thriftserver.log import Logger
from thriftserver.master.events import News, State
from thriftserver.master.tcp import Spot, bind_all, look_up

#: What stands before an address that stays without TLS.
PLAIN = "plain:"


class Address(Struct, frozen=True):
    """Where to listen. ``kind`` is ``tcp`` (host, port), ``unix`` (path in ``host``) or ``fd`` (number in ``port``)."""

    kind: str
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        if self.kind == "tcp":
            return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        return f"unix:{self.host}" if self.kind == "unix" else f"fd://{self.port}"


def unmarked(text: str) -> tuple[str, bool]:
    """An address to bind without its ``plain:``, and whether it has one: that stays without TLS."""
    return text.removeprefix(PLAIN), text.startswith(PLAIN)


def parse(text: str, purpose: str = "listen on") -> Address:
    """``HOST:PORT``, ``[::1]:PORT``, ``unix:/path`` or ``fd://N``.

    Raises ConfigError with the forms there are; ``purpose`` completes "cannot ...".
    """
    if text.startswith("unix:") and len(text) > len("unix:"):
        return Address("unix", text.removeprefix("unix:"))
    if re.fullmatch("fd://[0-9]{1,9}", text):
        return Address("fd", port=int(text.removeprefix("fd://")))
    host, colon, port = text.rpartition(":")
    if colon and re.fullmatch("[0-9]{1,5}", port) and int(port) < 65536 and not text.startswith(("unix:", "fd://")):
        if host.startswith("[") and host.endswith("]"):
            return Address("tcp", host[1:-1], int(port))
        if ":" not in host:
            return Address("tcp", host, int(port))
    raise ConfigError(f"cannot {purpose} {text!r}: write HOST:PORT, [::1]:PORT, unix:/path or fd://3")


class Heirloom(Struct):
    """A listening socket as a master leaves it to the next one.

    ``asked`` is the address as it was written, empty for a socket of systemd's; ``file`` is the unix socket that has
    to be removed in the end: path, device, inode.
    """

    descriptor: int
    asked: str = ""
    file: tuple[str, int, int] | None = None

    def is_found(self) -> bool:
        """Does its file, if it has one, still lead to it? It may have been removed, or another one put there since."""
        if self.file is None:
            return True
        path, *identity = self.file
        try:
            with places.at(path) as place:
                return place.holds(*identity)
        except OSError:
            return False

    def remove(self) -> None:
        """Remove its file."""
        if self.file is None:
            return
        path, *identity = self.file
        try:
            with places.at(path) as place:
                if place.holds(*identity):
                    place.unlink()
        except places.Unsafe as error:
            Logger().warning("socket_left", socket=path, reason=error.strerror)
        except OSError:  # it is gone, or nobody may remove it
            return


class Listeners:
    """The master's listening sockets. ``close`` removes the unix sockets in the file system that are this process's.

    ``unix_mode`` (octal text) and ``owner`` (user and group id) are what those get; without them, what is usual.
    An address that one of the sockets ``passed`` has is not bound again; without addresses, all of them are used.
    What was ``inherited`` from an older master is used where the same address is asked for, and is this one's own once
    it has succeeded. With ``tls`` the sockets are told apart: ``secured`` speak TLS, ``plain`` do not.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        backlog: int,
        unix_mode: str = "",
        owner: tuple[int, int] | None = None,
        passed: Sequence[socket.socket] = (),
        inherited: Sequence[Heirloom] = (),
        tls: bool = False,
    ) -> None:
        self.sockets: list[socket.socket] = []
        #: Those of them that speak TLS.
        self.secured: list[socket.socket] = []
        #: What there is to say about each of them.
        self._entries: list[Heirloom] = []
        #: Those whose files are another master's to remove.
        self._anothers = list(inherited)
        self._unused = list(inherited)
        self._unix_mode = unix_mode
        self._unix_owner = owner
        self._owner = os.getpid()
        self._passed = passed
        try:
            marked = [unmarked(text) for text in addresses]
            wanted = [(parse(text), text) for text, _ in marked]
            spots = [_look_up(address) for address, _ in wanted]
            #: Ports that IPv4 has of its own: there `[::]`, which stands for both otherwise, is for IPv6 alone.
            self._ipv4 = {spot.port for each in spots for spot in each if spot.family == socket.AF_INET}
            for (address, text), each, (_, plain) in zip(wanted, spots, marked, strict=True):
                before = len(self.sockets)
                self._open(address, text, each, backlog)
                self._secure(self.sockets[before:], tls and not plain)
            for sock in () if addresses else passed:
                sock.setblocking(False)
                self.sockets.append(sock)
                self._entries.append(Heirloom(sock.fileno()))
                self._secure([sock], tls)
        except BaseException:
            self.close()
            raise

    def _secure(self, sockets: Sequence[socket.socket], tls: bool) -> None:
        """Unix sockets have their permissions, and who has connected is known of them."""
        self.secured += [sock for sock in sockets if tls and sock.family != socket.AF_UNIX]

    @property
    def plain(self) -> list[socket.socket]:
        """Those that workers accept from themselves."""
        return [sock for sock in self.sockets if sock not in self.secured]

    def names(self) -> list[str]:
        """The addresses in force: port 0 has become a number."""
        return [name(sock) for sock in self.sockets]

    def about_tls(self) -> dict[str, list[str]]:
        """Which of them speak TLS, for the log."""
        return {"tls": [name(sock) for sock in self.secured]} if self.secured else {}

    def heirlooms(self) -> list[Heirloom]:
        """The sockets as the next master gets them."""
        return self._entries

    def unused(self) -> list[int]:
        """Descriptors that no address asks for: an older master goes on with them until this one succeeds it."""
        return [heirloom.descriptor for heirloom in self._unused]

    def succeed(self) -> None:
        """The older master is gone: what it had is this one's, or is needed no more."""
        for heirloom in self._unused:
            os.close(heirloom.descriptor)
            heirloom.remove()
        self._anothers, self._unused = [], []

    def announce(self, news: News, _text: str) -> None:
        if news is News.SUCCEEDED:
            self.succeed()
        elif news is News.UPGRADED:
            self._anothers = self._entries

    def tick(self, state: State, now: float) -> None:
        """Nothing to do."""

    def close(self, *, stay: bool = False) -> None:
        """``stay``: a master to come goes on with the same sockets."""
        for sock in self.sockets:
            sock.close()
        if os.getpid() == self._owner and not stay:
            for entry in self._entries:
                if entry not in self._anothers:
                    entry.remove()

    def _open(self, address: Address, text: str, spots: Sequence[Spot], backlog: int) -> None:
        before = len(self.sockets)
        try:
            if spots:
                self._open_spots(text, spots)
            elif self._find(lambda sock, asked: asked == text or _is_at(sock, address)) is None:
                entry = Heirloom(-1, text)
                sock = socket.socket(fileno=address.port) if address.kind == "fd" else self._open_unix(address, entry)
                self._enter(sock, entry)
            for each in self.sockets[before:]:
                each.listen(backlog)
                each.setblocking(False)
        except OSError as error:
            raise BindError(f"cannot listen on {address}: {_reason(error, address)}") from None

    def _enter(self, sock: socket.socket, entry: Heirloom) -> socket.socket:
        entry.descriptor = sock.fileno()
        self._entries.append(entry)
        self.sockets.append(sock)
        return sock

    def _find(self, fits: Callable[[socket.socket, str], bool]) -> socket.socket | None:
        """A socket that is there already."""
        for heirloom in list(self._unused):
            sock = socket.socket(fileno=heirloom.descriptor)
            if heirloom.is_found() and fits(sock, heirloom.asked):
                self._unused.remove(heirloom)
                return self._enter(sock, heirloom)
            sock.detach()
        for sock in self._passed:
            if sock not in self.sockets and fits(sock, ""):
                return self._enter(sock, Heirloom(sock.fileno()))
        return None

    def _open_spots(self, text: str, spots: Sequence[Spot]) -> None:
        """A socket for each address of a name, all on one port."""
        names = {spot: str(Address("tcp", spot.host, spot.port)) if len(spots) > 1 else text for spot in spots}
        spots = [spot for spot in spots if not any(map(spot.has, self.sockets))]  # localhost and 127.0.0.1
        found: list[socket.socket] = []
        missing: list[Spot] = []
        for spot in spots:
            sock = self._find(partial(_stands, spot, (text, names[spot])))
            found += [sock] if sock else []
            missing += [] if sock else [spot]
        port = next((sock.getsockname()[1] for sock in found), 0)
        ends = bind_all([spot.at(port or spot.port) for spot in missing], self._ipv4, bool(found))
        for spot, sock in zip(missing, ends, strict=True):
            if sock is not None:
                self._enter(sock, Heirloom(-1, names[spot]))

    def _open_unix(self, address: Address, entry: Heirloom) -> socket.socket:
        mode = int(self._unix_mode, 8) if self._unix_mode else None
        sock, entry.file = open_unix(address.host, mode, self._unix_owner)
        return sock


def _stands(spot: Spot, names: tuple[str, ...], sock: socket.socket, asked: str) -> bool:
    """Is a socket what an address asks for? A port that was any is the one that it became."""
    return spot.has(sock, any_port=asked in names)


def open_unix(
    path: str, mode: int | None, owner: tuple[int, int] | None = None
) -> tuple[socket.socket, tuple[str, int, int]]:
    """A socket at a path, and its file: path, device, inode. ``mode`` None: what the umask leaves. Raises OSError."""
    umask = os.umask(0o077)
    os.umask(umask)
    mode = 0o777 & ~umask if mode is None else mode
    path = os.path.abspath(path)
    with places.at(path) as place, ExitStack() as undo:
        _remove_stale(place)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        undo.callback(sock.close)
        # By the umask and not by chmod, so that the socket is never open to more people than it should be; where others
        # may put another file in its place, to nobody but root until it is certain which is ours.
        os.umask(~mode & 0o777 if place.ours else 0o777)
        try:
            sock.bind(place.address)
        finally:
            os.umask(umask)
        found = os.open(place.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.folder)
        undo.callback(os.close, found)
        file = os.fstat(found)
        if not place.ours:
            if not _leads_to(sock, found):
                raise places.Unsafe(path, "another file was put in its place, where others than root can do that")
            os.chmod(f"/proc/self/fd/{found}", mode)
        if owner is not None:
            if place.ours:
                os.chown(place.name, *owner, dir_fd=place.folder, follow_symlinks=False)
            else:
                os.chown(f"/proc/self/fd/{found}", *owner)
        undo.pop_all()
        os.close(found)
        return sock, (path, file.st_dev, file.st_ino)


def _leads_to(sock: socket.socket, found: int) -> bool:
    """Does a file lead to this socket? Who connects to it through the one is accepted by the other."""
    if not stat.S_ISSOCK(os.fstat(found).st_mode):
        return False
    sock.listen(1)
    sock.setblocking(False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(f"/proc/self/fd/{found}")
            caller, _ = sock.accept()
        except OSError:
            return False
        with caller:
            return _peer(caller) == os.getpid()


def _is_at(sock: socket.socket, address: Address) -> bool:
    if address.kind == "fd":
        return sock.fileno() == address.port
    if address.kind == "unix":
        return sock.family == socket.AF_UNIX and sock.getsockname() == os.path.abspath(address.host)
    return False


def _look_up(address: Address) -> list[Spot]:
    """What a TCP address leads to; nothing for another kind."""
    try:
        return look_up(address.host, address.port) if address.kind == "tcp" else []
    except (OSError, UnicodeError) as error:  # the latter of a name that cannot be one
        reason = _reason(error, address) if isinstance(error, OSError) else str(error)
        raise BindError(f"cannot listen on {address}: {reason}") from None


def _remove_stale(place: places.Place) -> None:
    """Remove a socket file on which nobody listens any more. Raises OSError (EADDRINUSE) for anything else there."""
    try:
        found = os.open(place.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.folder)
    except OSError:
        return
    try:
        if not stat.S_ISSOCK(os.fstat(found).st_mode):
            raise OSError(errno.EADDRINUSE, "there is a file of that name, and it is no socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)  # a full backlog is an answer too
            try:
                probe.connect(f"/proc/self/fd/{found}")
            except ConnectionRefusedError:
                place.unlink()
                return
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EPROTOTYPE):
                    raise
            pid = _peer(probe)
            listener = f" with pid {pid}" if pid else ""
            raise OSError(errno.EADDRINUSE, f"a server{listener} is listening there already")
    finally:
        os.close(found)


def _peer(sock: socket.socket) -> int:
    """The pid of who is at the other end of a connection, as far as the kernel tells."""
    with suppress(OSError):
        return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)
    return 0


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
