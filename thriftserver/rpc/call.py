"""What is known of one request, for observers. Plain data: it decides and does nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Failure:
    """A call whose handler did not give a usable answer.

    ``outcome`` is ``undeclared`` (the handler raised something its IDL does not declare) or ``bad_result`` (its value
    does not fit the IDL, with the path in ``error``). ``error_id`` is what the peer was told, empty for a oneway.
    """

    service: str
    method: str
    seqid: int
    outcome: str
    error: BaseException
    error_id: str
