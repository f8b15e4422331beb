"""What an access log keeps of a call, and which calls it keeps. An observer of finished calls.

It writes nothing: what is to be logged is handed to ``emit``, as level, event and facts.
"""

from __future__ import annotations

from collections.abc import Callable
from random import random
from typing import TYPE_CHECKING, Any

from thriftserver.errors import ThriftServerError
from thriftserver.foreign import class_name, text_of
from thriftserver.rpc.current import running

if TYPE_CHECKING:
    from thriftserver.rpc.call import Call

#: Called with level, event and facts; all facts are short texts, whole numbers and finite floats.
Emit = Callable[[str, str, dict[str, Any]], None]

#: Outcomes of calls in which nothing went wrong: a declared exception is an answer that the IDL foresees.
FINE = frozenset({"success", "declared"})


class AccessLog:
    """One event ``call`` for each call that ``which`` (slow, sampled, all) selects.

    ``slow`` is the duration in seconds from which on a call is slow; ``share`` the part of the good, fast calls that
    ``sampled`` takes. The duration is from the arrival of the request to its reply: what the client waited for.
    """

    def __init__(self, which: str, slow: float, share: float, emit: Emit) -> None:
        self._slow = int(slow * 1e9)
        self._every = which == "all"
        #: Below this, a random number takes a call; failures are taken where there is sampling.
        self._share = share if which == "sampled" else 0.0
        self._failures = which == "sampled"
        self._emit = emit

    def __call__(self, call: Call) -> None:
        fine = call.outcome in FINE
        if (
            self._every
            or call.finished - call.received >= self._slow
            or (self._failures and (not fine or random() < self._share))
        ):
            self._emit("info" if fine else "warning", "call", facts(call))


def identity(call: Call) -> dict[str, Any]:
    """Which call it is: the same keys in every event that is about one."""
    return {"service": call.service, "method": call.method, "seqid": call.seqid, "peer": str(call.peer)}


def now_serving() -> dict[str, Any] | None:
    """The identity of the call that the running code belongs to, None outside of one."""
    call = running()
    return None if call is None else identity(call)


def facts(call: Call) -> dict[str, Any]:
    """What an access log says of a finished call. Durations are milliseconds, of wall time."""
    made = {
        "service": call.service,
        "method": call.method,
        "seqid": call.seqid,
        "peer": str(call.peer),
        "dialect": call.dialect,
        "duration_ms": (call.finished - call.received) // 1000 / 1000,
        "queue_ms": (call.started - call.received) // 1000 / 1000 if call.started else 0.0,
        "request_bytes": call.request_bytes,
        "reply_bytes": call.reply_bytes,
        "outcome": call.outcome,
    }
    error = call.error
    if error is not None:  # what strangers raise may say anything: with its traceback, it is another event
        made["error"] = text_of(error) if issubclass(type(error), ThriftServerError) else class_name(error)
    if call.error_id:
        made["error_id"] = call.error_id
    return made


def access_log(which: str, slow: float, share: float, emit: Emit) -> list[Callable[[Call], None]]:
    """The observers that the settings ask for: none when the access log is off, so that it costs nothing."""
    return [] if which == "off" else [AccessLog(which, slow, share, emit)]
