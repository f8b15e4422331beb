"""What a server allows, tried on connections of its own: how large a message may be, and how long a connection idle.

It sends the announcement of a large message and none of its bytes.
"""

from __future__ import annotations

from time import monotonic

from msgspec import Struct

from thriftserver.doctor.probe import THRIFT, Patient, exchange
from thriftserver.errors import TransportError

#: The smallest and the largest message that is tried, in bytes; what no message may be is 2 GiB.
LEAST, MOST = 1 << 10, 1 << 30
#: Where the search ends: the limit lies within so much of what is told.
_PRECISION = 1.03
#: Seconds in which a refusal comes, if there is one, beside the time that an answer takes.
_SOON = 0.3
#: How messages of the framed dialects begin, behind their length: far enough for an answer that says what is wrong.
_BEGINS = {
    "framed-binary": b"\x80\x01\x00\x01\x00\x00\x00\x09__probe__\x00\x00\x00\x01",
    "framed-compact": b"\x82\x21\x01\x09__probe__",
    "framed-json": b'[1,"__probe__",1,1,',
}


class Limit(Struct, frozen=True):
    """The largest message that was taken, the smallest one that was refused (0: none was), in bytes."""

    taken: int
    refused: int


def largest(patient: Patient, dialect: str, tls: bool, latency: float) -> Limit | None:
    """How large a message may be; None for a dialect that does not announce it, or for who refuses the smallest."""
    if dialect not in _BEGINS:
        return None
    taken, refused = LEAST, MOST
    patience = _SOON + 4 * latency
    if not _takes(patient, dialect, tls, taken, patience):
        return None
    if _takes(patient, dialect, tls, refused, patience):
        return Limit(refused, 0)
    while refused > taken * _PRECISION:
        middle = int((taken * refused) ** 0.5)
        if _takes(patient, dialect, tls, middle, patience):
            taken = middle
        else:
            refused = middle
    return Limit(taken, refused)


def _takes(patient: Patient, dialect: str, tls: bool, size: int, patience: float) -> bool:
    """Does it wait for the rest of such a message? Who refuses it says so, or hangs up."""
    line, _ = patient.open(tls)
    try:
        line.send(size.to_bytes(4, "big") + _BEGINS[dialect], patient.timeout)
        line.receive(1, patience)
    except TimeoutError:
        return True
    except OSError:
        return False
    finally:
        line.close()
    return False


def closes_after(patient: Patient, dialect: str, tls: bool, seconds: float) -> float | None:
    """After how many seconds an idle connection is closed; None if it is open still after so many.

    Raises TransportError where there is no connection.
    """
    conversation = patient.speech(dialect)
    line, _ = patient.open(tls)
    try:
        if exchange(line, conversation, patient.timeout, dialect, tls).kind != THRIFT:
            raise TransportError("no answer")
        began = monotonic()
        try:
            line.receive(1, seconds)
        except TimeoutError:
            return None
        except OSError:
            pass
        return monotonic() - began
    finally:
        line.close()
