"""Names in the file system that somebody else may change while a process of root acts on them.

Whoever may write to a directory can put anything in the place of a name in it, a link to root's own files too. So root
goes to a place component by component and acts on what a descriptor leads to; links are followed only where nobody but
root can have put them. What is opened and why is the caller's to know. For other users than root every name is as the
kernel takes it: they can reach nothing that is not theirs.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

#: Links on the way to one place: more are a circle.
LINKS = 40


class Unsafe(OSError):
    """It is given up, because somebody else than root could lead it astray; ``strerror`` says how."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(errno.ELOOP, why, path)


class Place:
    """A name in a directory that is open: ``folder`` and ``name`` go together into the functions of ``os``."""

    def __init__(self, path: str, folder: int, name: str, *, ours: bool, anchored: bool) -> None:
        self.path, self.folder, self.name = path, folder, name
        #: Can nobody else put anything in the place of this name?
        self.ours = ours
        #: Does the path lead to this directory whatever others do?
        self.anchored = anchored

    def open(self, flags: int, mode: int = 0o600) -> int:
        """A descriptor of a file or pipe; never through a link, nor a second name, that somebody else has made."""
        flags |= os.O_CLOEXEC | os.O_NOCTTY
        if self.ours:
            return os.open(self.name, flags, mode, dir_fd=self.folder)
        try:
            descriptor = os.open(self.name, flags | os.O_NOFOLLOW, mode, dir_fd=self.folder)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise Unsafe(self.path, "it is a symbolic link, where others than root can put one") from None
            raise
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
            os.close(descriptor)
            raise Unsafe(self.path, "the file has another name too, where others than root can give it one")
        return descriptor

    def look(self) -> os.stat_result:
        """What stands there, a link itself."""
        return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)

    def holds(self, device: int, inode: int) -> bool:
        try:
            found = self.look()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == (device, inode)

    def unlink(self) -> None:
        os.unlink(self.name, dir_fd=self.folder)

    @property
    def address(self) -> str:
        """What a socket is bound to or found at: the path, or where it could lead elsewhere, this directory itself."""
        return self.path if self.anchored else f"/proc/self/fd/{self.folder}/{self.name}"


@contextmanager
def at(path: str, *, follow: bool = False) -> Iterator[Place]:
    """The place that a path means now; with ``follow``, where a link of root's at its end leads. Raises OSError."""
    place = _walk(path, follow) if os.geteuid() == 0 else _as_it_is(path)
    try:
        yield place
    finally:
        os.close(place.folder)


def _as_it_is(path: str) -> Place:
    folder, name = os.path.split(path)
    return Place(path, os.open(folder or ".", _FOLDER), name, ours=True, anchored=True)


_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


def _walk(path: str, follow: bool) -> Place:
    parts = [part for part in path.split("/") if part not in ("", ".")][::-1]
    if not parts:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    folder = os.open("/" if path.startswith("/") else ".", _FOLDER)
    anchored, links = True, 0
    try:
        while True:
            part, last = parts.pop(), not parts
            if _is_the_kernels(folder):  # what its links say is no path
                ours = True
            else:
                ours = _is_ours(folder, part)
                link = _link(folder, part) if not last or follow else None
                if link is not None and (ours or not last):
                    links += 1
                    if not ours or links > LINKS:
                        raise Unsafe(path, f"{part} is a symbolic link, where others than root can put one")
                    parts += [each for each in link.split("/") if each not in ("", ".")][::-1]
                    if link.startswith("/"):
                        folder = _go(folder, "/", 0)
                    continue
            if last:
                return Place(path, folder, part, ours=ours, anchored=anchored)
            anchored = anchored and ours
            folder = _go(folder, part, 0 if _is_the_kernels(folder) else os.O_NOFOLLOW)
    except BaseException:
        os.close(folder)
        raise


def _go(folder: int, name: str, flags: int) -> int:
    """From one directory to the next."""
    found = os.open(name, _FOLDER | flags, dir_fd=folder)
    os.close(folder)
    return found


def _link(folder: int, name: str) -> str | None:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError:  # no link, or nothing there
        return None


def _is_ours(folder: int, name: str) -> bool:
    """Can only root change what stands there? In a sticky directory that depends on whose it is."""
    around = os.fstat(folder)
    if around.st_uid != 0:
        return False
    if not around.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return True
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return bool(around.st_mode & stat.S_ISVTX) and found.st_uid == 0


def _is_the_kernels(folder: int) -> bool:
    """Is it in /proc? Nobody puts names there."""
    try:
        return os.fstat(folder).st_dev == os.stat("/proc").st_dev != os.stat("/").st_dev
    except OSError:
        return False
