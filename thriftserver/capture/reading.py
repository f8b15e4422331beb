"""Messages as JSON data for people, without what must not be shown: the arguments of a call, the answer in a reply."""

from __future__ import annotations

from typing import Any

from thriftserver.capture.hiding import hides_answer, hides_arguments
from thriftserver.codec.plain import to_plain
from thriftserver.codec.plan import method_plan
from thriftserver.codec.protocols import spoken
from thriftserver.compiled import choose
from thriftserver.errors import ApplicationError
from thriftserver.schema.model import Function
from thriftserver.schema.special import ThriftException
from thriftserver.schema.text import REDACTED

new_source = choose("codec.memory").new_source


def header_of(protocol: str, message: bytes) -> Any:
    """The header of a message, its struct next in ``source``. Raises WireError, and KeyError for no protocol."""
    known = {each.name: each for each in spoken()}
    return known[protocol].take_header(new_source(message, 0))


def arguments(function: Function, protocol: str, message: bytes) -> dict[str, Any]:
    """The arguments of a call by their names; those that were not sent are left out. Raises WireError."""
    header = header_of(protocol, message)
    values = choose(f"codec.{protocol}.message").decode_args(method_plan(function), message, header.body)
    return {
        arg.name: REDACTED if arg.redacted else to_plain(arg.type, value, hide=True)
        for arg, value in zip(function.args, values, strict=True)
        if value is not None
    }


def answer(function: Function, protocol: str, message: bytes) -> dict[str, Any]:
    """What a reply holds: ``result``, ``exception`` with its ``value``, or ``error``. Raises WireError."""
    return answer_in(function, header_of(protocol, message))


def answer_in(function: Function, header: Any) -> dict[str, Any]:
    """The same of a reply of which the header was read."""
    try:
        value = header.protocol.codec_of(method_plan(function)).take_reply(header)
    except ThriftException as error:
        kind = type(error).__thrift__
        hidden = any(each.redacted for each in function.throws if each.type is kind)
        return {"exception": kind.name, "value": REDACTED if hidden else to_plain(kind, error, hide=True)}
    except ApplicationError as error:
        return {"error": str(error)}
    if function.returns is None:
        return {"result": None}
    return {"result": REDACTED if function.redacted else to_plain(function.returns, value, hide=True)}


def kept(
    function: Function, protocol: str, request: bytes, reply: bytes, secrets: bool
) -> tuple[bytes, bytes, dict[str, Any] | None, dict[str, Any] | None]:
    """What may be kept of a call: its messages, or where something in one must not be shown the rest as JSON data."""
    shown = told = None
    if not secrets and hides_arguments(function):
        try:
            shown = arguments(function, protocol, request)
        except Exception:  # noqa: BLE001 - what cannot be read cannot be told apart from what is to be hidden
            shown = {}
        request = b""
    if not secrets and reply and hides_answer(function):
        try:
            told = answer(function, protocol, reply)
        except Exception:  # noqa: BLE001 - likewise
            told = {"error": REDACTED}
        reply = b""
    return request, reply, shown, told
