"""Every exception class of the project: the class says who is to blame, the attributes say what to answer.

Nothing is imported here but the numbers of the protocol, so every room may raise these.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from thriftserver.wire import Application


class ThriftServerError(Exception):
    """Base of all errors raised on purpose; ``exit_code`` is what the command line ends with."""

    exit_code = 1


class TException(Exception):
    """What Thrift's libraries call so: the base of all exceptions that IDLs declare.

    ``thriftserver.compat`` gives the other errors that such a library's callers catch by this name the same base.
    """


class ConfigError(ThriftServerError):
    """An option, environment variable or configuration file says something impossible."""

    exit_code = 2


class BootError(ThriftServerError):
    """A worker cannot start, for a reason other than its IDL or handler."""

    exit_code = 3


class StartFailed(ThriftServerError):
    """The first workers could not start; ``exit_code`` is what they left with."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class IdlError(ThriftServerError):
    """An IDL cannot be loaded. ``str()`` is the full report; ``diagnostics`` the same as data, sorted."""

    exit_code = 4

    def __init__(self, report: str, diagnostics: Iterable[Any] = ()) -> None:
        super().__init__(report)
        self.diagnostics = tuple(diagnostics)


class HandlerError(ThriftServerError):
    """A handler cannot be imported, or does not fit its service. ``problems`` holds one line each."""

    exit_code = 4

    def __init__(self, message: str, problems: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class BindError(ThriftServerError):
    """An address cannot be listened on."""

    exit_code = 5


class WireError(ThriftServerError):
    """A peer's bytes are not what they should be.

    ``type`` is the TApplicationException type to answer with, ``path`` where in the message it went wrong
    (``args.user.tags[2]``, empty when it is the message itself).
    """

    def __init__(self, message: str, path: str = "", type: Application = Application.PROTOCOL_ERROR) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.type = type


class EncodeError(ThriftServerError):
    """A value of ours does not fit the IDL: ``result.users[3].id: expected i32, got str 'x'``."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path


class ApplicationError(ThriftServerError):
    """Thrift's TApplicationException: raised by a client that was answered with one; a handler may raise it too."""

    exit_code = 6

    def __init__(self, type: int = Application.UNKNOWN, message: str = "") -> None:
        super().__init__(message)
        self.type = type
        self.message = message

    def __str__(self) -> str:
        name = next((each.name for each in Application if each is self.type or each == self.type), str(self.type))
        return f"{name}: {self.message}" if self.message else name


class DeadlineExceeded(BaseException):
    """Raised in a handler where it waits, once its call's deadline has passed; the peer is answered TIMEOUT.

    Not an ``Exception``, so that ``except Exception`` around a retry does not swallow it.
    """


class HandshakeRefused(ConnectionError):
    """A server has ended TLS's handshake after its client had taken it for done; so it has executed nothing."""


class TransportError(ThriftServerError):
    """A client cannot reach its server, or the connection broke before the reply was complete.

    ``address`` is the server's, ``phase`` what the call was busy with (one of ``client.deadline.PHASES``), and
    ``executed`` whether the server can have executed it: False where it has certainly not had all of the request.
    """

    exit_code = 7

    def __init__(self, message: str, address: str = "", phase: str = "", executed: bool = True) -> None:
        super().__init__(message)
        self.address = address
        self.phase = phase
        self.executed = executed


def of_file(error: OSError, path: str) -> OSError:
    """The same error with a file's name: one that a write meets, as on a full disk, has none."""
    return OSError(error.errno, error.strerror, path)
