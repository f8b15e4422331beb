"""The exceptions that callers of other Thrift libraries catch, and which of them an error of ours is.

Each is one of ours as well, so that code which is moved bit by bit may catch either.
"""

from __future__ import annotations

from typing import Final

from thriftserver.errors import ApplicationError, TException, TransportError
from thriftserver.wire import Application

__all__ = ["TApplicationException", "TException", "TProtocolException", "TTransportException"]


class TApplicationException(ApplicationError, TException):
    """What a server says when it has no result; ``type`` is one of the numbers here."""

    UNKNOWN: Final = 0
    UNKNOWN_METHOD: Final = 1
    INVALID_MESSAGE_TYPE: Final = 2
    WRONG_METHOD_NAME: Final = 3
    BAD_SEQUENCE_ID: Final = 4
    MISSING_RESULT: Final = 5
    INTERNAL_ERROR: Final = 6
    PROTOCOL_ERROR: Final = 7
    INVALID_TRANSFORM: Final = 8
    INVALID_PROTOCOL: Final = 9
    UNSUPPORTED_CLIENT_TYPE: Final = 10

    def __init__(self, type: int = UNKNOWN, message: str | None = None) -> None:
        super().__init__(type, message or "")

    def __str__(self) -> str:
        known = Application._value2member_map_.get(self.type)
        return self.message or (known.name.replace("_", " ").capitalize() if known else "Unknown error")


class TTransportException(TransportError, TException):
    """The server cannot be reached, or was not heard to the end; ``type`` is one of the numbers here."""

    UNKNOWN: Final = 0
    NOT_OPEN: Final = 1
    ALREADY_OPEN: Final = 2
    TIMED_OUT: Final = 3
    END_OF_FILE: Final = 4
    NEGATIVE_SIZE: Final = 5
    SIZE_LIMIT: Final = 6
    INVALID_CLIENT_TYPE: Final = 7

    def __init__(self, type: int = UNKNOWN, message: str | None = None, inner: BaseException | None = None) -> None:
        super().__init__(message or "", executed=type not in (self.NOT_OPEN, self.ALREADY_OPEN))
        self.type = type
        self.message = message
        self.inner = inner


class TProtocolException(TException):
    """A value does not fit the IDL."""

    UNKNOWN: Final = 0
    INVALID_DATA: Final = 1
    NEGATIVE_SIZE: Final = 2
    SIZE_LIMIT: Final = 3
    BAD_VERSION: Final = 4

    def __init__(self, type: int = UNKNOWN, message: str | None = None) -> None:
        super().__init__(message or "")
        self.type = type
        self.message = message


class SocketTimeout(TransportError, TimeoutError):
    """What thriftpy2 lets through when a server is silent: a ``socket.timeout``."""


class SocketClosed(TTransportException, ConnectionError):
    """The end of a connection. thriftpy2 raises either, as the kernel happens to hear of it first."""


def fault(error: TransportError, late: bool, raw: bool) -> TransportError:
    """What to raise in the place of ``error``. ``late``: the time is over.

    ``raw``: as thriftpy2 has it, which lets errors of sockets through once there is a connection.
    """
    made: TransportError
    if error.phase in ("resolving", "connecting", "handshaking"):
        made = TTransportException(TTransportException.NOT_OPEN, str(error), error)
    elif late:
        made = (
            SocketTimeout(str(error)) if raw else TTransportException(TTransportException.TIMED_OUT, str(error), error)
        )
    else:
        made = (SocketClosed if raw else TTransportException)(TTransportException.END_OF_FILE, str(error), error)
    made.address, made.phase, made.executed = error.address, error.phase, error.executed
    return made
