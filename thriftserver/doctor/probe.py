"""One question to a server on a connection of its own, and what came back: in any dialect, with TLS or without.

The question is a call of a method that nobody has, so nothing is executed, and who speaks the dialect answers it. What
follows from an answer is not known here.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

from msgspec import Struct

from thriftserver.client.chosen import Conversation, Deadline
from thriftserver.client.connecting import connect
from thriftserver.client.pooling import probe_plan
from thriftserver.client.tls import Tls
from thriftserver.discovery.resolvers import Resolver
from thriftserver.errors import ApplicationError, ConfigError, ThriftServerError, TransportError, WireError
from thriftserver.wire import MAX_FRAME, Application

#: Bytes of an answer that are kept: enough for an HTTP server to say what it is.
KEPT = 2048

#: Kinds of answers: Thrift, and a refusal in Thrift; other bytes; the end of the connection without any; none in time;
#: no connection, or no TLS on it.
THRIFT, REFUSED, OTHER, CLOSED, SILENT, UNREACHABLE = (
    "thrift",
    "refused",
    "other",
    "closed",
    "silent",
    "unreachable",
)

#: What a server says, in this dialect or in another one, to who should speak another one.
_REFUSALS = (Application.INVALID_PROTOCOL, Application.INVALID_TRANSFORM, Application.UNSUPPORTED_CLIENT_TYPE)


class Answer(Struct, frozen=True):
    """``kind`` is one of the kinds above, ``text`` says more, ``start`` is what the answer began with.

    ``connecting`` and ``seconds`` are how long the connection and the answer took.
    """

    dialect: str
    tls: bool
    kind: str
    text: str = ""
    start: bytes = b""
    connecting: float = 0.0
    seconds: float = 0.0

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        told: dict[str, Any] = {"dialect": self.dialect, "tls": self.tls, "answer": self.kind, "text": self.text}
        return told | {"connecting": round(self.connecting, 6), "seconds": round(self.seconds, 6)}


class Patient(Struct, frozen=True):
    """Who is asked: ``where`` it is, by which ``path`` over HTTP, for how many seconds each step may take at most.

    ``tls`` is how it is met where that is asked for.
    """

    where: Resolver
    path: str
    timeout: float
    tls: Tls

    def open(self, tls: bool) -> tuple[Any, float]:
        """A connection, and how long it took. Raises TransportError."""
        began = monotonic()
        _, line = connect(self.where, Deadline(self.timeout), 0.0, self.tls if tls else None)
        return line, monotonic() - began

    def speech(self, dialect: str) -> Conversation:
        """What is said in this dialect. Raises ConfigError where that cannot be."""
        path = self.path if dialect.startswith("http") else "/"
        conversation = Conversation(dialect, MAX_FRAME, "", path)
        conversation.again(str(self.where.addresses(self.timeout)[0]))
        return conversation


def ask(patient: Patient, dialect: str, tls: bool, ahead: bytes = b"") -> Answer:
    """Put the question; ``ahead`` is said before it."""
    try:
        conversation = patient.speech(dialect)
        line, took = patient.open(tls)
    except ConfigError as error:
        return Answer(dialect, tls, SILENT, str(error))
    except (TransportError, OSError) as error:
        return Answer(dialect, tls, UNREACHABLE, str(error))
    try:
        return exchange(line, conversation, patient.timeout, dialect, tls, took, ahead)
    finally:
        line.close()


def exchange(
    line: Any,
    conversation: Conversation,
    timeout: float,
    dialect: str,
    tls: bool,
    took: float = 0.0,
    ahead: bytes = b"",
) -> Answer:
    """The same on a connection that there is; it stays open."""
    held = bytearray()
    began = monotonic()

    def answer(kind: str, text: str = "") -> Answer:
        return Answer(dialect, tls, kind, text, bytes(held[:KEPT]), took, monotonic() - began)

    try:
        infos: dict[str, str] | None = {} if conversation.takes_infos else None
        line.send(ahead + conversation.call(probe_plan(), (), infos), timeout)
        size = 0
        while size == 0:
            left = timeout - (monotonic() - began)
            data = line.receive(1 << 16, left) if left > 0 else None
            if data is None:
                return answer(OTHER if held else SILENT)
            held += data
            if not data and not conversation.closed(held):
                return answer(OTHER if held else CLOSED)
            size = conversation.measure(held)
        conversation.reply(bytes(held[:size]))
    except TimeoutError:
        return answer(OTHER if held else SILENT)
    except OSError as error:
        return answer(OTHER if held else CLOSED, error.strerror or str(error))
    except ApplicationError as error:
        return answer(REFUSED if error.type in _REFUSALS else THRIFT, str(error))
    except (TransportError, WireError) as error:
        return answer(OTHER, str(error))
    except ThriftServerError as error:
        return answer(OTHER, str(error))
    return answer(THRIFT)
