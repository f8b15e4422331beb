"""Who the processes are: pidfile, user and group, umask, and the names that ps shows.

It acts on the process that calls it; when each thing is due is the command line's to know.
"""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import pwd
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from typing import BinaryIO

from msgspec import Struct

from thriftserver import places
from thriftserver.config import Settings
from thriftserver.errors import ConfigError
from thriftserver.master.events import News, State

#: Bytes of a name that the kernel keeps for ``ps`` and ``top``.
COMM = 15
#: Seconds by which a clock may be off when a process is told to be younger than its pidfile.
SLACK = 2.0
#: Seconds for the lock of a stale pidfile, which another start holds for a moment.
LOCK = 5.0
#: Not a user or group: to the kernel it means "as before", which would leave a worker with root.
NOBODY = (1 << 32) - 1


class Account(Struct, frozen=True):
    """Whom workers run as. ``name`` is empty for a user or group that is a mere number."""

    uid: int
    gid: int
    name: str = ""
    home: str = ""


def settle(settings: Settings) -> None:
    """The umask: the master's, and inherited by all."""
    if settings.umask:
        os.umask(int(settings.umask, 8))


def account(settings: Settings) -> Account | None:
    """Whom ``--user`` and ``--group`` mean; None for nobody else than now. Raises ConfigError if that cannot be."""
    if not settings.user and not settings.group:
        return None
    found = _user(settings.user) if settings.user else Account(os.geteuid(), os.getegid())
    if settings.group:
        found = Account(found.uid, _group(settings.group), found.name, found.home)
    elif found.gid < 0:
        raise ConfigError(f"--user: {settings.user} is in no user database; say --group too")
    if os.geteuid() and (found.uid, found.gid) != (os.geteuid(), os.getegid()):
        raise ConfigError("--user and --group: only root can run workers as somebody else")
    return found


def _user(text: str) -> Account:
    number = _number(text)
    try:
        entry = pwd.getpwnam(text) if number is None else pwd.getpwuid(number)
    except (KeyError, OverflowError, ValueError):  # a name with a zero byte in it
        if number is not None and number < NOBODY:
            return Account(number, -1)
        raise ConfigError(f"--user: there is no user {text!r}") from None
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name, entry.pw_dir)


def _number(text: str) -> int | None:
    """The number of a user or group; None: it is a name, if of digits alone then of too many."""
    return int(text) if text.isdecimal() and len(text) <= len(str(NOBODY)) else None


def _group(text: str) -> int:
    number = _number(text)
    if number is not None and number < NOBODY:
        return number
    try:
        return grp.getgrnam(text).gr_gid
    except (KeyError, ValueError):
        raise ConfigError(f"--group: there is no group {text!r}") from None


def become(settings: Settings, later: Iterable[str]) -> None:
    """Be the configured user for good, in a child. Raises ConfigError.

    The modules named ``later``, which this process may come to need, are imported first: a virtual environment or
    a checkout may be readable for root alone. Those of extras that are not installed are left out.
    """
    wanted = account(settings)
    if wanted is None or os.geteuid():
        return
    for module in later:
        with suppress(ImportError):
            import_module(module)
    try:
        if wanted.name:
            os.initgroups(wanted.name, wanted.gid)
        else:
            os.setgroups([wanted.gid])
        os.setresgid(wanted.gid, wanted.gid, wanted.gid)
        os.setresuid(wanted.uid, wanted.uid, wanted.uid)
    except OSError as error:
        raise ConfigError(f"cannot run as user {wanted.uid}, group {wanted.gid}: {error.strerror}") from None
    if wanted.name:
        os.environ.update(USER=wanted.name, LOGNAME=wanted.name, HOME=wanted.home)


def entitle(name: str, role: str) -> None:
    """Name this process for ps and top: the start of its name and its role (``master``, ``worker 3``).

    With setproctitle installed, its command line becomes the whole of both. The short name is set through /proc, which
    is what prctl(PR_SET_NAME) does, without loading ctypes for it.
    """
    with suppress(ImportError):
        from setproctitle import setproctitle

        setproctitle(f"{name}: {role}")  # sets the short name too, in its own way
    short = role.replace("worker ", "w")
    # A /proc that is missing or read-only costs the name, nothing else.
    with suppress(OSError), open("/proc/self/comm", "w") as comm:
        comm.write(f"{name[: COMM - len(short) - 1]} {short}")


