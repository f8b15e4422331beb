"""A hot upgrade: a master starts the next one from disk, which takes over its sockets and connections.

What crosses the exec is one file without a name: JSON that says which descriptors are what, with a version, because the
two may be different versions of thriftserver. From then on they talk over one socket, a message at a time::

    new -> old   program   what it is going to serve; the old one answers fits, or refused and why
    new -> old   canary    its first worker is, and is compared with the old one's for so many seconds; then judged, or
                           rolled_back and why (an older release that knows neither takes the latter for failed)
    new -> old   ready     its workers are; or failed and why
    old -> new   go        it takes over: pidfile, control socket, admin process, systemd
    new -> old   the end   it has: the old one may leave

Until ``go`` the new one touches nothing that is the old one's, so it can fail at any point. When the socket ends before
that, the old one is dead or stopping, and the new one is on its own.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import ExitStack, suppress
from typing import Self

import msgspec
from msgspec import Struct

from thriftserver.assignment import Program
from thriftserver.config import Settings
from thriftserver.errors import ThriftServerError
from thriftserver.handoff import Handoff
from thriftserver.master.fork import HANDLED, fork
from thriftserver.master.sockets import Heirloom

#: Of the description, the messages and what a hand-off queue carries: a change that another version cannot read is a
#: new number.
VERSION = 1
#: The environment variable with the descriptor of the description.
VARIABLE = "THRIFTSERVER_UPGRADE"
#: Bytes of a message; a longer reason is cut.
MESSAGE = 65_536


class UpgradeError(ThriftServerError):
    """A new master cannot take over."""


class Estate(Struct):
    """What a master leaves to the next one. Sockets are descriptors."""

    handoff: tuple[int, int]
    listeners: list[Heirloom]
    admin: list[Heirloom]
    control: Heirloom | None
    configured: int
    """The number of workers that was configured, and the one that was asked for since."""
    target: int
    board: int = -1
    """The older master's scoreboard, with which the new one's first worker is compared; -1: it passes none."""
    version: int = VERSION
    pid: int = 0
    line: int = -1
    """The socket between the two."""
    stderr: int = -1
    """Where stderr goes once the new master can say for itself what is wrong with it."""

    def descriptors(self) -> list[int]:
        sockets = [*self.listeners, *self.admin, *([self.control] if self.control else [])]
        board = [self.board] if self.board >= 0 else []
        return [self.line, self.stderr, *self.handoff, *board, *(each.descriptor for each in sockets)]


class Message(Struct, omit_defaults=True):
    kind: str
    reason: str = ""
    idl: Sequence[str] = ()
    include: Sequence[str] = ()
    seconds: float = 0.0
    facts: dict[str, object] = {}
    doubt: bool = False


class Line:
    """One end of the socket between two masters."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def fileno(self) -> int:
        return self._sock.fileno()

    def say(self, kind: str, reason: str = "", **facts: object) -> None:
        """Send; nobody is left to tell when the other one is gone."""
        reason = reason[: MESSAGE // 8]  # JSON may make six bytes of a character
        data = msgspec.json.encode({"kind": kind, "reason": reason, **facts})
        with suppress(OSError):
            self._sock.send(data, socket.MSG_NOSIGNAL)

    def hear(self) -> Message | None:
        """The next message; None at the end."""
        try:
            data = self._sock.recv(MESSAGE)
            return msgspec.json.decode(data, type=Message) if data else None
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
            return None

    def close(self) -> None:
        self._sock.close()


class Origin(Struct, frozen=True):
    """How this process was started, so that another one can be started like it."""

    arguments: tuple[str, ...]
    folder: str
    umask: int

    @classmethod
    def here(cls) -> Self:
        """To be called before anything is changed. A shell's name for the directory is kept: a symlink to the release
        of the day leads to another one tomorrow."""
        umask = os.umask(0o077)
        os.umask(umask)
        named = os.environ.get("PWD", "")
        named = named if os.path.isabs(named) else ""
        try:
            folder = os.getcwd()
            with suppress(OSError):
                folder = named if named and os.path.samefile(named, folder) else folder
        except OSError:  # it was removed; the name may lead somewhere again one day
            folder = named or "/"
        first, *rest = sys.orig_argv
        return cls((first if "/" in first else sys.executable, *rest), folder, umask)


class Successor:
    """The new master as the old one sees it. Raises OSError when the system gives no process."""

    def __init__(self, origin: Origin, estate: Estate, environ: Mapping[str, str], private: Iterable[int]) -> None:
        self.reason = ""
        self.facts: dict[str, object] | None = None
        """The evidence, once it has judged itself and rolls back."""
        with ExitStack() as after, ExitStack() as undo:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            after.callback(theirs.close)
            undo.callback(ours.close)
            ours.setblocking(False)
            self.line = Line(ours)
            self._words = os.memfd_create("thriftserver-first-words", os.MFD_CLOEXEC)
            undo.callback(os.close, self._words)
            estate.pid, estate.line, estate.stderr = os.getpid(), theirs.fileno(), os.dup(2)
            after.callback(os.close, estate.stderr)
            # Signals stay blocked until the new master can take them: else one that people send to all would end it.
            after.callback(
                signal.pthread_sigmask, signal.SIG_SETMASK, signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
            )
            private = {*private, ours.fileno()} - set(estate.descriptors())
            self.parent, self.pid = _bear(lambda: _execute(origin, estate, environ, self._words), private)
            undo.pop_all()

    def release(self) -> None:
        """Make it an orphan, which systemd adopts: it waits for the end of a main process only if that is its child."""
        os.kill(self.parent, signal.SIGKILL)
        os.waitpid(self.parent, 0)

    def obituary(self, status: int) -> str:
        """Why it is gone: in its own words if it had any."""
        while (message := self.line.hear()) is not None:
            self.learn(message)
        code = os.waitstatus_to_exitcode(status)
        how = f"the new master was killed by signal {-code}" if code < 0 else f"the new master exited with code {code}"
        said = os.pread(self._words, MESSAGE, 0).decode("utf-8", "replace").strip()
        return self.reason or (f"{how}: {said}" if said else how)

    def learn(self, message: Message) -> None:
        """Why it is going to leave."""
        self.reason = message.reason or self.reason
        if message.kind == "rolled_back":
            self.facts = message.facts

    def close(self) -> None:
        self.line.close()
        if self._words >= 0:
            os.close(self._words)
            self._words = -1


def _bear(work: Callable[[], int], private: Iterable[int]) -> tuple[int, int]:
    """The pids of a parent and its child, which does ``work``. All that the parent does is to end as its child ends."""
    read, write = os.pipe2(os.O_CLOEXEC)

    def wait() -> int:
        child = os.fork()
        if child == 0:
            return work()
        os.write(write, child.to_bytes(4, "little"))
        for descriptor in map(int, os.listdir("/proc/self/fd")):  # a socket is closed only when nobody has it
            if descriptor > 2:
                with suppress(OSError):  # that of the list is closed already
                    os.close(descriptor)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code < 0:
            if -code != signal.SIGKILL:
                signal.signal(-code, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.kill(os.getpid(), -code)
        return code

    try:
        parent = fork(wait, {*private, read})
        os.close(write)
        write = -1
        child = int.from_bytes(os.read(read, 4), "little")
        if not child:
            os.waitpid(parent, 0)
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return parent, child
    finally:
        os.close(read)
        if write >= 0:
            os.close(write)


def _execute(origin: Origin, estate: Estate, environ: Mapping[str, str], words: int) -> int:
    """In the child: become the new master."""
    try:
        description = os.memfd_create("thriftserver-upgrade", 0)
        os.write(description, msgspec.json.encode(estate))
        for descriptor in estate.descriptors():
            os.set_inheritable(descriptor, True)
        os.dup2(words, 2)
        try:
            os.chdir(origin.folder)
        except OSError:
            os.chdir("/")  # it may need nothing of it; what is relative is not to be found there, and it says so
        os.umask(origin.umask)
        os.execve(origin.arguments[0], origin.arguments, {**environ, VARIABLE: str(description)})
    except OSError as error:
        os.write(words, f"cannot execute {origin.arguments[0]} in {origin.folder}: {error.strerror}".encode())
    return UpgradeError.exit_code


class Predecessor:
    """The old master as the new one sees it."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.pid = estate.pid
        self.line = Line(socket.socket(fileno=estate.line))
        self.handoff = Handoff.inherit(*estate.handoff)

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Self | None:
        """The master that this process is to follow, if any: taken out of the environment, so that no child hears of
        it. Raises UpgradeError when what it left cannot be understood."""
        text = environ.pop(VARIABLE, "")
        if not text.isdecimal():
            return None
        try:
            with open(int(text), "rb") as file:
                file.seek(0)
                data = file.read()
            version = msgspec.json.decode(data, type=dict[str, object]).get("version")
            if version != VERSION:
                raise UpgradeError(
                    f"the running master offers upgrades of version {version}, not {VERSION}: restart it"
                )
            estate = msgspec.json.decode(data, type=Estate)
            for descriptor in estate.descriptors():
                os.set_inheritable(descriptor, False)
            os.dup2(estate.stderr, 2)
            os.close(estate.stderr)
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise UpgradeError(f"cannot read what the running master left: {error}") from None
        return cls(estate)

    def passed(self) -> list[socket.socket]:
        """The sockets that are systemd's."""
        return [socket.socket(fileno=each.descriptor) for each in self.estate.listeners if not each.asked]

    def listeners(self, settings: Settings) -> list[Heirloom]:
        """The sockets that it has opened itself; with them those that this master has no use for, to be removed."""
        found = [each for each in self.estate.listeners if each.asked]
        found += [] if settings.admin else self.estate.admin
        return found + ([self.estate.control] if self.estate.control and not settings.control else [])

    def require_fit(self, program: Program) -> None:
        """Ask whether clients of the running IDL could live with this one: the old master has both to compare.

        Raises UpgradeError with the reason when not. A master that is gone has no objection.
        """
        settings = program.settings
        idl = [os.path.abspath(path) for path in settings.idl]
        include = [os.path.abspath(path) for path in settings.include]
        self.line.say("program", idl=idl, include=include)
        answer = self.line.hear()
        if answer is not None and answer.kind == "refused":
            raise UpgradeError(answer.reason)

    def fail(self, reason: str) -> bool:
        """The last words; False: this master is on its own, and nobody hears them."""
        if self.line.fileno() < 0:
            return False
        self.line.say("failed", reason)
        return True
