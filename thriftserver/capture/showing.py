"""Overheard calls for who looks at them: as JSON data, without what must not be shown."""

from __future__ import annotations

from typing import Any

from thriftserver.capture.reading import answer, arguments
from thriftserver.capture.records import Heard
from thriftserver.capture.schemas import Schemas
from thriftserver.errors import ThriftServerError


def plain(call: Heard, schemas: Schemas) -> dict[str, Any]:
    """All that is known of a call. Times are milliseconds, and seconds since 1970.

    ``arguments`` and one of ``result``, ``exception`` with ``value`` and ``error``; ``unreadable`` says why not.
    """
    told: dict[str, Any] = {
        "at": call.at / 1e9,
        "worker": call.worker,
        "service": call.service,
        "method": call.method,
        "peer": call.peer,
        "dialect": call.dialect,
        "outcome": call.outcome,
        "duration_ms": call.duration // 1000 / 1000,
        "queue_ms": call.queued // 1000 / 1000,
        "request_bytes": call.request_bytes,
        "reply_bytes": call.reply_bytes,
    }
    if call.headers is not None:
        told["headers"] = call.headers
    return told | _said(call, schemas)


def _said(call: Heard, schemas: Schemas) -> dict[str, Any]:
    function = schemas.function(call)
    said: dict[str, Any] = {}
    try:
        if call.arguments is not None:
            said["arguments"] = call.arguments
        elif function is not None:
            said["arguments"] = arguments(function, call.protocol, call.request)
        if call.answer is not None:
            said |= call.answer
        elif function is not None and call.reply:
            said |= answer(function, call.protocol, call.reply)
    except (ThriftServerError, KeyError) as error:  # a call that was refused because it cannot be read
        said["unreadable"] = str(error)
    if function is None:
        said["unreadable"] = "the IDL of the call is not known"
    return said