class Pidfile:
    """A file with this process's id, from now until ``close``. Raises ConfigError if another one's stands there.

    The id of ``predecessor`` is replaced once this process hears the news that it has succeeded that one.
    """

    def __init__(self, path: str, predecessor: int = 0) -> None:
        self.path = os.path.abspath(path)
        self._owner = os.getpid()
        self._predecessor = predecessor
        self._draft = f"{os.path.basename(self.path)}.{self._owner}"
        try:
            with places.at(self.path) as place:
                self._write(place)
        except OSError as error:
            raise ConfigError(f"cannot write the pidfile {path}: {error.strerror}") from None

    def _write(self, place: places.Place) -> None:
        draft, folder = self._draft, place.folder
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=folder)  # of a process that had this id and died while it wrote
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=folder)
        written = False
        try:
            os.write(fd, f"{self._owner}\n".encode())
            self._place(place)
            if not self._waits(place) and not place.holds(*_identity(os.fstat(fd))):
                raise places.Unsafe(self.path, "another file was put in its place, where others can do that")
            written = True
        finally:
            os.close(fd)
            if not (written and self._waits(place)):
                with suppress(FileNotFoundError):
                    os.unlink(draft, dir_fd=folder)

    def _waits(self, place: places.Place) -> bool:
        return bool(self._predecessor) and _holds(place, self._predecessor)

    def announce(self, news: News, _text: str) -> None:
        if news is News.SUCCEEDED:
            # There was nobody to wait for; or nobody may write there any more.
            with suppress(OSError), places.at(self.path) as place:
                os.rename(self._draft, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)

    def tick(self, state: State, now: float) -> None:
        """Nothing to do."""

    def _place(self, place: places.Place) -> None:
        """Give the whole file its name. Of several that find the same stale one, the one with its lock replaces it."""
        both = {"src_dir_fd": place.folder, "dst_dir_fd": place.folder}
        end = time.monotonic() + LOCK
        while not self._waits(place):
            with suppress(FileExistsError):
                os.link(self._draft, place.name, **both, follow_symlinks=False)
                return
            with suppress(FileNotFoundError), _opened(place, os.O_RDWR) as old:
                try:
                    fcntl.lockf(old, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    if time.monotonic() > end:
                        raise ConfigError(f"the pidfile {self.path} is locked by another process") from None
                    time.sleep(0.01)
                    continue
                if not place.holds(*_identity(os.fstat(old.fileno()))):
                    continue  # somebody was faster: look at what stands there now
                _require_stale(self.path, old.read(64), os.fstat(old.fileno()).st_mtime)
                os.rename(self._draft, place.name, **both)
                return

    def close(self) -> None:
        """Remove it, unless this is a child, or another has written its own since."""
        if os.getpid() == self._owner:
            with suppress(OSError), places.at(self.path) as place:
                if _holds(place, self._owner):
                    place.unlink()
                os.unlink(self._draft, dir_fd=place.folder)


def _opened(place: places.Place, flags: int) -> BinaryIO:
    """The file, if it is one; not what a link leads to, and not a pipe that would be waited for."""
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        descriptor = os.open(place.name, flags, dir_fd=place.folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a symbolic link; remove it, or name the file itself") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "there is something of that name that is no file")
    return open(descriptor, "r+b" if flags & os.O_RDWR else "rb")


def _holds(place: places.Place, pid: int) -> bool:
    try:
        with _opened(place, os.O_RDONLY) as file:
            return file.read(64) == b"%d\n" % pid
    except OSError:
        return False


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _require_stale(path: str, content: bytes, written: float) -> None:
    text = content.strip()
    if text and not text.isdigit():
        raise ConfigError(f"the pidfile {path} holds something else than a process id; remove it if it may go")
    pid = int(text or 0)
    if pid and pid != os.getpid() and (started := _started(pid)) and started <= written + SLACK:
        raise ConfigError(f"already running with pid {pid}, says the pidfile {path}")


def _started(pid: int) -> float:
    """When a process began, in seconds since 1970; 0 if there is none. After its pidfile: the id was used again."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        if fields[0] in "ZX":
            return 0.0
        with open("/proc/stat") as file:
            boot = next(line for line in file if line.startswith("btime "))
        return int(boot.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0
