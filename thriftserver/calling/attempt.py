"""One call and all that can be told of it: what came of it, how long it took, and the bytes both ways."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Any, NamedTuple

from thriftserver.client.chosen import Conversation
from thriftserver.client.methods import caller_class, plain
from thriftserver.client.sync import Client
from thriftserver.codec.plain import to_plain
from thriftserver.errors import ApplicationError, ConfigError, EncodeError, ThriftServerError, TransportError
from thriftserver.schema.model import Function, Service
from thriftserver.schema.special import ThriftException
from thriftserver.wire import Application


class Overheard(Conversation):
    """What is said on one connection, with the bytes of the last call and of its answer."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sent = b""
        self.received = b""

    def call(self, plan: Any, args: Any, infos: Any) -> bytes:
        self.received = b""
        self.sent = super().call(plan, args, infos)
        return self.sent

    def reply(self, message: bytes) -> Any:
        self.received = message
        return super().reply(message)


class Listener(Client):
    """A client that knows what it has said and heard."""

    __speech__ = Overheard
    __conversation__: Overheard


def listener_class(service: Service) -> type[Listener]:
    """The same with the methods of a service."""
    return caller_class(service, Listener, "Client", {"close": "__close__"}, plain)


class Outcome(NamedTuple):
    """``kind`` is one of ``CODES``. ``value`` is JSON data of a result, or of a declared exception of this ``name``.

    ``text`` is what is wrong otherwise, ``unknown``: the server has no such method. ``seconds`` are from the call to
    its end; ``sent`` and ``received`` are messages with all that they were packed in, ``headers`` came beside the
    answer.
    """

    kind: str
    value: Any
    name: str
    text: str
    unknown: bool
    seconds: float
    sent: bytes
    received: bytes
    headers: dict[str, str]

    @property
    def code(self) -> int:
        """What a command ends with."""
        return CODES[self.kind]

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        told: dict[str, Any] = {"outcome": self.kind}
        if self.kind in ("result", "exception"):
            told |= {"name": self.name} if self.name else {}
            told["value"] = self.value
        else:
            told["error"] = self.text
        return told | {
            "seconds": round(self.seconds, 6),
            "request_bytes": len(self.sent),
            "reply_bytes": len(self.received),
            "headers": self.headers,
        }


#: Kinds of outcomes with their exit codes: a result, an exception that the IDL declares, an answer that the server
#: could not give, no answer at all.
CODES = {
    "result": 0,
    "exception": 1,
    "refused": ApplicationError.exit_code,
    "unanswered": TransportError.exit_code,
}


def nobody(error: TransportError, seconds: float) -> Outcome:
    """What came of a call for which there is no connection."""
    return Outcome("unanswered", None, "", str(error), False, seconds, b"", b"", {})


def attempt(client: Listener, function: Function, values: Sequence[Any]) -> Outcome:
    """Make the call, with arguments in the order of the IDL. Raises ConfigError where they do not fit."""
    conversation = client.__conversation__
    conversation.sent = conversation.received = b""
    conversation.headers = {}
    result, error = None, None
    begun = monotonic()
    try:
        result = getattr(client, function.name)(*values)
    except EncodeError as problem:
        raise ConfigError(f"the arguments do not fit: {problem}") from None
    except (ThriftException, ThriftServerError) as raised:
        error = raised
    heard = (monotonic() - begun, conversation.sent, conversation.received, conversation.headers)
    if isinstance(error, ThriftException):
        definition = type(error).__thrift__
        return Outcome("exception", to_plain(definition, error), definition.name, "", False, *heard)
    if isinstance(error, ApplicationError):
        return Outcome("refused", None, "", str(error), error.type == Application.UNKNOWN_METHOD, *heard)
    if error is not None:
        return Outcome("unanswered", None, "", str(error), False, *heard)
    return Outcome("result", to_plain(function.returns, result) if function.returns else None, "", "", False, *heard)
