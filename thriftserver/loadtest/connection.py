"""One connection of a load test, on which one call is under way at a time; it never waits but for being connected."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from thriftserver.client.chosen import Conversation, Deadline
from thriftserver.client.connecting import connect
from thriftserver.errors import ApplicationError, TransportError, WireError
from thriftserver.loadtest.tally import DECLARED, REFUSED, UNANSWERED
from thriftserver.loadtest.workload import Step
from thriftserver.schema.special import ThriftException

if TYPE_CHECKING:
    import socket

    from thriftserver.client.line import Line
    from thriftserver.client.tls import Tls
    from thriftserver.codec.plan import MethodPlan
    from thriftserver.discovery.resolvers import Resolver

#: Bytes to ask the kernel for.
INBOX = 1 << 16
_clock = time.monotonic_ns


class Server(NamedTuple):
    """Who is called and how. ``timeout`` is in seconds, of each call and of connecting, None for ever.

    ``names`` are what methods are called on the wire, ``headers`` go beside every call.
    """

    where: Resolver
    dialect: str
    path: str
    max_frame: int
    timeout: float | None
    tls: Tls | None
    names: dict[MethodPlan, str]
    headers: dict[str, str]


class Ended(Exception):
    """A call has come to its end without a result; ``kind`` is one of the tally's."""

    def __init__(self, kind: int, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Speech(Conversation):
    """What is said on a connection, where methods of several services may be called."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.dialect, server.max_frame, "", server.path)
        self._names = server.names

    def called(self, plan: MethodPlan) -> str:
        return self._names[plan]


class Connection:
    """``step`` is the call that is under way, None if there is none: ``due`` is when it had to be made, ``sent`` when
    it was, ``came`` when the last bytes of its reply had come, in nanoseconds of the monotonic clock.
    """

    __slots__ = (
        "_held",
        "_infos",
        "_line",
        "_rest",
        "_secure",
        "_server",
        "_sock",
        "_speech",
        "came",
        "due",
        "fd",
        "sent",
        "step",
    )

    def __init__(self, server: Server) -> None:
        self._server = server
        self._speech = Speech(server)
        self._infos = server.headers or None
        self._line: Line | None = None
        self._sock: socket.socket | None = None
        self._secure: Any = None
        self._held = bytearray()
        self._rest = b""
        self.fd = -1
        self.step: Step | None = None
        self.due = self.sent = self.came = 0

    def connect(self) -> None:
        """Make a new connection, and wait for it. Raises TransportError.

        A server that does not take connections is not measured better by others that wait for it, too.
        """
        self.close()
        server = self._server
        address, line = connect(server.where, Deadline(server.timeout), 0.0, server.tls)
        line.sock.setblocking(False)
        self._line, self._sock, self.fd = line, line.sock, line.fd
        self._secure = getattr(line, "encryption", None)
        self._speech.again(str(address))

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = self._sock = None
        self.fd = -1
        self._held.clear()
        self._rest = b""

    @property
    def stuck(self) -> bool:
        """Are there bytes of the request that the kernel has not taken yet?"""
        return bool(self._rest)

    def ask(self, step: Step) -> None:
        """Begin a call. Raises Ended, where the connection is broken."""
        self.step = step
        data = self._speech.call(step.plan, step.args, self._infos)
        assert self._sock is not None
        try:
            if self._secure is not None:
                data = self._rest + self._secure.encrypt(data)
            gone = self._sock.send(data)
        except BlockingIOError:
            gone = 0
        except OSError as error:
            raise _broken(error) from None
        self._rest = data[gone:] if gone < len(data) else b""

    def push(self) -> None:
        """Send more of the request, now that there is room. Raises Ended."""
        assert self._sock is not None
        try:
            self._rest = self._rest[self._sock.send(self._rest) :]
        except BlockingIOError:
            pass
        except OSError as error:
            raise _broken(error) from None

    def read(self) -> bool:
        """Take what has come: is it a result? False where it is not whole yet. Raises Ended for anything else."""
        assert self._sock is not None
        try:
            data = self._sock.recv(INBOX)
            self.came = _clock()
            if self._secure is not None and not (data := self._decrypted(data)) and not self._secure.ended:
                return False
        except BlockingIOError:
            return False
        except OSError as error:
            raise _broken(error) from None
        if self.step is None:
            raise Ended(UNANSWERED, "the server said something, or hung up, though it was not asked")
        if self._held or not data:
            return self._more(data)
        size = self._measured(data)
        if size == len(data):
            return self._over(data)
        return self._more(data)

    def _decrypted(self, data: bytes) -> bytes:
        said: bytes = self._secure.decrypt(data)
        self._rest += self._secure.leaving()
        return said

    def _more(self, data: bytes) -> bool:
        """The same where a reply comes in pieces, or with something behind it."""
        held = self._held
        held += data
        if not data and not self._speech.closed(held):
            raise Ended(UNANSWERED, f"the server closed the connection{self._speech.hint(held)}")
        size = self._measured(held)
        if not size:
            return False
        message, beyond = bytes(held[:size]), size < len(held)
        held.clear()
        try:
            return self._over(message)
        finally:
            if beyond or not data:
                self.close()

    def _measured(self, data: bytes | bytearray) -> int:
        try:
            return self._speech.measure(data)
        except TransportError as error:
            raise Ended(UNANSWERED, str(error)) from None

    def _over(self, message: bytes) -> bool:
        """Read a whole reply."""
        try:
            self._speech.reply(message)
        except ThriftException as declared:
            raise Ended(DECLARED, type(declared).__thrift__.name) from None
        except ApplicationError as refused:
            raise Ended(REFUSED, str(refused)) from None
        except WireError as error:
            raise Ended(UNANSWERED, str(error)) from None
        finally:
            if self._speech.over():
                self.close()
        return True

    def spoken(self) -> None:
        """A call that has no reply was sent."""
        if self._speech.over():
            self.close()


def _broken(error: OSError) -> Ended:
    return Ended(UNANSWERED, f"the connection broke: {error.strerror or error}")
